"""Set ONNX Runtime's number of threads in packages that have no setting for it."""

import functools

import onnxruntime as ort


def use_threads(count: int) -> None:
    """Make all sessions opened from now on use this many threads per call."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = count
    ort.InferenceSession = functools.partial(ort.InferenceSession, sess_options=options)
