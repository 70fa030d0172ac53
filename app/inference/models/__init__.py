"""Models in a folder and in memory: configurations, checksums, the store, ONNX Runtime.

No upload and no request comes in.
"""
