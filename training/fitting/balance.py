"""Correction of characters that are rare or frequent in few labels by chance."""

from collections import Counter
from collections.abc import Sequence

import keras
import numpy as np

from app.inference.decoding.ctc import CtcCodec
from training.data.alphabet import expected_counts
from training.networks import LOGITS

STRENGTH = 2.0
"""Multiplies the correction; 1 would be right for a network that has not memorised its training images."""


def balance(network: keras.Model, codec: CtcCodec, labels: Sequence[str]) -> None:
    """Make a trained network read characters as often as other labels probably have them.

    A network trained on few labels reads a character that these happen to show once as a similar, more frequent one.
    Adds the logarithm of expected over actual frequency to the logits (Menon et al., "Long-tail learning via logit
    adjustment", 2021).

    Args:
        network: outputs logits; its biases are changed.
        codec: vocabulary and blank.
        labels: the texts that it was trained on.
    """
    counts = Counter("".join(labels))
    kernel, bias = network.get_layer(LOGITS).get_weights()
    for character, expected in expected_counts(counts).items():
        bias[codec.encode(character)[0]] += STRENGTH * np.log(expected / counts[character])
    network.get_layer(LOGITS).set_weights([kernel, bias])
