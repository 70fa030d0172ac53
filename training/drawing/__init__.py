"""Pictures of text drawn by our own code, to learn from and to try things on.

No network comes in.
"""
