"""Training, from a folder of labelled images to a model folder that the service reads: `python -m training --help`."""

import os

# Read by Keras and TensorFlow when they are first imported.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
