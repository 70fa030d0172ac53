"""The commands of `python -m app`; each imports what it needs only when it runs.

No logic that another room could use comes in.
"""
