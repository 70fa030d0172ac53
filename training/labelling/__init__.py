"""The local labelling page.

Networks do not belong here: retraining runs as a command of its own.
"""
