"""What several rooms need and none is about: files, processors, memory, a Ray cluster.

Nothing here imports another room.
"""
