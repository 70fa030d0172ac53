"""Labelled images as people have them: layouts, validation, splits, download.

No network comes in.
"""
