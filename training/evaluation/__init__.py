"""Accuracy of a model: error rates, robustness, reliability, and plots of them.

Training code does not belong here.
"""
