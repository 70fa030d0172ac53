"""The network of the `mltu` tutorial: nine residual blocks and a bidirectional LSTM.

It flattens rows × columns row by row before the LSTM, so its output steps do not follow the image's columns, and
characters have no boxes.
"""

import keras
from keras import layers

from training.networks import LOGITS, Architecture, Recipe

DROPOUT = 0.2
# filters, strides, whether the shortcut has a convolution of its own
BLOCKS = (
    (16, 1, True),
    (16, 2, True),
    (16, 1, False),
    (32, 2, True),
    (32, 1, False),
    (64, 2, True),
    (32, 1, True),
    (64, 2, True),
    (64, 1, False),
)


def build(input_shape: tuple[int, int | None, int], classes: int) -> keras.Model:
    """Return the network; see `Architecture.build`."""
    inputs = keras.Input(input_shape, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255)(inputs)
    for filters, strides, skip_conv in BLOCKS:
        x = _residual_block(x, filters, strides, skip_conv)
    x = layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]))(x)
    x = layers.Bidirectional(layers.LSTM(128, return_sequences=True))(x)
    x = layers.Dropout(DROPOUT)(x)
    return keras.Model(inputs, layers.Dense(classes, name=LOGITS)(x), name="resnet_blstm")


def _residual_block(x: keras.KerasTensor, filters: int, strides: int, skip_conv: bool) -> keras.KerasTensor:
    shortcut = x
    x = layers.Conv2D(filters, 3, strides=strides, padding="same", kernel_initializer="he_uniform")(x)
    x = layers.LeakyReLU(0.1)(layers.BatchNormalization()(x))
    x = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_uniform")(x)
    x = layers.BatchNormalization()(x)
    if skip_conv:
        shortcut = layers.Conv2D(filters, 1, strides=strides, padding="same", kernel_initializer="he_uniform")(shortcut)
    x = layers.LeakyReLU(0.1)(layers.Add()([x, shortcut]))
    return layers.Dropout(DROPOUT)(x)


RECIPE = Recipe(batch_size=64, learning_rate=1e-3, weight_decay=0.0, schedule="plateau", steps=16_000, max_epochs=600)
ARCHITECTURE = Architecture(
    build=build,
    height=50,
    open_width=False,
    channels=3,
    time_axis=None,
    quantized=False,
    recipe=RECIPE,
    continued=RECIPE,
    description="the mltu tutorial's network: nine residual blocks and a bidirectional LSTM",
)
