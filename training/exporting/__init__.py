"""From a Keras network to a model folder: ONNX, 8 bits, calibration, golden image, model card.

Training code does not belong here.
"""
