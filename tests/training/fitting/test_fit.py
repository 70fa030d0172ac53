"""Losses, schedules, batches, architectures and defaults."""

import itertools
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from app.inference.decoding.ctc import CtcCodec
from training.data.dataset import LabelledImages
from training.fitting.batches import TrainingBatches
from training.fitting.callbacks import AugmentationRamp, BestWeights, Checkpoint
from training.fitting.checkpoints import read_variables, save_variables
from training.fitting.config import resolve_config
from training.fitting.network import CtcLoss
from training.fitting.schedules import OneCycle, Trapezoid
from training.networks import architecture_names, get_architecture

SIZE = {"architecture": "conv_ctc", "width": 200, "height": 50}


def brute_force_loss(logits: np.ndarray, label: list[int], blank: int) -> float:
    """Return the negative log of the summed probability of all paths that collapse to the label."""
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    steps, classes = logits.shape
    total = 0.0
    for path in itertools.product(range(classes), repeat=steps):
        if [group for group, _ in itertools.groupby(path) if group != blank] == label:
            total += math.prod(probabilities[step, cls] for step, cls in enumerate(path))
    return -math.log(total)


@pytest.mark.parametrize("label", [[0], [0, 1], [1, 1], [0, 1, 0], [1, 0, 0]])
def test_the_ctc_loss_is_the_sum_over_all_alignments(label: list[int]) -> None:
    logits = np.random.default_rng(len(label)).normal(0, 2, (5, 3)).astype(np.float32)
    padded = np.array([[*label, *[2] * (4 - len(label))]], np.int32)
    loss = CtcLoss(blank_index=2)(padded, logits[np.newaxis])
    assert float(loss) == pytest.approx(brute_force_loss(logits, label, blank=2), rel=1e-4)


@pytest.mark.parametrize("blank", [0, 2])
def test_the_loss_of_an_image_without_text_is_that_of_blanks_only(blank: int) -> None:
    logits = np.random.default_rng(3).normal(0, 2, (2, 5, 3)).astype(np.float32)
    labels = np.array([[blank, blank], [1, blank]], np.int32)
    empty, one = CtcLoss(blank)(labels[:1], logits[:1]), CtcLoss(blank)(labels[1:], logits[1:])
    assert float(empty) == pytest.approx(brute_force_loss(logits[0], [], blank), rel=1e-4)
    assert float(one) == pytest.approx(brute_force_loss(logits[1], [1], blank), rel=1e-4)


def test_one_cycle_rises_for_a_quarter_and_falls_for_the_rest() -> None:
    schedule = OneCycle(peak=2e-3, total_steps=1000)
    rates = np.array([float(schedule(step)) for step in range(0, 1001, 10)])
    assert rates.argmax() == 25
    assert rates.max() == pytest.approx(2e-3)
    assert (np.diff(rates[:26]) > 0).all()
    assert (np.diff(rates[25:]) <= 0).all()
    assert rates[-1] < 1e-6


def test_a_trapezoid_rises_stays_and_falls_in_the_last_quarter() -> None:
    schedule = Trapezoid(peak=2e-3, total_steps=1000)
    rates = np.array([float(schedule(step)) for step in range(0, 1001, 10)])
    assert (np.diff(rates[:5]) > 0).all()
    assert rates[5:75] == pytest.approx(2e-3)
    assert (np.diff(rates[76:]) < 0).all()
    assert rates[-1] < 1e-6


def training_batches(
    count: int, drawn: LabelledImages | None = None, vocab: str = "abcdefghij", **options: Any
) -> TrainingBatches:
    """Return batches of images of one pixel each, whose value is the class of their label."""
    config = resolve_config(count, {"architecture": "conv_ctc", "width": 8, "height": 8, "batch_size": 4} | options)
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    return TrainingBatches(config, LabelledImages(images, list(vocab[:count])), CtcCodec(vocab), drawn)


def test_an_epoch_has_every_image_once_in_a_new_order() -> None:
    batches = training_batches(10)
    epochs = []
    for epoch in range(2):
        batches.epoch = epoch
        served = list(batches())
        assert [len(batch) for batch, _ in served] == [4, 4, 2]
        assert batches.steps == 3
        for batch, label in served:
            np.testing.assert_array_equal(batch.ravel(), label.ravel())
        epochs.append(np.concatenate([label.ravel() for _, label in served]).tolist())
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(10))
    assert epochs[0] != epochs[1]
    batches.epoch = 0
    assert np.concatenate([label.ravel() for _, label in batches()]).tolist() == epochs[0]


def test_few_images_are_repeated_within_an_epoch() -> None:
    batches = training_batches(10, passes=3)
    served = [label.ravel().tolist() for _, label in batches()]
    assert len(served) == batches.steps == 9
    assert sorted(itertools.chain.from_iterable(served)) == sorted([*range(10)] * 3)


def test_half_of_each_batch_is_drawn_if_there_are_drawn_images() -> None:
    drawn = LabelledImages(np.full((3, 1, 1, 1), 255, np.uint8), ["j", "j", "j"])
    for images, labels in training_batches(9, drawn)():
        half = len(images) // 2
        assert (images[half:] == 255).all()
        assert (labels[half:] == 9).all()
        np.testing.assert_array_equal(images[:half].ravel(), labels[:half].ravel())


