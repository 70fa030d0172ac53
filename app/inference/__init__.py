"""From the bytes of an image to its text.

Nothing of HTTP comes in, nor anything of training.
"""
