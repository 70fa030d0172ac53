"""A training from the data to the model folder."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from app.inference.decoding.bidi import runs_right_to_left
from app.inference.decoding.ctc import CtcCodec
from app.inference.models.configs import ModelConfigs
from app.inference.models.model import MODEL_FILE, ImageToTextModel
from app.inference.models.store import METRICS_FILE
from app.shared.cpus import available_cpus
from training.data.dataset import (
    LabelledImages,
    Sample,
    data_checksum,
    fit_images,
    load_images,
    read_csv,
    write_csv,
)
from training.data.download import CHECKSUMS
from training.drawing.alphabet import draw_like
from training.evaluation.evaluate import Evaluation, evaluate
from training.evaluation.pictures import draw_pictures
from training.evaluation.robustness import measure_robustness
from training.exporting.calibration import augmented_copies
from training.exporting.card import CURVES, quotable, write_card
from training.exporting.export import VERSIONED, check_free, export_folder
from training.fitting.batches import TrainingBatches
from training.fitting.callbacks import Logs, write_history
from training.fitting.config import TrainingConfig, resolve_config
from training.fitting.fit import FitResult, best_of, build_network, fit
from training.fitting.learning_curves import plot_learning_curves
from training.fitting.run import RunError, RunFolder, RunState
from training.networks import get_architecture
from training.pipeline.pseudo_labels import load_unlabelled, pseudo_label

CARD_FILE = "MODEL_CARD.md"
TYPICAL_IMAGES = 256
ROUNDS = 2
"""Trainings with unlabelled pictures, each taught by the one before."""


@dataclass(frozen=True)
class TrainResult:
    """What a training came to; `metrics` is the content of metrics.json."""

    metrics: dict[str, Any]
    interrupted: bool


def start_run(run: RunFolder, state: RunState, train: Sequence[Sample], validation: Sequence[Sample]) -> None:
    """Make the folder of a new run.

    Raises:
        RunError: there is one already.
    """
    if run.state_file.exists():
        raise RunError(f"{run.path} holds a run already: continue it with --resume, or name another with --run-dir.")
    run.path.mkdir(parents=True, exist_ok=True)
    write_csv(train, run.train_csv)
    write_csv(validation, run.val_csv)
    run.write_state(state)


def run_training(run: RunFolder, on_epoch: Callable[[Logs], None]) -> TrainResult:
    """Train a run to its end, from its start or from its checkpoint, and write the model folder.

    Raises:
        KeyboardInterrupt: interrupted before the first epoch was done; nothing was written.
        RunError: the run is finished, or its images changed since it was started.
        ExportError: the exported model does not do what the network does; nothing was written.
        FileExistsError: where the model folder is to be is something that this run has not written.
    """
    state = run.read_state()
    if state.finished:
        raise RunError(f"{run.path} is finished: there is nothing to resume.")
    train, validation = _samples(run, state)
    codec = CtcCodec(state.vocab)
    started = time.monotonic()

    def after_epoch(logs: Logs) -> None:
        # Written now, so that a killed training has not forgotten the time it took.
        run.write_state(state.model_copy(update={"seconds": state.seconds + time.monotonic() - started}))
        on_epoch(logs)

    images, held_back = images_of(state.config, train), images_of(state.config, validation)
    batches = TrainingBatches(state.config, images, codec, _drawn_like(state.config, images.labels))
    result = fit(state.config, run, batches, held_back, codec, after_epoch)
    if state.unlabelled and not result.interrupted:
        unlabelled = load_unlabelled(Path(state.unlabelled), _input(state.config))
        result = _learn_from_unlabelled(run, result, images, held_back, unlabelled, after_epoch)
    state = run.read_state()
    if not state.exported:
        # Said before it is true, so that a run that is killed as soon as its model has its name can replace it.
        check_free(Path(state.output))
        state = state.model_copy(update={"exported": True})
        run.write_state(state)
    metrics = _export(run, state, result, train, validation)
    run.write_state(state.model_copy(update={"finished": not result.interrupted}))
    return TrainResult(metrics, result.interrupted)


def export_run(run: RunFolder, destination: Path, reports: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Write a model folder from the best weights of a run, finished or not.

    Args:
        run: the run.
        destination: the folder to make.
        reports: contents of crossval.json, for the card to quote.

    Returns:
        The content of metrics.json.

    Raises:
        RunError: the run has no weights yet, or its images changed.
        ExportError: the exported model does not do what the network does; nothing was written.
        FileExistsError: the destination exists.
    """
    state = run.read_state().model_copy(update={"output": str(destination), "exported": False})
    if not run.checkpoint.exists():
        raise RunError(f"{run.path} has no weights yet: not one epoch is done.")
    train, validation = _samples(run, state)
    network = build_network(state.config, CtcCodec(state.vocab).classes)
    result = best_of(run, network, interrupted=not state.finished)
    return _export(run, state, result, train, validation, reports)


