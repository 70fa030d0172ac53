"""How many threads ONNX Runtime uses within packages that offer no setting for it."""

import functools

import onnxruntime as ort


def use_threads(count: int) -> None:
    """Let every session that is opened from now on use so many threads a call."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = count
    ort.InferenceSession = functools.partial(ort.InferenceSession, sess_options=options)
