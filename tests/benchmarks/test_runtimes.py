"""`benchmarks.runtimes`: the shipped models in other runtimes, here in the installed one."""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from benchmarks import runtimes
from benchmarks.common import ROOT, newest_model


def run_here(model: Path, inputs: runtimes.Batches, folder: Path) -> runtimes.Batches:
    """Do what `runtimes.run` does, in the current environment."""
    given, made = folder / "inputs.npz", folder / "outputs.npz"
    np.savez(given, **inputs)  # type: ignore[arg-type]
    script = ROOT / "benchmarks" / "peers" / "runtime.py"
    subprocess.run([sys.executable, script, "onnxruntime", model, given, made], check=True)
    with np.load(made) as outputs:
        return dict(outputs)


def test_equal_runtimes_read_the_same_and_others_show_their_difference(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(runtime: str, _requirement: str, model: Path, inputs: runtimes.Batches) -> runtimes.Batches:
        outputs = run_here(model, inputs, tmp_path)
        return outputs if runtime == "equal" else {name: output[:, ::-1] for name, output in outputs.items()}

    monkeypatch.setattr(runtimes, "run", run)
    files = sorted((repository / "samples").glob("*.png"))
    equal, reversed_ = runtimes.compare(newest_model(), files, {"equal": "any==1", "reversed": "any==2"})
    assert equal == {"model": "captcha", "runtime": "equal 1", "same": len(files), "difference": "0.0000"}
    assert reversed_["same"] == 0
    assert float(str(reversed_["difference"])) > 0.9


@pytest.mark.parametrize(
    ("runtime", "status"),
    [("onnxruntime 1.20", "a runtime reads different texts"), ("openvino 2026.4.1", None)],
)
def test_a_different_text_is_a_failure_except_in_openvino_with_its_transformations(
    repository: Path, monkeypatch: pytest.MonkeyPatch, runtime: str, status: str | None
) -> None:
    row = {"model": "captcha", "runtime": runtime, "same": 0, "difference": "0.5"}
    monkeypatch.setattr(runtimes, "compare", lambda *_: [row])
    monkeypatch.setattr(sys, "argv", ["benchmarks.runtimes", str(repository / "samples")])
    with pytest.raises(SystemExit) if status else nullcontext() as failure:
        runtimes.main()
    assert failure is None or failure.value.code == status


def test_runtimes_that_cannot_be_installed_are_reported_and_skipped(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    missing = {"onnxruntime": "onnxruntime==0.0.1"}
    assert runtimes.compare(newest_model(), [repository / "samples" / "ef2ec.png"], missing) == []
    assert "not compared: onnxruntime==0.0.1" in capsys.readouterr().err


def test_the_oldest_is_the_one_that_the_package_allows(repository: Path) -> None:
    name, _, version = runtimes.oldest_onnxruntime().partition("==")
    assert f'"{name}>={version}"' in (repository / "pyproject.toml").read_text()
