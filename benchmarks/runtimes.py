"""Compare the shipped models in other runtimes: texts and differences of probabilities.

    .venv/bin/python -m benchmarks.runtimes [IMAGE_FOLDER …] [--into docs/how-to/other-runtimes.md]

Each runtime runs in its own environment, created by uv; images are drawn unless folders are given. Exits with status 1
if a text differs, except in OpenVINO with its low-precision transformations, which change probabilities. Runtimes that
cannot be installed, for example without a network, are reported and skipped.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from packaging.requirements import Requirement

from app.inference.images import decode_image
from app.inference.images.paths import image_paths
from app.inference.models.folders import model_folders, version_folders
from app.inference.models.model import MODEL_FILE, ImageToTextModel
from benchmarks.common import ROOT
from benchmarks.figures import BenchmarkError, Row, Table
from benchmarks.report import replace_tables, to_markdown
from training.drawing.draw import draw_folder

OPENVINO = "openvino==2026.4.1"
APPROXIMATE = "openvino"
"""The runtime whose low-precision transformations may change texts."""
DRAWN = 100
Batches = dict[str, np.ndarray]


class UnavailableError(BenchmarkError):
    """A runtime cannot be installed here."""


def main() -> None:
    """Run the models, and print the table or insert it into a document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--into", type=Path, help="document in which to replace the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        files = list(image_paths(options.folders)) or draw_folder(folder / "drawn", DRAWN)
        models = [version_folders(model)[0] for model in model_folders(ROOT / "model_store")]
        rows = [row for model in models for row in compare(model, files, runtimes())]
    title = f"{len(files)} pictures, compared with the locked ONNX Runtime"
    columns = {"model": "model", "runtime": "runtime", "same": "same texts", "difference": "maximum difference"}
    table = to_markdown(Table(title=title, columns=columns, rows=rows))
    if options.into is None:
        print(table)
    else:
        document = options.into.read_text(encoding="utf-8")
        options.into.write_text(replace_tables(document, {"runtimes": table}), encoding="utf-8")
    if any(row["same"] != len(files) for row in rows if str(row["runtime"]).split()[0] != APPROXIMATE):
        sys.exit("a runtime reads different texts")


def runtimes() -> dict[str, str]:
    """Return the requirement of each runtime, by its name in `benchmarks.peers.runtime`."""
    return {"onnxruntime": oldest_onnxruntime(), APPROXIMATE: OPENVINO, "openvino-untransformed": OPENVINO}


def oldest_onnxruntime() -> str:
    """Return the requirement of the oldest ONNX Runtime that the package allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (needed,) = (one for one in map(Requirement, project["dependencies"]) if one.name == "onnxruntime")
    (bound,) = needed.specifier
    return f"onnxruntime=={bound.version}"


def compare(folder: Path, files: Sequence[str | Path], requirements: Mapping[str, str]) -> list[Row]:
    """Return a row per runtime: how many texts are the same as ours, and the maximum difference of a probability."""
    model = ImageToTextModel(folder)
    inputs = {str(place): model.prepare([decode_image(Path(file).read_bytes())]) for place, file in enumerate(files)}
    ours = {name: model.run(batch) for name, batch in inputs.items()}
    rows: list[Row] = []
    for runtime, requirement in requirements.items():
        try:
            theirs = run(runtime, requirement, folder / MODEL_FILE, inputs)
        except UnavailableError as error:
            print(f"not compared: {error}", file=sys.stderr)
            continue
        same = sum(_text(model, theirs[name]) == _text(model, ours[name]) for name in ours)
        difference = max(float(np.abs(theirs[name] - ours[name]).max()) for name in ours)
        shown = f"{runtime} {requirement.partition('==')[2]}"
        rows.append({"model": folder.parent.name, "runtime": shown, "same": same, "difference": f"{difference:.4f}"})
    return rows


def run(runtime: str, requirement: str, model: Path, inputs: Batches) -> Batches:
    """Run a network in an environment with one runtime and NumPy.

    Raises:
        UnavailableError: the runtime cannot be installed, for example without a network.
        BenchmarkError: the run fails.
    """
    with tempfile.TemporaryDirectory() as name:
        given, made = Path(name) / "inputs.npz", Path(name) / "outputs.npz"
        np.savez(given, **inputs)  # type: ignore[arg-type]  # its stubs take the names for options
        uv = [sys.executable, "-m", "uv", "run", "--quiet", "--no-project", "--python", sys.executable, "--isolated"]
        python = [*uv, "--with", requirement, "--with", "numpy", "python"]
        installed = subprocess.run([*python, "-c", ""], capture_output=True, text=True, check=False)
        if installed.returncode:
            raise UnavailableError(f"{requirement}: {installed.stderr[-1000:]}")
        script = str(ROOT / "benchmarks" / "peers" / "runtime.py")
        command = [*python, script, runtime, str(model), str(given), str(made)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"{requirement}: {done.stderr[-1000:]}")
        with np.load(made) as outputs:
            return dict(outputs)


def _text(model: ImageToTextModel, probabilities: np.ndarray) -> str:
    return model.codec.decode(probabilities, model.configs.calibration.temperature)[0].text


if __name__ == "__main__":
    main()