def _samples(run: RunFolder, state: RunState) -> tuple[list[Sample], list[Sample]]:
    train, validation = read_csv(run.train_csv), read_csv(run.val_csv)
    if data_checksum([*train, *validation]) != state.data_sha256:
        raise RunError(f"The images or labels of {state.data} have changed since the run was started.")
    return train, validation


def images_of(config: TrainingConfig, samples: Sequence[Sample]) -> LabelledImages:
    """Return images as the network of a training takes them."""
    return load_images(samples, **_input(config))


def _learn_from_unlabelled(
    run: RunFolder,
    teacher: FitResult,
    train: LabelledImages,
    validation: LabelledImages,
    unlabelled: LabelledImages,
    on_epoch: Callable[[Logs], None],
) -> FitResult:
    """Train again on the labelled images and on what the network before reads in the others, as often as it helps.

    Returns:
        What reads the held-back images best; of equals the last.
    """
    state, before = run.read_state(), run
    codec = CtcCodec(state.vocab)
    for number in range(1, ROUNDS + 1):
        labelled = pseudo_label(teacher.model, codec, unlabelled, train.labels)
        together = _together(train, labelled)
        config = resolve_config(len(together.labels), _continued(state.config, before))
        config = config.model_copy(update={"epochs": min(config.epochs, state.config.epochs)})
        student_run = run.round(number)
        student_run.path.mkdir(exist_ok=True)
        student_run.write_state(state.model_copy(update={"config": config}))
        batches = TrainingBatches(config, together, codec, _drawn_like(config, train.labels))
        try:
            student = fit(config, student_run, batches, validation, codec, on_epoch)
        except KeyboardInterrupt:
            return replace(teacher, interrupted=True)
        words, words_before = (round((1 - one.best["val_wer"]) * len(validation.labels)) for one in (student, teacher))
        said = (
            f"round {number}: {len(labelled.labels)} of {len(unlabelled.labels)} unlabelled pictures learnt from; "
            f"held-back words right: {words_before} before, {words} after, of {len(validation.labels)}"
        )
        run.write_state(run.read_state().model_copy(update={"gained": said}))
        if words < words_before:
            return replace(teacher, interrupted=student.interrupted)
        teacher, before = student, student_run
        if student.interrupted:
            break
    return teacher


def _continued(config: TrainingConfig, before: RunFolder) -> dict[str, Any]:
    """Return the options of a training that goes on from a run's best weights."""
    kept = {"architecture", "width", "height", "keep_proportions", "channels", "seed", "validation_fraction"}
    return config.model_dump(include=kept) | {"init": str(before.path)}


def _together(train: LabelledImages, labelled: LabelledImages) -> LabelledImages:
    """Return both, the surely labelled images as often as makes them a third of all."""
    times = max(1, round(len(labelled.labels) / (2 * len(train.labels))))
    images = np.concatenate([np.tile(train.images, (times, 1, 1, 1)), labelled.images])
    return LabelledImages(images, train.labels * times + labelled.labels)


def _drawn_like(config: TrainingConfig, labels: Sequence[str]) -> LabelledImages | None:
    """Return pictures of the labels' alphabet, if the training is to see any and they can be drawn."""
    pictures = draw_like(labels, config.drawn, config.seed) if config.drawn else []
    return fit_images(pictures, len(pictures), **_input(config)) if pictures else None


def _input(config: TrainingConfig) -> dict[str, Any]:
    return config.model_dump(include={"width", "height", "channels", "keep_proportions"})


