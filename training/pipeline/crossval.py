"""Cross-validation: every image is read by a model that has not seen it."""

import json
import multiprocessing
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.inference.decoding.boxes import Box
from app.inference.models.reading import Character
from app.inference.reader import Reader
from app.shared.cpus import available_cpus
from app.shared.files import write_json
from app.shared.places import runs
from app.shared.processes import interrupts_blocked
from training.data.dataset import DataError, Sample, data_checksum, split_samples, vocabulary_of
from training.evaluation.evaluate import Evaluation, Line, evaluate
from training.fitting.backend import start_worker
from training.fitting.config import TrainingConfig, configure
from training.fitting.run import RunError, RunFolder, RunState
from training.pipeline.run_data import RunData
from training.pipeline.train import run_training, start_run

READINGS = "readings.json"


@dataclass(frozen=True)
class Part:
    """One training of a cross-validation: its training images, and the images to read afterwards."""

    name: str
    known: list[Sample]
    unseen: list[Sample]
    seed: int


@dataclass(frozen=True)
class PartResult:
    """The result of a part: a line for each unseen image."""

    name: str
    known: int
    """Number of training images."""
    seconds: float
    lines: list[Line]

    @property
    def words_right(self) -> int:
        """Number of unseen images read without an error."""
        return sum(line.right for line in self.lines)


def fold_parts(samples: Sequence[Sample], folds: int, repeats: int) -> list[Part]:
    """Divide the samples at random into folds, each unseen once per repeat.

    Raises:
        DataError: a training would have fewer than three samples, or there are fewer than two folds.
    """
    if folds < 2 or len(samples) < folds + 2:
        raise DataError(f"{len(samples)} images cannot be divided into {folds} folds.")
    parts = []
    for repeat in range(repeats):
        for number, unseen in enumerate(np.array_split(np.random.default_rng(repeat).permutation(len(samples)), folds)):
            parts.append(_part(f"repeat-{repeat + 1}-fold-{number + 1:02}", samples, set(unseen.tolist()), repeat))
    return parts


def label_parts(samples: Sequence[Sample], labels: int, repeats: int) -> list[Part]:
    """Draw `labels` samples at random for training, once per repeat; all others are unseen.

    Raises:
        DataError: no samples would be unseen, or fewer than three would be drawn.
    """
    if not 3 <= labels < len(samples):
        raise DataError(f"{labels} labels cannot be drawn from {len(samples)} images: some must stay unseen.")
    parts = []
    for repeat in range(repeats):
        unseen = np.random.default_rng(repeat).permutation(len(samples))[labels:]
        parts.append(_part(f"labels-{labels}-draw-{repeat + 1:02}", samples, set(unseen.tolist()), repeat))
    return parts


def run_parts(
    parts: Sequence[Part], folder: Path, options: dict[str, Any], jobs: int
) -> Generator[PartResult, None, None]:
    """Train all parts and read their unseen images, in processes of this machine; reuse results in the folder.

    Args:
        parts: what to do.
        folder: gets a folder per part with its run, model and readings. Interrupted parts are resumed.
        options: options of the trainings, see `configure`; None is the default.
        jobs: number of trainings at the same time; they share the processors.

    Yields:
        The results as they finish. Closing the generator early stops running trainings. Raise like `stored_results`.
    """
    left = yield from stored_results(parts, folder, options)
    spawn = multiprocessing.get_context("spawn")
    threads = max(1, available_cpus() // jobs)
    with ProcessPoolExecutor(jobs, mp_context=spawn, initializer=start_worker, initargs=(threads,)) as pool:
        try:
            with interrupts_blocked():
                futures = [pool.submit(run_part, part, folder, options) for part in left]
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            # When the command is repeated, running parts resume from their last epoch.
            for worker in multiprocessing.active_children():
                worker.terminate()
            pool.shutdown(cancel_futures=True)
            raise


def stored_results(
    parts: Sequence[Part], folder: Path, options: dict[str, Any]
) -> Generator[PartResult, None, list[Part]]:
    """Yield the results that are already in the folder; return the parts that remain.

    Raises:
        RunError: a part was trained with other settings or images.
    """
    left = []
    for part in parts:
        run, file = RunFolder(folder / part.name / "run"), folder / part.name / READINGS
        if run.state_file.exists():
            *_, config = _division(part, options)
            _check_same(run, part, config)
        if file.exists():
            stored = json.loads(file.read_text(encoding="utf-8"))
            stored.pop("view_lines", None)  # of earlier versions
            yield PartResult(**stored | {"lines": list(map(_stored_line, stored["lines"]))})
        else:
            left.append(part)
    return left


def run_part(part: Part, folder: Path, options: dict[str, Any]) -> PartResult:
    """Train a part, resuming an interrupted attempt, and read its unseen images."""
    place = folder / part.name
    run, model = RunFolder(place / "run"), place / "model"
    data = None
    if not run.state_file.exists():
        train, validation, config = _division(part, options)
        data = RunData(train, validation, config).open_all()
        state = RunState(
            command=f"python -m training crossval, {part.name}",
            data=part.name,
            data_sha256=data.sha256,
            output=str(model),
            vocab=vocabulary_of([*part.known, *part.unseen]),  # the alphabet is assumed to be known
            config=config,
        )
        start_run(run, state, train, validation)
    if not run.read_state().finished:
        run_training(run, lambda _: None, data)
    lines = evaluate(Reader(model), part.unseen).lines
    result = PartResult(part.name, len(part.known), run.read_state().seconds, lines)
    write_json(asdict(result), place / READINGS)
    return result


def evaluation_of(results: Sequence[PartResult]) -> Evaluation:
    """Return the readings of all parts combined."""
    return Evaluation([line for result in results for line in result.lines], sum(result.seconds for result in results))


def default_folder(data: Path, samples: Sequence[Sample], options: dict[str, Any]) -> Path:
    """Return the default folder of this cross-validation; the same command finds it again."""
    given = [f"{key}-{Path(str(value)).name}" for key, value in options.items() if value is not None]
    return runs() / "crossval" / "-".join([data.stem, data_checksum(samples)[:8], *given])


def _part(name: str, samples: Sequence[Sample], unseen: set[int], seed: int) -> Part:
    return Part(
        name,
        known=[sample for index, sample in enumerate(samples) if index not in unseen],
        unseen=[sample for index, sample in enumerate(samples) if index in unseen],
        seed=seed,
    )


def _stored_line(stored: dict[str, Any]) -> Line:
    characters = stored.get("characters", ())  # absent in earlier versions
    boxed = [Character(character, confidence, box and Box(*box)) for character, confidence, box in characters]
    return Line(**stored | {"characters": tuple(boxed)})


def _division(part: Part, options: dict[str, Any]) -> tuple[list[Sample], list[Sample], TrainingConfig]:
    """Return a part's training samples, validation samples and configuration."""
    train, validation = split_samples(part.known, options.get("validation_fraction") or 0.1, part.seed)
    return train, validation, configure(train, options | {"seed": part.seed})


def _check_same(run: RunFolder, part: Part, config: TrainingConfig) -> None:
    state = run.read_state()
    if state.config != config or state.data_sha256 != data_checksum(part.known):
        raise RunError(f"{run.path} has a training with other settings or images: choose another --output.")
