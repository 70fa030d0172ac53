"""Callbacks that run after every epoch. Their order in `fit` matters: each adds to the logs for the next."""

import csv
import math
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import keras

from app.inference.decoding.ctc import CtcCodec
from app.shared.files import write_atomically
from training.data.dataset import LabelledImages, encode_labels
from training.evaluation.metrics import character_error_rate, word_error_rate
from training.fitting.batches import Batches
from training.fitting.checkpoints import load_variables, read_state, save_variables
from training.fitting.network import PREDICTION_BATCH

RAMP = 0.1  # fraction of all epochs
LEARNED_LOSS = 0.5  # CTC loss per character below which the network has left the all-blank plateau

COUNTERS = ("best", "best_epoch", "wait", "cooldown_counter")

Logs = dict[str, float]


class AveragedWeights(keras.callbacks.Callback):
    """A callback that swaps the model's weights and the optimiser's averages, for callbacks until the next swap.

    Averaged weights read better than the last ones (Polyak and Juditsky, 1992).
    """

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Swap the model's weights and the averages."""
        weights = self.model.trainable_variables
        # The optimiser's own list omits variables that it does not average.
        for weight, average in zip(weights, self.model.optimizer._model_variables_moving_average, strict=True):
            value = keras.ops.copy(weight)
            weight.assign(average)
            average.assign(value)


class ValidationMetrics(keras.callbacks.Callback):
    """A callback that adds `val_loss`, and `val_cer` and `val_wer` of the greedily decoded texts, to the epoch's logs.

    Keras's own validation would run the network a second time, and before the weights are averaged.
    """

    def __init__(self, validation: LabelledImages, codec: CtcCodec) -> None:
        super().__init__()
        self._validation, self._codec = validation, codec
        self._labels = encode_labels(validation.labels, codec)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Read all validation images."""
        logits = self.model.predict(self._validation.images, batch_size=PREDICTION_BATCH, verbose=0)
        probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
        texts = [decoded.text for decoded in self._codec.decode_texts(probabilities)]
        logs["val_loss"] = float(self.model.loss(self._labels, logits))
        logs["val_cer"] = character_error_rate(self._validation.labels, texts)
        logs["val_wer"] = word_error_rate(self._validation.labels, texts)


class AugmentationRamp(keras.callbacks.Callback):
    """A callback that raises the augmentation to full strength within a tenth of the epochs, once the network reads.

    With augmentation from the start, small networks stay on CTC's all-blank plateau. With augmentation too late, they
    overfit to few images.
    """

    def __init__(self, batches: Batches, epochs: int) -> None:
        super().__init__()
        self._batches = batches
        self._threshold = LEARNED_LOSS * batches.label_length
        self._rise = 1 / (RAMP * epochs)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Set the augmentation strength of the next epoch."""
        self._batches.epoch = epoch + 1
        logs["augmentation"] = self._batches.strength
        if self._batches.strength > 0 or logs["loss"] < self._threshold:
            self._batches.strength = min(1.0, self._batches.strength + self._rise)


class BestWeights(keras.callbacks.Callback):
    """A callback that saves the weights of the latest epoch that reads about as many words right as the best one.

    With few validation images, the epoch with the fewest errors is best by chance, and weights still improve as the
    learning rate falls.
    """

    def __init__(self, path: Path, words: int) -> None:
        super().__init__()
        self._path, self._words = path, words
        self.fewest_wrong = words
        self.best_epoch = -1

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Save the weights unless earlier ones were better."""
        wrong = round(float(logs["val_wer"]) * self._words)
        self.fewest_wrong = min(wrong, self.fewest_wrong)
        if about_as_good(wrong, self.fewest_wrong):
            self.best_epoch = epoch
            save_variables(self._path, self.model.variables)


def about_as_good(wrong: int, fewest: int) -> bool:
    """Return whether a number of wrong words is at most one standard error above the fewest.

    One-standard-error rule: Breiman et al., "Classification and Regression Trees", 1984. The standard error is that of
    a Poisson count of `fewest` + 1: even if the best epoch has no wrong word, a single one may be due to chance.
    """
    return wrong <= fewest + math.sqrt(fewest + 1)


class Checkpoint(keras.callbacks.Callback):
    """A callback that writes everything that a resumed run needs after every epoch, and a readable `history.csv`."""

    def __init__(
        self, path: Path, history_csv: Path, batches: Batches, best: BestWeights, stateful: Sequence[Any]
    ) -> None:
        super().__init__()
        self._path, self._history_csv = path, history_csv
        self._batches, self._best, self._stateful = batches, best, stateful
        self._states: list[dict[str, Any]] = []
        self.history: list[Logs] = []

    def restore(self, model: keras.Model) -> int:
        """Restore model, optimiser and callbacks to the end of the last complete epoch.

        Returns:
            The epoch to continue with.
        """
        load_variables(self._path, [*model.variables, *model.optimizer.variables])
        state = read_state(self._path)
        self.history = state["history"]
        self._batches.epoch = len(self.history)
        self._batches.strength = state["strength"]
        self._best.best_epoch = state["best_epoch"]
        self._best.fewest_wrong = state.get("fewest_wrong", self._best.fewest_wrong)  # older checkpoints lack it
        self._states = state["callbacks"]
        return len(self.history)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Restore the state that Keras's own callbacks reset when training begins."""
        for callback, state in zip(self._stateful, self._states, strict=False):
            vars(callback).update(state)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Write the checkpoint and the history."""
        line = {"epoch": epoch + 1, **logs, "learning_rate": self.model.optimizer.learning_rate}
        history = [*self.history, {key: float(value) for key, value in line.items()}]
        state = {
            "history": history,
            "strength": self._batches.strength,
            "fewest_wrong": self._best.fewest_wrong,
            "best_epoch": self._best.best_epoch,
            "callbacks": [_counters(callback) for callback in self._stateful],
        }
        save_variables(self._path, [*self.model.variables, *self.model.optimizer.variables], state)
        self.history = history
        write_history(history, self._history_csv)


def write_history(history: Sequence[Logs], path: Path) -> None:
    """Write a CSV table with one line per epoch."""
    with write_atomically(path) as file:
        writer = csv.DictWriter(file, history[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


def _counters(callback: Any) -> dict[str, float]:
    """Return the counters and the best value of Keras's `EarlyStopping` or `ReduceLROnPlateau`."""
    return {key: float(vars(callback)[key]) for key in COUNTERS if isinstance(vars(callback).get(key), Real)}
