"""Metrics, logs and traces.

Imports no routes and takes no request objects: callers report what happened.
"""
