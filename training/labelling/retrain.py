"""Retraining on the labels so far, in a separate process."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from app.inference.models.folders import version_folders
from app.inference.models.model import MODEL_FILE, ModelError
from app.inference.models.store import METRICS_FILE
from app.shared.places import runs
from training.data.dataset import Sample, write_csv

MIN_LABELS = 20
"""With fewer labels, a network learns nothing useful for the other images."""
MIN_EPOCHS, MAX_EPOCHS, IMAGES = 40, 150, 16_000
"""A retraining sees about this many images, a tenth of what `train` does: it takes a minute and is nearly as good."""
QUICK = "conv_ctc"
"""The network that trains in a minute."""
NICENESS = 10

CHECKPOINTS, LOG_FILE = "checkpoints", "log.txt"

State = Literal["waiting", "training", "finished", "failed"]


class Retraining:
    """Background retraining after every `every` new labels, one training at a time.

    Each training is `python -m training train` on a copy of the labels, at low priority. It leaves a complete model or
    none; the files of an aborted training are removed.

    Attributes:
        state, message: of the current training, or of the last one.
        progress: of the current training, 0…1.
    """

    def __init__(
        self,
        folder: Path,
        every: int,
        samples: Callable[[], list[Sample]],
        on_model: Callable[[Path, str], None],
    ) -> None:
        """Prepare to retrain.

        Args:
            folder: destination of the models; `checkpoints` in it is for running trainings.
            every: number of new labels per training.
            samples: returns the labels so far.
            on_model: called in another thread with the folder and the name of each new model; may raise `ModelError`.
        """
        self._folder, self._samples, self._on_model = folder, samples, on_model
        self.every = every
        self.state: State = "waiting"
        self.message = ""
        self.progress = 0.0
        # There are fewer labels if some were removed since.
        self._trained_on = min(_labels_of(self.newest()), len(samples()))
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def newest(self) -> Path | None:
        """Return the folder of the newest model from an earlier training."""
        return next((path for path in version_folders(self._folder) if (path / MODEL_FILE).exists()), None)

    def labels_needed(self, labels: int) -> int:
        """Return how many more labels are needed for the next training."""
        return max(0, max(MIN_LABELS, self._trained_on + self.every) - labels)

    def start_if_due(self, labels: int) -> None:
        """Start a training if there are enough new labels and none is running."""
        if self.labels_needed(labels) == 0:
            self.start()

    def start(self) -> None:
        """Start a training now, unless one is running or there are too few labels."""
        samples = self._samples()
        with self._lock:
            if self._closed or self.state == "training" or len(samples) < MIN_LABELS:
                return
            self._trained_on = len(samples)
            self._report("training", f"Training on {len(samples)} labels: loading …")
            self._thread = threading.Thread(target=self._run, args=(samples,), name="retraining", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop a running training and remove its files."""
        with self._lock:
            self._closed = True
            if self._process is not None and self._process.poll() is None:
                _kill(self._process)
        if self._thread is not None:
            self._thread.join()

    def _report(self, state: State, message: str, progress: float = 0.0) -> None:
        self.state, self.message, self.progress = state, message, progress

    def _run(self, samples: Sequence[Sample]) -> None:
        version = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
        model, run = self._folder / version, self._folder / CHECKPOINTS / version
        try:
            status, complaint = self._train(samples, model, run)
            if status == 0 and not self._closed:
                self._on_model(model, model_name(model))
                self._report("finished", f"Trained on {len(samples)} labels: {_words_right(model)}.")
            else:
                self._fail(complaint or f"it exited with status {status}", run)
        except (OSError, ModelError) as error:
            self._fail(str(error), run)
        except Exception:
            self._fail("an internal error occurred; the terminal shows it", run)
            raise
        finally:
            if self._closed and self.state != "finished":
                for made in (run, model, *self._folder.glob(f".{version}.*")):
                    shutil.rmtree(made, ignore_errors=True)
        self.start_if_due(len(self._samples()))

    def _fail(self, complaint: str, run: Path) -> None:
        self._report("failed", f"The training failed: {complaint.rstrip('.')}. The log is {run / LOG_FILE}.")

    def _train(self, samples: Sequence[Sample], model: Path, run: Path) -> tuple[int, str]:
        """Train, and return the exit status and the first error."""
        run.mkdir(parents=True)
        labels = run / "labels.csv"
        write_csv(samples, labels)
        epochs = min(MAX_EPOCHS, max(MIN_EPOCHS, IMAGES // len(samples)))
        options = {"--data": labels, "--output": model, "--run-dir": run, "--epochs": epochs, "--architecture": QUICK}
        words = [str(word) for pair in options.items() for word in pair]
        command = [sys.executable, "-m", "training", "train", "--events", *words]
        with (run / LOG_FILE).open("w", encoding="utf-8") as log, self._lock:
            if self._closed:
                return 1, ""
            # In a session of its own, so that Ctrl-C does not reach it directly.
            self._process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                start_new_session=True,
            )
        _be_nice(self._process)
        errors = []
        with self._process as process:
            for event in map(json.loads, process.stdout or ()):
                if event["event"] == "error":
                    errors.append(event["message"])
                else:
                    done, of = int(event["epoch"]), event["epochs"]
                    self._report("training", f"Training on {len(samples)} labels: epoch {done} of {of}", done / of)
        return process.returncode, next(iter(errors), "")


def models_folder(images: Path) -> Path:
    """Return the folder for models trained on the labels of a folder of images."""
    return runs() / "labelling" / f"{images.name}-{hashlib.sha256(os.fsencode(images)).hexdigest()[:8]}"


def model_name(model: Path) -> str:
    """Return the displayed name of a model made here."""
    return f"model of {_labels_of(model)} labels"


def _be_nice(process: subprocess.Popen[str]) -> None:
    """Give the page and other programs priority."""
    if hasattr(os, "setpriority"):
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill a training at once: on other signals it would first export its best weights."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _metrics(model: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((model / METRICS_FILE).read_text(encoding="utf-8"))
    return metrics


def _labels_of(model: Path | None) -> int:
    """Return how many labels a model was trained on."""
    return 0 if model is None else int(_metrics(model)["data"]["images"])


def _words_right(model: Path) -> str:
    validation = _metrics(model)["validation"]
    return f"{validation['words_right']} of {validation['images']} held-out images read right"
