"""Initial weights of trainings."""

from pathlib import Path

import keras
import numpy as np
import pytest

from app.inference import Reader
from app.inference.decoding.ctc import CtcCodec
from training.data.dataset import InputSize, fit_image, fitted_width
from training.drawing.alphabet import draw_like
from training.drawing.texts import ALPHABET
from training.exporting.alphabet_prior import with_alphabet_prior
from training.fitting.config import shipped_start
from training.fitting.run import RunError, RunFolder
from training.fitting.start import StartError, load_start, save_start
from training.networks import get_architecture

KNOWN = "0123abc"


def network(classes: int, *, seed: int, height: int = 50, width: int = 200) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return get_architecture("conv_ctc").build((height, width, 1), classes)


def logits(model: keras.Model) -> np.ndarray:
    images = np.random.default_rng(0).integers(0, 256, (3, *model.input_shape[1:]), np.uint8)
    return keras.ops.convert_to_numpy(model(images))


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    """Return a network over KNOWN, and the file of its weights."""
    model, path = network(len(KNOWN) + 1, seed=1), tmp_path_factory.mktemp("start") / "start.npz"
    save_start(path, "conv_ctc", KNOWN, model)
    return model, path


def test_the_same_vocabulary_reads_the_same(start: tuple[keras.Model, Path]) -> None:
    known, path = start
    model = network(len(KNOWN) + 1, seed=2)
    load_start(str(path), "conv_ctc", model, CtcCodec(KNOWN))
    np.testing.assert_array_equal(logits(model), logits(known))


def test_each_character_keeps_its_output_in_another_vocabulary(start: tuple[keras.Model, Path]) -> None:
    known, path = start
    model = network(5, seed=2)
    load_start(str(path), "conv_ctc", model, CtcCodec("c1éa"))
    theirs, ours = logits(known), logits(model)
    for place, character in ((0, "c"), (1, "1"), (3, "a")):
        np.testing.assert_allclose(ours[..., place], theirs[..., KNOWN.index(character)], atol=1e-5)
    np.testing.assert_allclose(ours[..., 4], theirs[..., -1], atol=1e-5)  # the blank
    assert not np.allclose(ours[..., 2], 0)  # é is unknown and has random weights


def test_other_sizes_take_all_weights_that_fit(start: tuple[keras.Model, Path]) -> None:
    known, path = start
    wider, higher = network(8, seed=2, width=300), network(8, seed=2, height=80)
    columns = [
        index for index, variable in enumerate(higher.variables) if variable.shape != known.variables[index].shape
    ]
    fresh = np.array(higher.variables[columns[0]])
    for model in (wider, higher):
        load_start(str(path), "conv_ctc", model, CtcCodec(KNOWN))
    for ours, theirs in zip(wider.variables, known.variables, strict=True):
        np.testing.assert_array_equal(np.array(ours), np.array(theirs))
    assert len(columns) == 1
    np.testing.assert_array_equal(np.array(higher.variables[columns[0]]), fresh)
    np.testing.assert_array_equal(np.array(higher.variables[0]), np.array(known.variables[0]))


def test_none_leaves_the_weights_random() -> None:
    model, same = network(8, seed=2), network(8, seed=2)
    load_start("none", "conv_ctc", model, CtcCodec(KNOWN))
    np.testing.assert_array_equal(logits(model), logits(same))


def test_weights_can_come_from_a_run(trained_run: RunFolder) -> None:
    model = network(11, seed=2)
    load_start(str(trained_run.path), "conv_ctc", model, CtcCodec("0123456789"))
    with np.load(trained_run.best_weights) as best:
        np.testing.assert_array_equal(np.array(model.variables[0]), best["v0"])


def test_the_shipped_weights_cover_letters_and_digits_and_are_small() -> None:
    path = shipped_start("conv_ctc")
    assert path.stat().st_size < 1_000_000
    model = network(63, seed=2)
    before = logits(model)
    load_start("shipped", "conv_ctc", model, CtcCodec("".join(sorted("0123456789abcdefghijklmnopqrstuvwxyz"))))
    assert not np.allclose(before[..., :10], logits(model)[..., :10])