def _export(
    run: RunFolder,
    state: RunState,
    result: FitResult,
    train: Sequence[Sample],
    validation: Sequence[Sample],
    reports: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    destination, architecture = Path(state.output), get_architecture(state.config.architecture)
    metrics: dict[str, Any] = {}

    def add_files(folder: Path) -> None:
        evaluation = evaluate(folder, validation)
        metrics.update(metrics_of(state, result, train, validation, evaluation, folder, destination))
        metrics["crossval"] = [quotable(report) for report in reports]
        (folder / METRICS_FILE).write_text(json.dumps(metrics, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (folder / CARD_FILE).write_text(write_card(metrics), encoding="utf-8")
        plot_learning_curves(result.history, result.best_epoch, folder / CURVES)
        draw_pictures([(line, folder) for line in evaluation.lines], folder, run.worst_readings)
        write_history(result.history, folder / run.history_csv.name)
        for file in (run.train_csv, run.val_csv):
            shutil.copyfile(file, folder / file.name)

    export_folder(
        result.model,
        configs_of(state, [*train, *validation]),
        {"data_sha256": state.data_sha256, "architecture": state.config.architecture},
        augmented_copies(images_of(state.config, validation), state.config.seed),
        destination,
        quantize_by=images_of(state.config, train[:TYPICAL_IMAGES]).images if architecture.quantized else None,
        replace=state.exported,
        add_files=add_files,
    )
    return metrics


def configs_of(state: RunState, samples: Sequence[Sample]) -> ModelConfigs:
    """Return what becomes `configs.yaml`, from a run and all of its images."""
    config = state.config
    return ModelConfigs(
        model_path=MODEL_FILE,
        vocab=state.vocab,
        height=config.height,
        width=config.width,
        max_text_length=max(len(sample.label) for sample in samples),
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        train_epochs=config.epochs,
        blank_index=len(state.vocab),
        channels=config.channels,
        time_axis=get_architecture(config.architecture).time_axis,
        direction="rtl" if runs_right_to_left(state.vocab) else None,
        keep_proportions=config.keep_proportions or None,
    )


def metrics_of(
    state: RunState,
    result: FitResult,
    train: Sequence[Sample],
    validation: Sequence[Sample],
    evaluation: Evaluation,
    folder: Path,
    destination: Path,
) -> dict[str, Any]:
    """Return the content of metrics.json, but for cross-validations."""
    model = ImageToTextModel(folder)
    return {
        "crossval": [],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": {
            "name": destination.absolute().parent.name,
            "version": destination.name,
            "architecture": state.config.architecture,
            "weights": result.model.count_params(),
            "bytes": (folder / MODEL_FILE).stat().st_size,
            "sha256": model.sha256,
            "vocab": state.vocab,
            "width": model.width,
            "height": model.height,
            "channels": model.channels,
            "steps": model.steps,
            "precision": model.session.get_modelmeta().custom_metadata_map.get("precision", "float32"),
        },
        "data": {
            "source": state.data,
            "images": len(train) + len(validation),
            "train": len(train),
            "validation": len(validation),
            "sha256": state.data_sha256,
            "of_data_set": _of_data_set([*train, *validation]),
        },
        "training": {
            "command": state.command,
            "epochs": len(result.history),
            "best_epoch": result.best_epoch,
            "seconds": round(state.seconds, 1),
            "cpus": available_cpus(),
            "interrupted": result.interrupted,
            "config": state.config.model_dump(),
        },
        "validation": evaluation.as_json(),
        "robustness": [asdict(row) for row in measure_robustness(folder, validation)],
        "versions": {package: version(package) for package in VERSIONED},
    }


def _of_data_set(samples: Sequence[Sample]) -> dict[str, Any] | None:
    """How many of the images are the tutorial's, told by their checksums; None if none is."""
    published = {line.split()[0] for line in CHECKSUMS.read_text(encoding="utf-8").splitlines()}
    images = sum(hashlib.sha256(sample.path.read_bytes()).hexdigest() in published for sample in samples)
    return {"name": CHECKSUMS.stem, "size": len(published), "images": images} if images else None
