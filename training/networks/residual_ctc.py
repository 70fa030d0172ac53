"""The general network: residual convolutions on colour pictures of any width, one output step per four columns."""

from dataclasses import replace
from functools import partial

import keras
from keras import layers

from training.networks import LOGITS, Architecture, Recipe, convolution, unlikely_blank

DROPOUT = 0.1
MOMENTUM = 0.95  # of the batch norm, whose statistics must adapt within a short training
_convolution = partial(convolution, momentum=MOMENTUM)
CHANNELS = (24, 48, 96, 192)
CONTEXT = 96
HEAD_STEPS = 7
"""Number of neighbouring output steps that the head covers: a character and its surroundings."""


def build(input_shape: tuple[int, int | None, int], classes: int) -> keras.Model:
    """Return the network; see `Architecture.build`. The width may be None."""
    inputs = keras.Input(input_shape, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    x = _convolution(x, CHANNELS[0], strides=2)
    x = _residual(_convolution(x, CHANNELS[1], strides=2))
    x = _residual(_convolution(x, CHANNELS[2], strides=(2, 1)))
    # A convolution over all rows makes each column one step: time runs from left to right.
    x = _convolution(x, CHANNELS[3], kernel=(x.shape[1], 1), padding="valid")
    x = layers.Dropout(DROPOUT)(x)
    x = layers.Dropout(DROPOUT)(_with_context(_convolution(x, CHANNELS[3], kernel=(1, HEAD_STEPS))))
    x = layers.Conv2D(classes, 1, bias_initializer=unlikely_blank, name=LOGITS, dtype="float32")(x)
    return keras.Model(inputs, keras.ops.squeeze(x, axis=1), name="residual_ctc")


def _with_context(x: keras.KerasTensor) -> keras.KerasTensor:
    """Add the average over all steps to each step: among digits, a ring is a zero and not an O.

    Like Hu et al., "Squeeze-and-Excitation Networks", 2018, but added instead of multiplied.
    """
    mean = layers.GlobalAveragePooling2D(keepdims=True)(x)
    hidden = layers.Conv2D(CONTEXT, 1, activation="relu", name="context_hidden")(mean)
    return layers.Add()([x, layers.Conv2D(x.shape[-1], 1, kernel_initializer="zeros", name="context")(hidden)])


def _residual(x: keras.KerasTensor) -> keras.KerasTensor:
    """Add two convolutions to a shortcut (He et al., "Deep Residual Learning for Image Recognition", 2016)."""
    y = _convolution(_convolution(x, x.shape[-1]), x.shape[-1], rectified=False)
    return layers.ReLU()(layers.Add()([x, y]))


RECIPE = Recipe(
    batch_size=16,
    learning_rate=2e-3,
    weight_decay=1e-2,
    schedule="one-cycle",
    steps=8_000,
    max_epochs=400,
    epoch_steps=50,
    averaging=0.99,
    bfloat16=True,
)
ARCHITECTURE = Architecture(
    build=build,
    height=48,
    open_width=True,
    channels=3,
    time_axis="width",
    quantized=True,
    recipe=RECIPE,
    continued=replace(RECIPE, batch_size=8, learning_rate=1e-3, steps=2_500, drawn=8_000),
    description="residual convolutions, colour input of any width",
)
