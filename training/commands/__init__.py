"""The commands of `python -m training`. Each imports its dependencies only when it runs.

Only command-line handling belongs here; logic that other packages could use does not.
"""
