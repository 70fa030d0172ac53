"""From drawn images through training and export to a right reading over HTTP, with the commands people type."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from training.draw import draw_folder, draw_plain


def test_a_model_of_a_few_epochs_reads_new_images_over_http(
    tmp_path: Path, repository: Path, run_server: Callable[..., Any]
) -> None:
    digits: dict[str, Any] = {"alphabet": "0123456789", "length": 4, "draw": draw_plain}
    draw_folder(tmp_path / "digits", 300, seed=1, **digits)
    train = [sys.executable, "-m", "training", "train", "--data", str(tmp_path / "digits"), "--epochs", "5"]
    places = ["--output", str(tmp_path / "store" / "digits" / "1"), "--run-dir", str(tmp_path / "run")]
    subprocess.run([*train, *places], cwd=repository, check=True)

    server = run_server(OCR_MODEL_STORE=str(tmp_path / "store"), OCR_DEFAULT_MODEL="digits")
    known = {path.stem for path in (tmp_path / "digits").iterdir()}
    new = [path for path in draw_folder(tmp_path / "new", 60, seed=99, **digits) if path.stem not in known]
    right = 0
    for path in new:
        answer = httpx.post(f"{server.url}/predict", files={"file": path.read_bytes()}).json()
        assert answer["model"] == {"name": "digits", "version": "1"}
        assert "".join(character["character"] for character in answer["characters"]) == answer["text"]
        assert all(0 <= character["confidence"] <= 1 for character in answer["characters"])
        right += answer["text"] == path.stem
    assert right >= 0.8 * len(new)
