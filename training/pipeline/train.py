"""Training from the data to the model folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from app.inference.decoding.ctc import CtcCodec
from app.shared.files import write_json
from training.data.alphabet import unseen_characters
from training.data.dataset import LabelledImages, Sample, fit_images, read_csv, write_csv
from training.data.text_prior import text_prior_of
from training.drawing.alphabet import draw_like
from training.exporting.export import check_free
from training.fitting.balance import balance
from training.fitting.batches import TrainingBatches
from training.fitting.callbacks import Logs, about_as_good
from training.fitting.config import TrainingConfig, resolve_config
from training.fitting.fit import FitResult, best_of, fit, keeping_time, start_network
from training.fitting.network import build_network
from training.fitting.run import RunError, RunFolder, RunState
from training.pipeline.lexicon import lexicon_is_useful
from training.pipeline.model_folder import write_model_folder
from training.pipeline.pseudo_labels import load_unlabelled, pseudo_label
from training.pipeline.run_data import RunData

MAX_ROUNDS = 5
"""Maximum number of trainings with unlabelled images; each uses pseudo-labels of the one before."""
ROUND = 0.5
"""Epochs of a round, as a fraction of the first training's."""
MORE = 1.05
"""Minimum growth factor of the number of pseudo-labels for another round."""


def start_run(run: RunFolder, state: RunState, train: Sequence[Sample], validation: Sequence[Sample]) -> None:
    """Create the folder of a new run; raise `RunError` if it already exists."""
    if run.state_file.exists():
        raise RunError(f"{run.path} already holds a run: continue it with --resume, or choose another --run-dir.")
    run.path.mkdir(parents=True, exist_ok=True)
    write_csv(train, run.train_csv)
    write_csv(validation, run.val_csv)
    run.write_state(state)


def run_training(
    run: RunFolder,
    on_epoch: Callable[[Logs], None],
    data: RunData | None = None,
    network: keras.Model | None = None,
    helper_threads: int | None = None,
) -> dict[str, Any]:
    """Train a run from its start or checkpoint to the end, and write the model folder.

    Args:
        run: the run.
        on_epoch: called with the logs of every epoch.
        data: images of the run, if already loaded.
        network: network to train, if already built; see `start_network`.
        helper_threads: threads of a second process, see `fit`.

    Returns:
        The content of metrics.json.

    Raises:
        KeyboardInterrupt: interrupted before the end of the first epoch; nothing was written.
        RunError: the run is finished, or its images have changed.
        StartError: the starting weights are unusable.
        HelperError: the second process has died.
        ExportError: the exported model differs from the network; nothing was written.
        FileExistsError: the output path exists and was not written by this run.
    """
    state = run.read_state()
    if state.finished:
        raise RunError(f"{run.path} is finished; there is nothing to resume.")
    config = state.config
    data = data or _open_data(run, state)
    images, validation = data.train_images, data.validation_images
    codec = CtcCodec(state.vocab, prior=text_prior_of(images.labels))
    network = network or start_network(config, codec, run)
    after_epoch = keeping_time(run, on_epoch)
    drawn = _drawn_like(config, images.labels, _unseen(state.vocab, [*images.labels, *validation.labels]))
    batches = TrainingBatches(config, images, codec, drawn)
    result = fit(network, config, run, batches, validation, codec, after_epoch, helper_threads)
    balance(result.model, codec, images.labels)
    if state.unlabelled and not result.interrupted:
        unlabelled = load_unlabelled(Path(state.unlabelled), config.input_size)
        result = _learn_from_unlabelled(run, result, images, validation, unlabelled, after_epoch, helper_threads)
    state = run.read_state()
    if not state.exported:
        # Recorded in advance, so that a run killed right after the export may replace its own model.
        check_free(Path(state.output))
        state = state.model_copy(update={"exported": True})
        run.write_state(state)
    metrics = write_model_folder(run, state, result, data)
    run.write_state(state.model_copy(update={"finished": not result.interrupted}))
    return metrics


