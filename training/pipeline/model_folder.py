"""The model folder of a training: the model, its card, metrics and plots."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.inference.decoding.bidi import runs_right_to_left
from app.inference.decoding.ctc import CtcCodec
from app.inference.models.configs import ModelConfigs
from app.inference.models.model import MODEL_FILE
from app.inference.models.store import METRICS_FILE
from app.inference.reader import Reader
from app.shared.cpus import available_cpus
from app.shared.files import write_json
from training.data.dataset import read_image
from training.data.text_prior import as_configs, text_prior_of
from training.evaluation.evaluate import Evaluation, evaluate
from training.evaluation.pictures import draw_pictures
from training.evaluation.robustness import measure_robustness
from training.exporting.calibration import augmented_copies
from training.exporting.card import CURVES, quotable, write_card
from training.exporting.export import export_folder
from training.exporting.versions import package_versions
from training.fitting.callbacks import write_history
from training.fitting.fit import FitResult
from training.fitting.learning_curves import plot_learning_curves
from training.fitting.run import RunFolder, RunState
from training.networks import get_architecture
from training.pipeline.lexicon import lexicon_is_useful
from training.pipeline.run_data import RunData

CARD_FILE = "MODEL_CARD.md"
TYPICAL_IMAGES = 256


def write_model_folder(
    run: RunFolder, state: RunState, result: FitResult, data: RunData, reports: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """Write the model folder of a run, completely or not at all.

    Args:
        run: gets the grid of the worst readings.
        state: the run's state; its output is the folder to write.
        result: the result of the training.
        data: the run's images. Without training images, the validation images calibrate the quantization.
        reports: contents of crossval.json files, for the card.

    Returns:
        The content of metrics.json.

    Raises:
        ExportError: the exported model differs from the network; nothing was written.
        FileExistsError: the folder exists and is not from this run.
    """
    config, typical = state.config, data.train_images if data.train else data.validation_images
    known = data.train_images.labels
    codec = CtcCodec(state.vocab, prior=text_prior_of(known))
    lexicon = lexicon_is_useful(result.model, codec, data.validation_images)
    architecture = get_architecture(config.architecture)
    exported = export_folder(
        result.model,
        _configs(state, data, lexicon=lexicon),
        {"data_sha256": state.data_sha256, "architecture": config.architecture},
        augmented_copies(data.validation_images, config.seed),
        len(data.validation),
        Path(state.output),
        held_out_prior=text_prior_of(known, lexicon=lexicon),
        quantize_by=typical.images[:TYPICAL_IMAGES] if architecture.quantized else None,
        like=data.as_served(TYPICAL_IMAGES) if data.train and architecture.time_axis else None,
        replace=state.exported,
    )
    with exported as (folder, reader):
        pictures = [read_image(sample.path) for sample in data.validation]
        evaluation = evaluate(reader, data.validation, pictures)
        robustness = measure_robustness(reader, pictures, [sample.label for sample in data.validation])
        metrics = _metrics(state, result, data, evaluation, robustness, reader, (folder / MODEL_FILE).stat().st_size)
        metrics["crossval"] = [quotable(report) for report in reports]
        write_json(metrics, folder / METRICS_FILE)
        (folder / CARD_FILE).write_text(write_card(metrics), encoding="utf-8")
        plot_learning_curves(result.history, result.best_epoch, folder / CURVES)
        draw_pictures(evaluation.lines, folder, run.worst_readings)
        write_history(result.history, folder / run.history_csv.name)
        for file in (run.train_csv, run.val_csv) if data.train else ():
            shutil.copyfile(file, folder / file.name)
    return metrics


def _configs(state: RunState, data: RunData, *, lexicon: bool) -> ModelConfigs:
    config = state.config
    labels = [*data.train_images.labels, *data.validation_images.labels] if data.train else []
    return ModelConfigs(
        model_path=MODEL_FILE,
        vocab=state.vocab,
        height=config.height,
        width=config.width,
        max_text_length=max(len(sample.label) for sample in (*data.train, *data.validation)),
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        train_epochs=config.epochs,
        blank_index=len(state.vocab),
        channels=config.channels,
        time_axis=get_architecture(config.architecture).time_axis,
        direction="rtl" if runs_right_to_left(state.vocab) else None,
        keep_proportions=config.keep_proportions or None,
        **as_configs(text_prior_of(labels, lexicon=lexicon)),
    )


def _metrics(
    state: RunState,
    result: FitResult,
    data: RunData,
    evaluation: Evaluation,
    robustness: Sequence[dict[str, Any]],
    reader: Reader,
    model_bytes: int,
) -> dict[str, Any]:
    """Return the content of metrics.json, without cross-validations."""
    model, destination = reader.model, Path(state.output)
    return {
        "crossval": [],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": {
            "name": destination.absolute().parent.name,
            "version": destination.name,
            "architecture": state.config.architecture,
            "weights": result.model.count_params(),
            "bytes": model_bytes,
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
            "images": len(data.train) + len(data.validation),
            "train": len(data.train),
            "validation": len(data.validation),
            "sha256": state.data_sha256,
            "of_data_set": data.published,
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
        "robustness": robustness,
        "versions": package_versions(),
    }
