"""Files that verify a model: an image with its text, and checksums that `sha256sum` accepts."""

import subprocess
from pathlib import Path

import cv2
import pytest

from app.inference.models.model import ImageToTextModel, ModelError
from training.exporting.golden import write_golden
from training.fitting.run import RunFolder


@pytest.fixture
def model_folder(trained_run: RunFolder) -> Path:
    return Path(trained_run.read_state().output)


def test_the_image_is_read_as_the_text_beside_it(model_folder: Path) -> None:
    image = cv2.imread(str(model_folder / "golden.png"), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    (reading,) = ImageToTextModel(model_folder).predict([image])
    assert (model_folder / "golden.txt").read_text() == f"{reading.text}\n"


def test_the_checksums_match_the_files(model_folder: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=model_folder, check=True)
    listed = {line.split()[1] for line in (model_folder / "SHA256SUMS").read_text().splitlines()}
    assert listed == {"model.onnx", "configs.yaml", "golden.png", "golden.txt"}


def test_the_service_rejects_the_model_if_a_file_differs(model_folder: Path, tmp_path: Path) -> None:
    for file in model_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    ImageToTextModel(tmp_path)
    (tmp_path / "golden.txt").write_text("another\n")
    with pytest.raises(ModelError, match=r"golden\.txt"):
        ImageToTextModel(tmp_path)


def test_a_model_without_confident_readings_gets_no_image(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("model.onnx", "configs.yaml"):
        (tmp_path / name).write_bytes((model_folder / name).read_bytes())
    monkeypatch.setattr("training.exporting.golden.MIN_CONFIDENCE", 1.1)
    write_golden(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"model.onnx", "configs.yaml"}
