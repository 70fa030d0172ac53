"""Training of a network: the run's folder and settings, the loop, callbacks, checkpoints, augmentation.

Export and finished models do not belong here.
"""
