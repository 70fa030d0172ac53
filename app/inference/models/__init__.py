"""Models on disk and in memory: configurations, checksums, the store, ONNX Runtime.

Contains no uploads and no requests.
"""
