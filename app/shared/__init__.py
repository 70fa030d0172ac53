"""Helpers that several packages need: files, processors, memory, a Ray cluster.

Imports no other package of `app`.
"""
