"""What several rooms need and none is about: files, paths, processors, memory, a Ray cluster.

Nothing here imports another room.
"""