def test_trainings_start_from_the_general_model() -> None:
    model = get_architecture("residual_ctc").build((48, None, 3), len(ALPHABET) + 1)
    load_start("shipped", "residual_ctc", model, CtcCodec(ALPHABET))
    model = with_alphabet_prior(model, ALPHABET)
    size = InputSize(480, 48, 3, True)
    images = [image for image, _ in draw_like(["12345", "abcde", "QRSTU", "0123.4"], {}, 40, seed=0)]
    general = Reader("model_store/general").model
    differences = []
    for image in images:
        batch = fit_image(image, size)[np.newaxis, :, : fitted_width(image, size)]
        probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(model(batch)))
        differences.append(np.abs(probabilities - general.run(batch)).max())
    assert np.median(differences) < 0.1  # the general model computes in 8 bits


class TestRejected:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(StartError, match="is not a file of weights"):
            load_start(str(tmp_path / "none.npz"), "conv_ctc", network(8, seed=2), CtcCodec(KNOWN))

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"text"])
    def test_another_file(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "start.npz"
        path.write_bytes(content)
        with pytest.raises(StartError, match="is not a file of weights"):
            load_start(str(path), "conv_ctc", network(8, seed=2), CtcCodec(KNOWN))

    def test_another_folder(self, tmp_path: Path) -> None:
        with pytest.raises(RunError, match="is not the folder of a training run"):
            load_start(str(tmp_path), "conv_ctc", network(8, seed=2), CtcCodec(KNOWN))

    def test_another_architecture(self, start: tuple[keras.Model, Path]) -> None:
        other = get_architecture("resnet_blstm").build((50, 200, 3), 8)
        with pytest.raises(StartError, match="weights of conv_ctc, not of resnet_blstm"):
            load_start(str(start[1]), "resnet_blstm", other, CtcCodec(KNOWN))

    def test_another_version_of_the_architecture(self, start: tuple[keras.Model, Path]) -> None:
        other = keras.Sequential([keras.layers.Dense(8)])
        with pytest.raises(StartError, match="of another version of conv_ctc"):
            load_start(str(start[1]), "conv_ctc", other, CtcCodec(KNOWN))

    def test_weights_without_an_architecture(self, trained_run: RunFolder) -> None:
        with pytest.raises(StartError, match="give the folder of its run"):
            load_start(str(trained_run.best_weights), "conv_ctc", network(8, seed=2), CtcCodec(KNOWN))


class TestACharacterOfOneCase:
    """Labels often ignore case where pictures do not."""

    def test_starts_as_the_mean_of_both_cases(self, tmp_path: Path) -> None:
        known, model = network(6, seed=1), network(3, seed=2)
        save_start(tmp_path / "start.npz", "conv_ctc", "aAbBx", known)
        load_start(str(tmp_path / "start.npz"), "conv_ctc", model, CtcCodec("aB"))
        theirs, ours = logits(known), logits(model)
        np.testing.assert_allclose(ours[..., 0], theirs[..., 0:2].mean(axis=-1), atol=1e-5)
        np.testing.assert_allclose(ours[..., 1], theirs[..., 2:4].mean(axis=-1), atol=1e-5)

    def test_starts_as_the_other_case_if_only_that_is_known(self, start: tuple[keras.Model, Path]) -> None:
        known, path = start
        model = network(3, seed=2)
        load_start(str(path), "conv_ctc", model, CtcCodec("AC"))
        np.testing.assert_allclose(logits(model)[..., :2], logits(known)[..., [4, 6]], atol=1e-5)

    def test_starts_as_itself_if_both_are_in_the_vocabulary(self, tmp_path: Path) -> None:
        known, model = network(3, seed=1), network(3, seed=2)
        save_start(tmp_path / "start.npz", "conv_ctc", "aA", known)
        load_start(str(tmp_path / "start.npz"), "conv_ctc", model, CtcCodec("Aa"))
        np.testing.assert_allclose(logits(model)[..., :2], logits(known)[..., [1, 0]], atol=1e-5)
