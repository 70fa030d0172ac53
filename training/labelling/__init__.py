"""The local page to label images on.

Nothing of networks comes in: retraining is a command of its own.
"""
