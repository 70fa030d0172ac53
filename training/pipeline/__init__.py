"""Complete trainings, single or in a cross-validation: from settings and images to a model folder.

Networks and file formats do not belong here.
"""
