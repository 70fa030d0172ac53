"""A training from labelled images to a model folder: complete, resumable, never partly written."""

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest

from app.inference.models.configs import read_configs
from app.inference.models.drift import reference_counts
from app.inference.models.model import ImageToTextModel
from tests.training.conftest import InterruptedWhenDestroyed, run_eagerly
from training.data.dataset import read_image
from training.data.layouts import read_samples
from training.fitting.callbacks import Logs
from training.fitting.checkpoints import save_variables
from training.fitting.fit import FitResult
from training.fitting.run import RunError, RunFolder, RunState, newest_unfinished
from training.pipeline.train import export_run, run_training, start_run

PrepareRun = Callable[..., RunFolder]
SMALL = {"images": 60, "width": 96, "height": 32, "batch_size": 16}


def interrupt_after(epoch: int) -> Callable[[Logs], None]:
    """Press Ctrl-C after an epoch, where Python would ignore a KeyboardInterrupt."""

    def on_epoch(logs: Logs) -> None:
        if logs["epoch"] == epoch:
            InterruptedWhenDestroyed()

    return on_epoch


@contextmanager
def interrupted_checkpoint(run: RunFolder, epoch: int) -> Iterator[None]:
    """Interrupt a run while it writes the checkpoint of an epoch."""

    def save(path: Path, variables: Any, state: Any = None) -> None:
        if path == run.checkpoint and len(state["history"]) == epoch:
            raise KeyboardInterrupt
        save_variables(path, variables, state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.fitting.callbacks.save_variables", save)
        yield


def ignore(logs: Logs) -> None:
    pass


class TestAFinishedTraining:
    def test_leaves_one_folder_with_everything_in_it(self, trained_model: Path) -> None:
        assert {path.name for path in trained_model.iterdir()} == {
            "model.onnx",
            "configs.yaml",
            "MODEL_CARD.md",
            "metrics.json",
            "learning_curves.png",
            "confusions.png",
            "reliability.png",
            "history.csv",
            "train.csv",
            "val.csv",
            "golden.png",
            "golden.txt",
            "SHA256SUMS",
        }
        assert [path.name for path in trained_model.parent.iterdir()] == [trained_model.name]

    def test_reads_unseen_images(self, trained_model: Path) -> None:
        metrics = json.loads((trained_model / "metrics.json").read_text())
        assert metrics["validation"]["images"] == 30
        assert metrics["validation"]["words_right"] >= 25

    def test_divides_the_images_ninety_to_ten(self, trained_model: Path, drawn_digits: Path) -> None:
        train = read_samples(trained_model / "train.csv")
        validation = read_samples(trained_model / "val.csv")
        assert (len(train), len(validation)) == (270, 30)
        assert sorted(train + validation) == read_samples(drawn_digits)

    def test_writes_a_line_per_epoch(self, trained_run: RunFolder, trained_model: Path) -> None:
        for path in (trained_run.history_csv, trained_model / "history.csv"):
            with path.open(newline="") as file:
                rows = list(csv.DictReader(file))
            assert [float(row["epoch"]) for row in rows] == [1, 2, 3]
            assert {"loss", "val_loss", "val_cer", "val_wer", "learning_rate"} <= rows[0].keys()
            assert all(float(row["val_loss"]) < 0.1 for row in rows)  # the shipped weights know digits

    def test_keeps_event_files_for_tensorboard(self, trained_run: RunFolder) -> None:
        assert list(trained_run.tensorboard.rglob("events.out.tfevents.*"))

    def test_stores_metadata_in_the_graph(self, trained_run: RunFolder, trained_model: Path) -> None:
        model = onnx.load(trained_model / "model.onnx")
        properties = {item.key: item.value for item in model.metadata_props}
        assert properties["vocab"] == "0123456789"
        assert properties["blank_index"] == "10"
        assert (properties["width"], properties["height"], properties["channels"]) == ("200", "50", "1")
        assert properties["data_sha256"] == trained_run.read_state().data_sha256
        assert properties["keras_version"]
        (image,), (output,) = model.graph.input, model.graph.output
        assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
        assert [dim.dim_param or dim.dim_value for dim in image.type.tensor_type.shape.dim] == ["batch", 50, 200, 1]
        assert [dim.dim_param or dim.dim_value for dim in output.type.tensor_type.shape.dim] == ["batch", 50, 11]

    def test_describes_its_training_and_limits_in_the_card(self, trained_model: Path) -> None:
        card = (trained_model / "MODEL_CARD.md").read_text()
        metrics = json.loads((trained_model / "metrics.json").read_text())
        assert f"**{metrics['validation']['words_right']} of 30**" in card
        assert metrics["data"]["sha256"] in card
        assert "| confidences | " in card
        assert "270 for training" in card
        assert "not to get past" in card

    def test_keeps_the_confidences_of_the_validation_words(self, trained_model: Path) -> None:
        counts = reference_counts(json.loads((trained_model / "metrics.json").read_text()))
        assert counts is not None
        assert sum(counts) == 30

    def test_links_its_pictures_in_the_card(self, trained_model: Path) -> None:
        card = (trained_model / "MODEL_CARD.md").read_text()
        linked = re.findall(r"!\[.+\]\((.+)\)", card)
        assert sorted(["golden.png", *linked]) == sorted(path.name for path in trained_model.glob("*.png"))
        for name in linked:
            assert cv2.imread(str(trained_model / name)) is not None

    def test_keeps_plots_with_images_of_the_data_in_the_run(self, trained_run: RunFolder) -> None:
        assert cv2.imread(str(trained_run.worst_readings)) is not None

    def test_gives_characters_boxes(self, trained_model: Path) -> None:
        assert read_configs(trained_model).time_axis == "width"
        model = ImageToTextModel(trained_model)
        sample = next(s for s in read_samples(trained_model / "train.csv") if s.label[0] != s.label[1])
        (reading,) = model.predict([read_image(sample.path)])
        assert all(character.box is not None for character in reading.characters)

    def test_is_finished_and_cannot_be_resumed(self, trained_run: RunFolder) -> None:
        assert trained_run.read_state().finished
        with pytest.raises(RunError, match="no interrupted run"):
            newest_unfinished(trained_run.path.parent.parent, trained_run.path.parent.name)


@dataclass(frozen=True)
class Parted:
    """A training of four epochs that was interrupted in the third checkpoint and resumed, and its state in between."""

    run: RunFolder
    interrupted: bool
    epochs: int
    exported_epochs: int
    seconds: float
    card: str
    newest_unfinished: RunFolder


@pytest.fixture(scope="module")
def parted(prepare_run: PrepareRun, tmp_path_factory: pytest.TempPathFactory) -> Parted:
    run = prepare_run(tmp_path_factory.mktemp("parted"), epochs=4, **SMALL)
    with interrupted_checkpoint(run, 3):
        training = run_training(run, ignore)["training"]
    state = run.read_state()
    card = (Path(state.output) / "MODEL_CARD.md").read_text()
    unfinished = newest_unfinished(run.path.parent.parent, run.path.parent.name)
    between = training["interrupted"], run.epochs_done(), training["epochs"], state.seconds, card, unfinished
    assert not run_training(run, ignore)["training"]["interrupted"]
    return Parted(run, *between)


class TestAnInterruptedTraining:
    def test_keeps_its_progress(self, parted: Parted) -> None:
        assert parted.interrupted
        assert parted.epochs == parted.exported_epochs == 2
        assert parted.seconds > 0
        assert parted.newest_unfinished.path == parted.run.path

    def test_resumes_with_the_same_results_as_without_interruption(
        self, parted: Parted, prepare_run: PrepareRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("training.pipeline.train.write_model_folder", lambda *_: {})
        assert parted.run.read_state().seconds > parted.seconds
        whole = prepare_run(tmp_path, epochs=4, **SMALL)
        run_training(whole, ignore)
        with np.load(whole.checkpoint) as one, np.load(parted.run.checkpoint) as two:
            assert one.files == two.files
            for name in set(one.files) - {"state"}:
                np.testing.assert_allclose(one[name], two[name], rtol=1e-4, atol=1e-5, err_msg=name)
        assert whole.history_csv.read_text().splitlines()[0] == parted.run.history_csv.read_text().splitlines()[0]
        assert parted.run.epochs_done() == 4

    def test_exports_its_best_weights_and_replaces_them_when_resumed(self, parted: Parted) -> None:
        output = Path(parted.run.read_state().output)
        assert "interrupted" in parted.card
        assert "interrupted" not in (output / "MODEL_CARD.md").read_text()
        assert json.loads((output / "metrics.json").read_text())["training"]["epochs"] == 4
        assert [path.name for path in output.parent.iterdir()] == [output.name]

    def test_during_its_first_checkpoint_writes_nothing(
        self, prepare_run: PrepareRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run_eagerly(monkeypatch)
        run = prepare_run(tmp_path, epochs=2, **SMALL)
        with interrupted_checkpoint(run, 1), pytest.raises(KeyboardInterrupt):
            run_training(run, ignore)
        assert run.epochs_done() == 0
        assert not Path(run.read_state().output).exists()

    def test_may_replace_its_own_model(
        self, prepare_run: PrepareRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = prepare_run(tmp_path, **SMALL)
        output = Path(run.read_state().output)
        may_replace = []

        def killed_once_written(run: RunFolder, state: RunState, *_: object) -> dict[str, Any]:
            may_replace.append(state.exported)
            output.mkdir(parents=True, exist_ok=True)
            raise SystemExit

        monkeypatch.setattr(
            "training.pipeline.train.fit", lambda network, *_: FitResult(network, [], 1, interrupted=False)
        )
        monkeypatch.setattr("training.pipeline.train.write_model_folder", killed_once_written)
        for _ in range(2):
            with pytest.raises(SystemExit):
                run_training(run, ignore)
        assert may_replace == [True, True]

    def test_does_not_replace_the_model_of_another_run(
        self, prepare_run: PrepareRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = prepare_run(tmp_path, **SMALL)
        monkeypatch.setattr(
            "training.pipeline.train.fit", lambda network, *_: FitResult(network, [], 1, interrupted=False)
        )
        Path(run.read_state().output).mkdir(parents=True)
        for _ in range(2):
            with pytest.raises(FileExistsError):
                run_training(run, ignore)

    def test_before_its_first_epoch_writes_nothing(self, prepare_run: PrepareRun, tmp_path: Path) -> None:
        run = prepare_run(tmp_path, epochs=3, **SMALL)
        shutil.rmtree(run.path / "tensorboard", ignore_errors=True)
        run.tensorboard.write_text("a file in the way makes the first epoch fail")
        with pytest.raises(Exception, match="tensorboard"):
            run_training(run, ignore)
        assert not Path(run.read_state().output).exists()

    def test_is_not_resumed_on_other_images(self, prepare_run: PrepareRun, tmp_path: Path) -> None:
        run = prepare_run(tmp_path, epochs=2, **SMALL)
        lines = run.train_csv.read_text().splitlines()
        run.train_csv.write_text("\n".join(lines[:-1]) + "\n")
        with pytest.raises(RunError, match="changed"):
            run_training(run, ignore)

    def test_is_not_overwritten_by_a_new_one(self, prepare_run: PrepareRun, tmp_path: Path) -> None:
        run = prepare_run(tmp_path, **SMALL)
        with pytest.raises(RunError, match="--resume"):
            start_run(run, run.read_state(), read_samples(run.train_csv), read_samples(run.val_csv))


class TestThePlateauSchedule:
    def test_stops_early_and_remembers_its_waiting_when_resumed(
        self, prepare_run: PrepareRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("training.pipeline.train.write_model_folder", lambda *_: {})
        run_eagerly(monkeypatch)
        options = SMALL | {"schedule": "plateau", "patience": 2, "learning_rate": 1e-12}
        run = prepare_run(tmp_path, epochs=30, **options)
        run_training(run, interrupt_after(2))
        run_training(run, ignore)
        assert run.read_state().finished
        assert 3 <= run.epochs_done() < 30


class TestExport:
    def test_does_not_replace_a_folder(self, trained_run: RunFolder, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        with pytest.raises(FileExistsError):
            export_run(trained_run, tmp_path / "mine")
        assert list((tmp_path / "mine").iterdir()) == []

    def test_of_a_run_without_weights_is_rejected(self, prepare_run: PrepareRun, tmp_path: Path) -> None:
        with pytest.raises(RunError, match="first epoch is not finished"):
            export_run(prepare_run(tmp_path, **SMALL), tmp_path / "out")
