"""HTTP and nothing else: routes, schemas, problems, uploads.

Nothing of the process around it comes in, neither signals nor sockets, and no pixels or probabilities.
"""
