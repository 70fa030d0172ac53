"""Labelled images: layouts, validation, splits, download.

Networks do not belong here.
"""