@pytest.mark.parametrize(
    ("words", "wrong", "epoch"),
    [
        (10, [9, 5, 2, 1, 0], 5),
        (10, [9, 0, 1, 2, 2], 3),  # a single word more is chance, two are not
        (10, [9, 3, 5, 6, 9], 3),
        (100, [50, 15, 18, 20], 3),
        (2, [2, 2, 2], 3),
        (1000, [400, 0, 1, 2, 3, 30], 3),
    ],
)
def test_the_latest_epoch_that_is_about_as_good_as_the_best_one_is_kept(
    words: int, wrong: list[int], epoch: int, tmp_path: Path
) -> None:
    best = BestWeights(tmp_path / "best.npz", words)
    best.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)]))
    for number, count in enumerate(wrong, 1):
        best.model.layers[0].kernel.assign([[number]])
        best.on_epoch_end(number - 1, {"val_wer": count / words})
    assert read_variables(tmp_path / "best.npz") == [[[epoch]]]
    assert best.best_epoch == epoch - 1


def test_a_checkpoint_without_the_number_of_wrong_words_is_restored(tmp_path: Path) -> None:
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    network.compile("sgd")
    network.optimizer.build(network.trainable_variables)
    state = {"history": [{"loss": 1.0}] * 3, "strength": 0.5, "best_epoch": 1, "callbacks": []}
    save_variables(tmp_path / "checkpoint.npz", [*network.variables, *network.optimizer.variables], state)
    best = BestWeights(tmp_path / "best.npz", words=10)
    checkpoint = Checkpoint(tmp_path / "checkpoint.npz", tmp_path / "history.csv", training_batches(1), best, [])
    assert checkpoint.restore(network) == 3
    assert best.best_epoch == 1


def test_augmentation_rises_within_a_tenth_of_the_epochs_once_the_network_reads() -> None:
    batches = training_batches(1)
    batches.label_length = 5.0
    ramp = AugmentationRamp(batches, epochs=40)
    strengths = []
    for epoch, loss in enumerate([20.0, 2.6, 2.4, 9.0, 9.0, 9.0, 9.0]):
        logs = {"loss": loss}
        ramp.on_epoch_end(epoch, logs)
        assert batches.epoch == epoch + 1
        strengths.append(logs["augmentation"])
    assert strengths == [0.0, 0.0, 0.0, 0.25, 0.5, 0.75, 1.0]
    assert batches.strength == 1.0


class TestArchitectures:
    @pytest.mark.parametrize("name", architecture_names())
    @pytest.mark.parametrize(("height", "width"), [(50, 200), (32, 96)])
    def test_take_raw_pixels_and_put_out_logits(self, name: str, height: int, width: int) -> None:
        architecture = get_architecture(name)
        model = architecture.build((height, width, architecture.channels), 20)
        images = np.random.default_rng(0).integers(0, 256, (2, height, width, architecture.channels), np.uint8)
        logits = keras.ops.convert_to_numpy(model(images))
        assert model.input.dtype == "uint8"
        assert logits.shape == (2, model.output_shape[1], 20)
        assert not np.allclose(logits.sum(axis=2), 1)

    @pytest.mark.parametrize("name", [name for name in architecture_names() if get_architecture(name).open_width])
    def test_of_any_width_put_out_a_step_per_four_columns(self, name: str) -> None:
        architecture = get_architecture(name)
        model = architecture.build((architecture.height, None, architecture.channels), 20)
        for width in (32, 200, 480):
            image = np.zeros((1, architecture.height, width, architecture.channels), np.uint8)
            assert model(image).shape == (1, width // 4, 20)

    def test_include_the_tutorials_with_the_same_number_of_weights(self) -> None:
        assert get_architecture("resnet_blstm").build((50, 200, 3), 20).count_params() == 469_492

    def test_that_do_not_exist_are_not_found(self) -> None:
        with pytest.raises(KeyError):
            get_architecture("..")


class TestTheDefaults:
    def test_follow_the_architecture(self) -> None:
        assert resolve_config(842, SIZE | {"init": "none"}).batch_size == 8
        tutorial = resolve_config(842, SIZE | {"architecture": "resnet_blstm"})
        assert (tutorial.channels, tutorial.batch_size, tutorial.schedule, tutorial.patience) == (3, 64, "plateau", 50)

    def test_start_from_shipped_weights_if_there_are_any(self) -> None:
        assert resolve_config(842, SIZE).init == "shipped"
        assert resolve_config(842, SIZE | {"architecture": None}).init == "shipped"
        assert resolve_config(842, SIZE | {"architecture": "resnet_blstm"}).init == "none"

    @pytest.mark.parametrize("init", ["shipped", "runs/captcha/202611231200"])
    def test_train_for_fewer_steps_from_pre_trained_weights(self, init: str) -> None:
        continued, fresh = (resolve_config(842, SIZE | {"init": start}) for start in (init, "none"))
        assert continued.epochs * continued.steps_per_epoch(842) < fresh.epochs * fresh.steps_per_epoch(842) / 2
        assert continued.learning_rate < fresh.learning_rate

    @pytest.mark.parametrize(("images", "epochs"), [(842, 151), (100, 600), (6_000, 40), (10_000, 25), (100_000, 12)])
    def test_give_few_images_more_epochs_than_many(self, images: int, epochs: int) -> None:
        assert resolve_config(images, SIZE | {"init": "none"}).epochs == epochs

    def test_draw_at_most_what_is_seen_and_fits_into_memory(self) -> None:
        few = SIZE | {"architecture": "residual_ctc"}
        assert resolve_config(300, few).drawn == 0
        assert resolve_config(100, few).drawn == 8_000
        assert resolve_config(100, few | {"epochs": 2, "passes": 3}).drawn == 600
        wide = resolve_config(100, few | {"width": 4_096})
        assert 0 < wide.drawn * 4_096 * 50 * 3 <= 2**29

    def test_are_overridden_by_options(self) -> None:
        assert resolve_config(842, SIZE | {"epochs": 3, "learning_rate": None}).epochs == 3
