"""From the probabilities of a CTC network to text: greedy, beam search, constraints, boxes, sums.

No picture, file or model comes in.
"""
