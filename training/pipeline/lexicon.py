"""Test of a lexicon on held-out images."""

import keras
import numpy as np

from app.inference.decoding.ctc import CtcCodec
from app.inference.decoding.forward import probabilities_of_labels
from app.inference.decoding.lexicon import Lexicon
from training.data.dataset import LabelledImages
from training.fitting.network import predict

SMALLEST = 1e-12
"""Smallest probability of a label that counts."""


def lexicon_is_useful(network: keras.Model, codec: CtcCodec, held_out: LabelledImages) -> bool:
    """Return whether a network should read with the lexicon that the training labels suggest.

    Names repeat because there are few. Numbers repeat too, but unknown ones are as likely as known ones: with a
    lexicon, a digit between two is read as the wrong one. So the lexicon must make the labels of held-out images more
    probable, or less by at most one standard error.

    Args:
        network: outputs logits.
        codec: has a prior derived from the training labels; if that is no lexicon, the result is true.
        held_out: images that were not trained on.
    """
    prior = codec.prior
    if not isinstance(prior, Lexicon):
        return True
    probabilities = predict(network, held_out.images)
    labels = [codec.encode(label) for label in held_out.labels]
    without = probabilities_of_labels(labels, list(probabilities), codec.blank_index)
    with_lexicon = [
        prior.weigh(codec, {label: float(likelihood)}, image)[label]
        for label, likelihood, image in zip(held_out.labels, without, probabilities, strict=True)
    ]
    gains = np.log(np.maximum(with_lexicon, SMALLEST)) - np.log(np.maximum(without, SMALLEST))
    return bool(gains.mean() >= -gains.std() / np.sqrt(len(gains)))
