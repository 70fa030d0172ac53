"""A small fully convolutional network with one output step per four columns.

Instead of the tutorial's LSTM, it has a convolution over five neighbouring steps, which covers a character and both its
neighbours.
"""

from dataclasses import replace
from functools import partial

import keras
from keras import layers

from training.networks import LOGITS, Architecture, Recipe, convolution, unlikely_blank

DROPOUT = 0.2
MOMENTUM = 0.9  # of the batch norm, whose statistics must adapt within a short training
_convolution = partial(convolution, momentum=MOMENTUM)


def build(input_shape: tuple[int, int | None, int], classes: int) -> keras.Model:
    """Return the network; see `Architecture.build`."""
    inputs = keras.Input(input_shape, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    # ReLU after pooling gives the same result, and lets 8 bits begin before both (see `quantize`).
    x = _convolution(x, 16, strides=2, rectified=False)
    x = layers.ReLU()(layers.MaxPooling2D((2, 1), padding="same")(x))
    x = _convolution(x, 32, strides=(1, 2))
    x = _convolution(x, 48, strides=(2, 1))
    x = _convolution(x, 64, strides=(2, 1))

    # A convolution over all rows makes each column one step: time runs from left to right.
    x = layers.Dropout(DROPOUT)(_convolution(x, 80, kernel=(x.shape[1], 1), padding="valid"))
    x = layers.Dropout(DROPOUT)(_convolution(x, 80, kernel=(1, 5)))
    x = layers.Conv2D(classes, 1, bias_initializer=unlikely_blank, name=LOGITS)(x)
    return keras.Model(inputs, keras.ops.squeeze(x, axis=1), name="conv_ctc")


RECIPE = Recipe(batch_size=8, learning_rate=2e-3, weight_decay=1e-2, schedule="one-cycle", steps=16_000, max_epochs=600)
ARCHITECTURE = Architecture(
    build=build,
    height=50,
    open_width=False,
    channels=1,
    time_axis="width",
    quantized=True,
    recipe=RECIPE,
    continued=replace(RECIPE, batch_size=16, learning_rate=1e-3, steps=6_000),
    description="small fully convolutional network, grey input",
)
