"""A prior over alphabets: among digits, a ring is more likely a zero than an O."""

import string
from typing import Any

import keras
import numpy as np
from keras import layers

DIGITS, LETTERS = string.digits, string.ascii_letters
ALPHABETS = (
    (DIGITS, 4.0),
    (DIGITS + "+-x×*/:()=?", 3.0),
    (DIGITS + ".,:-", 2.0),
    (LETTERS, 2.4),
    (DIGITS + string.ascii_uppercase, 2.5),
    (DIGITS + string.ascii_lowercase, 2.6),
    (DIGITS + LETTERS, 2.0),
)
"""Alphabets of short texts, each with its log prior (natural logarithm) relative to arbitrary characters.

All priors differ, so the choice is unique even if several alphabets contain all characters of a text."""
LENGTH_WEIGHT = 0.25
"""Weight of the prior of a text within its alphabet: the alphabet's size to the power of minus the text's length.

It is less than 1, as the network knows the neighbours of a character."""
OTHERS = -6.0
"""Added to the logits of characters outside the chosen alphabet; a constraint can still require them."""


@keras.saving.register_keras_serializable()
class AlphabetPrior(layers.Layer):
    """A layer that chooses the most likely alphabet of a text and lowers the logits of all other characters.

    The choice is the maximum a posteriori alphabet of the most probable path. Takes and returns logits (batch, steps,
    classes); the last class is the blank.
    """

    def __init__(self, vocab: str, **options: Any) -> None:
        super().__init__(**options)
        known = [[character in alphabet for character in vocab] + [True] for alphabet, _ in ALPHABETS]
        self.vocab = vocab
        self._allowed = np.array([*known, [True] * (len(vocab) + 1)])
        self._prior = np.array([*(prior for _, prior in ALPHABETS), 0.0], np.float32)
        sizes = np.array([*(len(alphabet) for alphabet, _ in ALPHABETS), len(vocab)])
        self._prior_per_character = (LENGTH_WEIGHT * np.log(len(vocab) / sizes)).astype(np.float32)

    def call(self, logits: Any) -> Any:
        """Return the logits with those of unlikely characters lowered."""
        ops = keras.ops
        log_probabilities = ops.log_softmax(ops.cast(logits, "float32"))
        of_paths = [
            ops.sum(ops.max(log_probabilities + np.where(allowed, 0.0, -1e9).astype(np.float32), axis=-1), axis=-1)
            for allowed in self._allowed
        ]
        length = ops.expand_dims(_length(log_probabilities), axis=-1)
        scores = ops.stack(of_paths, axis=-1) + self._prior + length * self._prior_per_character
        chosen = _one_hot_argmax(scores)
        change = ops.matmul(chosen, np.where(self._allowed, 0.0, OTHERS).astype(np.float32))
        return logits + ops.expand_dims(change, axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments needed to rebuild the layer."""
        return super().get_config() | {"vocab": self.vocab}


def _length(log_probabilities: Any) -> Any:
    """Return the lengths (batch,) of the greedily decoded texts, from (batch, steps, classes)."""
    ops = keras.ops
    characters = _one_hot_argmax(log_probabilities)[..., :-1]
    continued = ops.sum(characters[:, 1:] * characters[:, :-1], axis=(1, 2))
    return ops.sum(characters, axis=(1, 2)) - continued


def _one_hot_argmax(scores: Any) -> Any:
    """Return 1 where the last axis is greatest, else 0; Keras exports argmax with operators that ONNX lacks."""
    return keras.ops.cast(keras.ops.equal(scores, keras.ops.max(scores, axis=-1, keepdims=True)), "float32")


def with_alphabet_prior(network: keras.Model, vocab: str) -> keras.Model:
    """Return a network that puts out logits and prefers texts of one alphabet."""
    return keras.Model(network.input, AlphabetPrior(vocab)(network.output), name=network.name)
