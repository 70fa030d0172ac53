"""How well a model reads: error rates, robustness, reliability, and pictures of them.

Nothing that trains comes in.
"""
