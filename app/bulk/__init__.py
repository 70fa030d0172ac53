"""Folders and buckets of images to tables of readings, here, in processes or on Ray.

Nothing of HTTP comes in.
"""
