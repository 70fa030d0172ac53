"""Pre-training: train the general model, and the initial weights of other trainings, on drawn pictures."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np

from app.inference.decoding.ctc import CtcCodec
from training.data.dataset import Sample, encode_labels, read_csv, write_csv
from training.drawing.scenes import draw_scene
from training.drawing.stream import CHUNK, EASY_IMAGES, WIDEST, DrawingPool, drawing_pool
from training.drawing.texts import ALPHABET
from training.drawing.typefaces import Typeface, by_family
from training.exporting.alphabet_prior import with_alphabet_prior
from training.fitting.batches import Batch
from training.fitting.callbacks import Logs
from training.fitting.config import NO_START, TrainingConfig, resolve_config
from training.fitting.fit import FitResult, fit, keeping_time, start_network
from training.fitting.network import build_network
from training.fitting.run import RunFolder, RunState
from training.fitting.start import load_start, save_start
from training.networks import get_architecture
from training.pipeline.model_folder import write_model_folder
from training.pipeline.run_data import RunData

VALIDATION_IMAGES = 1_000
EPOCH_CHUNKS = 50
EPOCH_IMAGES = EPOCH_CHUNKS * CHUNK
ARCHITECTURE = "residual_ctc"


def pretraining_state(
    command: str, images: int, typefaces: Sequence[Typeface], output: Path, init: str = NO_START
) -> RunState:
    """Return the settings of a pre-training; see `RunState`."""
    options = {
        "architecture": ARCHITECTURE,
        "width": WIDEST,
        "height": get_architecture(ARCHITECTURE).height,
        "keep_proportions": True,
        "epochs": max(1, round(images / EPOCH_IMAGES)),
        "batch_size": 32,
        "schedule": "trapezoid",
        "averaging": 0.999,
        "init": init,
    }
    families = by_family(typefaces)
    faces = sorted((Path(face.path).name, face.family) for face in typefaces)
    return RunState(
        command=command,
        data=f"pictures drawn in {len(typefaces)} typefaces of {len(families)} families",
        data_sha256=hashlib.sha256(json.dumps(faces).encode()).hexdigest(),
        output=str(output),
        vocab=ALPHABET,
        config=resolve_config(images, options),
    )


def pretrain(
    run: RunFolder, typefaces: Sequence[Typeface], processes: int, weights: Path, on_epoch: Callable[[Logs], None]
) -> FitResult:
    """Train on drawn pictures, resuming from a checkpoint, and write the model folder and the weights.

    Weights of a training with initial weights are averaged with these.

    Args:
        run: has the settings in its state.
        typefaces: typefaces to draw with.
        processes: number of drawing processes.
        weights: the file to write; see `training.fitting.start.save_start`.
        on_epoch: called with the logs of every epoch.

    Raises:
        KeyboardInterrupt: the training was interrupted; nothing was written, and another call resumes it.
        ExportError: the exported model differs from the network; nothing was written.
        FileExistsError: the model folder exists.
    """
    state = run.read_state()
    config, codec = state.config, CtcCodec(state.vocab)
    validation = _validation_samples(run, typefaces, config.seed + 1)
    after_epoch = keeping_time(run, on_epoch)
    with drawing_pool(
        typefaces, height=config.height, size=config.batch_size, seed=config.seed, processes=processes
    ) as drawing:
        # A pre-trained network needs no easy pictures.
        first = 0 if config.init == NO_START else EASY_IMAGES // CHUNK
        batches = DrawnBatches(drawing, codec, config.batch_size, first)
        data = RunData([], validation, config).open_all()
        network = start_network(config, codec, run)
        result = fit(network, config, run, batches, data.validation_images, codec, after_epoch)
    if result.interrupted:
        raise KeyboardInterrupt
    if config.init != NO_START:
        _average_with_start(result.model, config, codec)
    state = run.read_state()
    write_model_folder(run, state, replace(result, model=with_alphabet_prior(result.model, state.vocab)), data)
    save_start(weights, config.architecture, state.vocab, result.model)
    run.write_state(state.model_copy(update={"finished": True}))
    return result


def _average_with_start(model: keras.Model, config: TrainingConfig, codec: CtcCodec) -> None:
    """Average a network's weights with its initial ones, which reads unseen kinds of picture better than either.

    Wortsman et al., "Robust Fine-Tuning of Zero-Shot Models", 2022.
    """
    start = build_network(config, codec.classes)
    load_start(config.init, config.architecture, start, codec)
    for variable, initial in zip(model.weights, start.weights, strict=True):
        variable.assign((variable + initial) / 2)


class DrawnBatches:
    """Batches of pictures drawn anew for each epoch; see `training.fitting.batches.Batches`.

    Chunks of pictures are drawn in order, starting with the first.
    """

    def __init__(self, drawing: DrawingPool, codec: CtcCodec, size: int, first: int) -> None:
        self._drawing, self._codec, self._first = drawing, codec, first
        self.epoch = 0
        self.strength = 1.0
        self.steps = EPOCH_IMAGES // size
        self.label_length = 5.0

    def __call__(self) -> Iterator[Batch]:
        """Yield the batches of the epoch."""
        first = self._first + self.epoch * EPOCH_CHUNKS
        for images, labels in self._drawing.draw(range(first, first + EPOCH_CHUNKS)):
            yield images, encode_labels(labels, self._codec)


def _validation_samples(run: RunFolder, typefaces: Sequence[Typeface], seed: int) -> list[Sample]:
    """Return the drawn validation pictures in the run's folder; draw them when the run begins."""
    if not run.val_csv.exists():
        folder, families, rng = run.path / "validation", by_family(typefaces), np.random.default_rng(seed)
        folder.mkdir(exist_ok=True)
        samples: list[Sample] = []
        while len(samples) < VALIDATION_IMAGES:
            image, label = draw_scene(families, rng)
            path = folder / f"{len(samples):04}.png"
            if label:
                cv2.imwrite(str(path), image)
                samples.append(Sample(path, label))
        write_csv(samples, run.val_csv)
    return read_csv(run.val_csv)
