"""The command, and all sections that need neither peers nor a load generator."""

import json
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from app.inference.models.model import ImageToTextModel
from benchmarks import __main__ as command
from benchmarks.common import Setup, draw_uploads, newest_model
from benchmarks.figures import BenchmarkError, Section, at_least, figure
from benchmarks.networks import widen_vocabulary
from benchmarks.sections import http, stages, startup
from benchmarks.sections.training import EPOCH, time_of_run
from benchmarks.sides import Side, ask, open_side
from training.commands.progress import training_progress


@pytest.fixture
def without_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the tutorial and ddddocr by our reader."""

    def open_ours(_: str, __: Path, uploads: list[Path], seconds: float) -> AbstractContextManager[Side]:
        return open_side("ours", newest_model(), uploads, seconds)

    monkeypatch.setattr(command, "PEERS_PYTHON", Path(sys.executable))
    monkeypatch.setattr(command, "export_tutorial", lambda _: None)
    monkeypatch.setattr(stages, "open_side", open_ours)


def test_measures_and_writes_stages(without_peers: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "new" / "bench.json"
    command.main(["stages", "--quick", "--rounds", "1", "--json", str(written)])
    assert "decode the file" in capsys.readouterr().out
    report = json.loads(written.read_text())
    assert {"machine", "versions", "model", "rounds", "sections"} <= report.keys()
    section = report["sections"]["stages"]
    rows = {row["step"]: row for row in section["tables"]["stages"]["rows"]}
    assert rows.keys() == set(stages.STEPS.values())
    assert all(row["ours"]["median"] > 0 and len(row["ratio"]["rounds"]) == 1 for row in rows.values())
    assert len(section["tables"]["batches"]["rows"]) == 7


def test_startup_is_compared_with_a_checkout_without_the_peers(
    monkeypatch: pytest.MonkeyPatch, repository: Path, tmp_path: Path
) -> None:
    for module in (command, startup):
        monkeypatch.setattr(module, "PEERS_PYTHON", tmp_path / "python")
    written = tmp_path / "bench.json"
    command.main(["startup", "--quick", "--rounds", "1", "--before", str(repository), "--json", str(written)])
    section = json.loads(written.read_text())["sections"]["startup"]
    assert section["tables"].keys() == {"before", "imports", "container"}
    assert all(row[side]["median"] > 0 for row in section["tables"]["before"]["rows"] for side in ("ours", "other"))
    (check,) = section["checks"]
    assert check["figure"]["median"] > 0


def test_a_failed_section_does_not_affect_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Setup) -> Section:
        raise BenchmarkError("requests failed under load")

    def succeed(_: Setup) -> Section:
        return Section(tables={}, checks=[at_least("speed", figure([5.0]), 6)], notes=["a note"])

    monkeypatch.setattr(command, "SECTIONS", {"growth": fail, "training": succeed})
    monkeypatch.setattr(command, "draw_uploads", lambda *_: [])
    written = tmp_path / "bench.json"
    with pytest.raises(SystemExit, match="not measured: growth"):
        command.main(["--json", str(written)])
    assert json.loads(written.read_text())["sections"].keys() == {"training"}
    printed = capsys.readouterr()
    assert "requests failed under load" in printed.err
    assert "missed" in printed.out
    assert "a note" in printed.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["nonsense"], "unknown section: nonsense"), (["http"], "apt-get install wrk"), (["--rounds", "-1"], "1 round")],
)
def test_wrong_options_and_a_missing_wrk_exit_with_2(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_uploads_resemble_the_data_set_and_are_read_correctly(tmp_path: Path) -> None:
    uploads = draw_uploads(tmp_path, newest_model(), 4)
    assert len({upload.stem for upload in uploads}) == 4
    for upload in uploads:
        assert 7_000 < upload.stat().st_size < 11_000
        with Image.open(upload) as image:
            assert (image.mode, image.size) == ("RGBA", (200, 50))


@pytest.mark.parametrize("size", [3, 2_000])
def test_networks_with_other_vocabularies_can_read(size: int, tmp_path: Path) -> None:
    widen_vocabulary(newest_model(), size, tmp_path / "wide")
    model = ImageToTextModel(tmp_path / "wide")
    assert len(model.codec.vocab) == size
    (reading,) = model.predict([np.zeros((50, 200), np.uint8)])
    assert set(reading.text) <= set(model.codec.vocab)


def test_a_side_that_ends_is_reported(tmp_path: Path) -> None:
    with (
        pytest.raises(BenchmarkError, match=r"configs.yaml cannot be read"),
        open_side("ceiling", tmp_path, [Path(__file__)], 0.1) as side,
    ):
        ask(side)


def test_http_is_compared_with_the_default_and_the_fastest_tutorial() -> None:
    speeds = {http.LEFT: 100.0, http.STANDARD: 105.0, http.TUNED: 200.0, http.IN_THREADS: 150.0}
    speeds |= {http.OURS: 650.0, http.RAW: 835.0}
    loads = {
        (http.JUDGED, name): {key: figure([value]) for key, value in (("per_second", speed), ("p50", 2), ("p99", 7))}
        for name, speed in speeds.items()
    }
    section = http.report(loads, [])
    (ours,) = [row for row in section["tables"]["http"]["rows"] if row["side"] == http.OURS]
    assert (ours["left_ratio"], ours["ratio"]) == (figure([6.5]), figure([3.25]))
    assert [check["ok"] for check in section["checks"]] == [True, True, True, True, False, True]


@pytest.mark.parametrize(("section", "made"), [("stages", True), ("batch", False)])
def test_the_network_of_the_tutorial_is_made_if_a_section_needs_it(
    section: str, made: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folders: list[Path] = []
    monkeypatch.setattr(command, "export_tutorial", folders.append)
    monkeypatch.setattr(command, "draw_uploads", lambda *_: [])
    monkeypatch.setattr(command, "PEERS_PYTHON", Path(__file__))
    monkeypatch.setattr("benchmarks.wrk.is_installed", lambda: True)
    setup = command.prepare(command.parse([section]), tmp_path)
    assert folders == [setup.tutorial] * made


def test_earlier_sections_are_kept_if_nothing_has_changed(tmp_path: Path) -> None:
    report: dict[str, Any] = {"machine": {"cores": 2, "load_before": 0.1}, "versions": {}, "model": "1", "rounds": 5}
    report |= {"quick": False, "sections": {"growth": {"tables": {}}}}
    path = tmp_path / "bench.json"
    assert command.measured_before(path, report) == {}
    path.write_text(json.dumps(report))
    assert command.measured_before(path, report | {"machine": {"cores": 2, "load_before": 0.3}}) == report["sections"]
    assert command.measured_before(path, report | {"model": "2"}) == {}


def test_epochs_of_a_training_are_parsed_from_its_output(capsys: pytest.CaptureFixture[str]) -> None:
    with training_progress(Console(width=120), 40, 0) as on_epoch:
        on_epoch({"epoch": 7.0, "loss": 1.0, "val_loss": 12.0, "val_cer": 0.01, "val_wer": 0.0385})
    match = EPOCH.search(capsys.readouterr().out)
    assert match is not None
    assert match.groups() == ("7", "3.85")


@pytest.mark.parametrize(("wers", "reached", "minutes"), [([0.5, 0.03, 0.02], 2, 2.0), ([0.5, 0.4, 0.3], None, 3.0)])
def test_the_epoch_with_few_wrong_words_is_found_in_a_finished_training(
    wers: list[float], reached: int | None, minutes: float, tmp_path: Path
) -> None:
    (tmp_path / "history.csv").write_text("epoch,val_wer\n" + "".join(f"{i},{wer}\n" for i, wer in enumerate(wers, 1)))
    run: dict[str, Any] = {"seconds": 180.0}
    (tmp_path / "run.json").write_text(json.dumps(run))
    assert time_of_run(tmp_path) == (reached, figure([minutes]))
