"""From settings and images to a model folder, once or, in a cross-validation, many times.

No network and no file format comes in: the rooms below have them.
"""
