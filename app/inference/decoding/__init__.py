"""Decoding of a CTC network's probabilities to text: greedy, beam search, constraints, boxes, sums.

Contains no images, files or models.
"""
