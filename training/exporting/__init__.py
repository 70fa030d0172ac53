"""From a Keras network to a model folder: ONNX, 8 bits, calibration, golden image, model card.

Nothing that trains comes in.
"""
