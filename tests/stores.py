"""Model stores that tests change."""

import shutil
from pathlib import Path


def store_of(shipped_model: Path, store: Path, version: str, golden: bytes, text: str) -> Path:
    """Make a model store with the shipped model as a version of `captcha`, and a golden image; return the version."""
    folder = store / "captcha" / version
    folder.mkdir(parents=True)
    for file in ("model.onnx", "configs.yaml"):
        shutil.copy(shipped_model / file, folder)
    (folder / "golden.png").write_bytes(golden)
    (folder / "golden.txt").write_text(f"{text}\n")
    return folder
