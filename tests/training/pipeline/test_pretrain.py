"""Pre-training: from drawn pictures to the general model and initial weights."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import keras
import numpy as np
import pytest

from app.inference.decoding.ctc import CtcCodec
from app.inference.models.configs import read_configs
from app.inference.models.model import ImageToTextModel
from tests.drawn import draw_plain
from tests.training.conftest import run_eagerly
from training.data.dataset import read_csv, read_image
from training.drawing.stream import CHUNK, EASY_IMAGES, Drawn
from training.drawing.texts import ALPHABET
from training.drawing.typefaces import Typeface
from training.fitting.callbacks import Logs
from training.fitting.checkpoints import read_state, read_variables
from training.fitting.run import RunFolder
from training.fitting.start import load_start
from training.networks import get_architecture
from training.pipeline import pretrain as pretraining
from training.pipeline.pretrain import pretrain, pretraining_state

EPOCHS = 2


@dataclass(frozen=True)
class Pretrained:
    """A pre-training of two epochs that was interrupted after the first and then resumed."""

    run: RunFolder
    model: Path
    weights: Path
    written_when_interrupted: bool
    epochs: list[int]


class OneBatch:
    """Draws chunks of one small batch; see `training.drawing.stream.DrawingPool`."""

    chunks: ClassVar[list[int]] = []
    """The chunks that were drawn."""

    def draw(self, chunks: range) -> Iterator[Drawn]:
        for number in chunks:
            self.chunks.append(number)
            yield Drawn(np.stack([cv2.merge([draw_plain("1234", number, width=96, height=48)] * 3)] * 4), ["1234"] * 4)


@contextmanager
def one_batch_a_chunk(*_: object, **__: object) -> Iterator[OneBatch]:
    yield OneBatch()


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield monkeypatch


@pytest.fixture(scope="module")
def pretrained(
    typefaces: list[Typeface], patched: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Pretrained:
    patched.setattr(pretraining, "VALIDATION_IMAGES", 4)
    patched.setattr(pretraining, "EPOCH_CHUNKS", 1)
    patched.setattr(pretraining, "EPOCH_IMAGES", 32)
    patched.setattr(pretraining, "drawing_pool", one_batch_a_chunk)
    run_eagerly(patched)
    folder = tmp_path_factory.mktemp("pretrained")
    run, weights = RunFolder(folder / "run"), folder / "weights.npz"
    state = pretraining_state("python -m training pretrain", EPOCHS * 32, typefaces, folder / "general" / "1")
    run.path.mkdir()
    run.write_state(state)
    epochs: list[int] = []

    def on_epoch(interrupted: bool) -> Callable[[Logs], None]:
        def note(logs: Logs) -> None:
            epochs.append(int(logs["epoch"]))
            if interrupted:
                raise KeyboardInterrupt

        return note

    with pytest.raises(KeyboardInterrupt):
        pretrain(run, typefaces, 1, weights, on_epoch(True))
    output = Path(state.output)
    written = weights.exists() or output.exists()
    pretrain(run, typefaces, 1, weights, on_epoch(False))
    return Pretrained(run, output, weights, written, epochs)


def test_interrupted_writes_nothing_and_resumes_with_the_next_epoch(pretrained: Pretrained) -> None:
    assert not pretrained.written_when_interrupted
    assert pretrained.epochs == [1, 2]
    assert pretrained.run.read_state().finished


def test_starts_from_given_weights_with_pictures_of_full_difficulty_and_averages_both_weights(
    pretrained: Pretrained, typefaces: list[Typeface], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretraining, "write_model_folder", lambda *_: {})
    state = pretraining_state("", 32, typefaces, tmp_path / "general" / "2", init=str(pretrained.weights))
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    run.write_state(state)
    OneBatch.chunks.clear()
    result = pretrain(run, typefaces, 1, tmp_path / "weights.npz", lambda _: None)
    assert min(OneBatch.chunks) * CHUNK >= EASY_IMAGES - CHUNK
    # Batch and random numbers are the same: only the initial weights differ.
    assert result.history[0]["loss"] != read_state(pretrained.run.checkpoint)["history"][0]["loss"]
    trained, initial = read_variables(run.best_weights), read_variables(pretrained.weights)
    for array, one, other in zip(read_variables(tmp_path / "weights.npz"), trained, initial, strict=True):
        if array.dtype == np.float32:  # and not the state of random numbers
            np.testing.assert_allclose(array, (one + other) / 2, rtol=1e-5, atol=1e-7)


def test_keeps_its_drawn_validation_pictures(pretrained: Pretrained) -> None:
    samples = read_csv(pretrained.run.val_csv)
    assert len(samples) == 4
    for sample in samples:
        assert sample.label
        assert set(sample.label) <= set(ALPHABET)
        assert read_image(sample.path).size


def test_the_model_reads_pictures_of_any_width_in_one_batch(pretrained: Pretrained) -> None:
    assert read_configs(pretrained.model).keep_proportions
    model = ImageToTextModel(pretrained.model)
    assert model.input_shape[1:] == [model.height, model.input_shape[2], model.channels]
    assert not isinstance(model.input_shape[2], int)
    images = [draw_plain("12345"[:count], seed=1, width=50 * count) for count in (1, 2, 4, 5)]
    assert len({model.prepare([image]).shape for image in images}) == len(images)
    together = model.predict(images)
    assert [reading.text for reading in together] == [model.predict([image])[0].text for image in images]


def test_the_model_describes_its_training_data(pretrained: Pretrained, typefaces: list[Typeface]) -> None:
    metrics = json.loads((pretrained.model / "metrics.json").read_text())
    assert metrics["data"]["source"].startswith(f"pictures drawn in {len(typefaces)} typefaces")
    assert (pretrained.model / "SHA256SUMS").exists()


def test_the_weights_can_be_initial_weights(pretrained: Pretrained) -> None:
    keras.utils.set_random_seed(3)
    architecture = get_architecture("residual_ctc")
    model = architecture.build((architecture.height, None, architecture.channels), len(ALPHABET) + 1)
    load_start(str(pretrained.weights), "residual_ctc", model, CtcCodec(ALPHABET))
    for variable, array in zip(model.variables, read_variables(pretrained.weights), strict=True):
        np.testing.assert_array_equal(np.array(variable), array)
