"""Folders and buckets of images to tables of readings, by one of the engines in `engines/`.

Nothing of HTTP comes in.
"""
