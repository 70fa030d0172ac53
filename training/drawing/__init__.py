"""Synthetic pictures of text, for pre-training and for trying things out.

Networks do not belong here.
"""