def export_run(run: RunFolder, destination: Path, reports: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Write a model folder from the best weights of a finished or unfinished run.

    Args:
        run: the run.
        destination: the folder to create.
        reports: contents of crossval.json files, for the model card.

    Returns:
        The content of metrics.json.

    Raises:
        RunError: the run has no weights yet, or its images have changed.
        ExportError: the exported model differs from the network; nothing was written.
        FileExistsError: the destination exists.
    """
    state = run.read_state().model_copy(update={"output": str(destination), "exported": False})
    if not run.checkpoint.exists():
        raise RunError(f"{run.path} has no weights yet: its first epoch is not finished.")
    data, best = _open_data(run, state), run.best()
    network = build_network(state.config, CtcCodec(state.vocab).classes)
    result = best_of(best, network, interrupted=not state.finished)
    balance(network, CtcCodec(state.vocab), best.read_labels() or data.train_images.labels)
    return write_model_folder(run, state, result, data, reports)


def _open_data(run: RunFolder, state: RunState) -> RunData:
    data = RunData(read_csv(run.train_csv), read_csv(run.val_csv), state.config).open_all()
    if data.sha256 != state.data_sha256:
        raise RunError(f"The images or labels of {state.data} have changed since the start of the run.")
    return data


def _learn_from_unlabelled(
    run: RunFolder,
    teacher: FitResult,
    train: LabelledImages,
    validation: LabelledImages,
    unlabelled: LabelledImages,
    on_epoch: Callable[[Logs], None],
    helper_threads: int | None,
) -> FitResult:
    """Train again on the labelled images and pseudo-labelled others, while that helps.

    Returns:
        The latest result that reads about as many validation words right as the best one.
    """
    state, before = run.read_state(), run
    codec = CtcCodec(state.vocab, prior=text_prior_of(train.labels))
    lexicon = lexicon_is_useful(teacher.model, codec, validation)
    # Validation labels are compared only with their own images' readings, so this prior may include them.
    full_codec = CtcCodec(state.vocab, prior=text_prior_of([*train.labels, *validation.labels], lexicon=lexicon))
    pseudo = pseudo_label(teacher.model, full_codec, unlabelled, train.labels)
    words = fewest_wrong = len(validation.labels)
    for number in range(1, MAX_ROUNDS + 1):
        together = _together(train, pseudo)
        config = resolve_config(len(together.labels), _continued(state.config, before))
        epochs = max(1, round(ROUND * min(config.epochs, state.config.epochs)))
        config = config.model_copy(update={"epochs": epochs})
        student_run = run.round(number)
        student_run.path.mkdir(exist_ok=True)
        student_run.write_state(state.model_copy(update={"config": config}))
        write_json(together.labels, student_run.labels_file)
        batches = TrainingBatches(config, together, codec)
        try:
            network = start_network(config, codec, student_run)
            student = fit(network, config, student_run, batches, validation, codec, on_epoch, helper_threads)
            balance(student.model, codec, [*train.labels, *pseudo.labels])
        except KeyboardInterrupt:
            return replace(teacher, interrupted=True)
        wrong, wrong_before = (round(one.best["val_wer"] * words) for one in (student, teacher))
        summary = (
            f"round {number}: {len(pseudo.labels)} of {len(unlabelled.labels)} unlabelled images used; "
            f"validation words right: {words - wrong_before} before, {words - wrong} after, of {words}"
        )
        run.write_state(run.read_state().model_copy(update={"gained": summary}))
        fewest_wrong = min(fewest_wrong, wrong_before)
        if not about_as_good(wrong, fewest_wrong):
            return replace(teacher, interrupted=student.interrupted)
        teacher, before = student, student_run
        run.write_state(run.read_state().model_copy(update={"best_round": number}))
        if student.interrupted:
            break
        used = len(pseudo.labels)
        pseudo = pseudo_label(teacher.model, full_codec, unlabelled, train.labels)
        if len(pseudo.labels) <= MORE * used:
            break
    return teacher


def _continued(config: TrainingConfig, before: RunFolder) -> dict[str, Any]:
    """Return the options of a training that continues from a run's best weights, without drawn images."""
    kept = {"architecture", "width", "height", "keep_proportions", "channels", "seed", "validation_fraction"}
    return config.model_dump(include=kept) | {"init": str(before.path), "drawn": 0}


def _together(train: LabelledImages, pseudo: LabelledImages) -> LabelledImages:
    """Return training and pseudo-labelled images, the former repeated until they are about a third."""
    times = max(1, round(len(pseudo.labels) / (2 * len(train.labels))))
    images = np.concatenate([np.tile(train.images, (times, 1, 1, 1)), pseudo.images])
    return LabelledImages(images, train.labels * times + pseudo.labels)


def _unseen(vocab: str, labels: Sequence[str]) -> dict[str, float]:
    """Return the characters that the labels lack, as far as the run reads them, and their expected frequency."""
    return {character: count for character, count in unseen_characters(labels).items() if character in vocab}


def _drawn_like(config: TrainingConfig, labels: Sequence[str], unseen: Mapping[str, float]) -> LabelledImages | None:
    """Return drawn images of texts like the labels; None if the training uses none or no typeface has the alphabet."""
    pictures = draw_like(labels, unseen, config.drawn, config.seed) if config.drawn else []
    return fit_images(pictures, len(pictures), config.input_size) if pictures else None
