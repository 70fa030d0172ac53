"""The service: reads short text in uploaded images with a model from the model store."""

import os

__version__ = "0.1.0"

# ONNX Runtime would send its makers events about models and their use; it asks when it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# NumPy's OpenBLAS would start a thread a processor, each of which waits busily for work that there is none of.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
