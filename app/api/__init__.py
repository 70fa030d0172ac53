"""HTTP only: routes, schemas, problems, uploads.

Contains no signals or sockets of the process, and no pixels or probabilities.
"""
