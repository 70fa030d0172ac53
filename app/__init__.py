"""Service that reads short text in uploaded images with a model from the model store."""

import os

__version__ = "0.1.0"

# ONNX Runtime reads this on its first import; otherwise it sends usage events to its makers.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Otherwise NumPy's OpenBLAS starts a thread per processor, and each of them busy-waits.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
