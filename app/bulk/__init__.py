"""Bulk reading of folders and buckets into tables, by one of the engines in `engines/`.

Contains no HTTP.
"""
