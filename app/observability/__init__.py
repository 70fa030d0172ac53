"""Metrics, logs and traces.

No route or request comes in: it is told what happened.
"""
