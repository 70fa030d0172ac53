"""The service: reads short text in uploaded images with a model from the model store."""

__version__ = "0.1.0"
