"""A network learns: the run's folder and settings, the loop, callbacks, checkpoints, augmentation.

No export and no finished model comes in.
"""
