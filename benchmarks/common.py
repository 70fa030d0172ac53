"""The inputs of a benchmark run, and the machine it runs on."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2

from app.inference.images import decode_image
from app.inference.models.model import ImageToTextModel
from app.shared.cpus import available_cpus
from benchmarks.figures import BenchmarkError
from training.drawing.draw import draw_folder
from training.exporting.versions import package_versions

ROOT = Path(__file__).parents[1]
PEERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
TUTORIAL = "tutorial"
UPLOADS = 64
AS_THE_DATA_SET = (cv2.IMWRITE_PNG_COMPRESSION, 6, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG)
PACKAGES = (
    "fastapi",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "uvicorn",
)
PEERS = ("mltu", "ddddocr", "litserve", "rapidocr")
SHOW_VERSIONS = "import json, sys, importlib.metadata as m; print(json.dumps({p: m.version(p) for p in sys.argv[1:]}))"


@dataclass(frozen=True)
class Setup:
    """The inputs of all sections."""

    rounds: int
    quick: bool
    folder: Path
    """Temporary folder of the run."""
    model: Path
    """The folder of our model."""
    uploads: list[Path]
    """Image files that our model reads correctly, each named by its text."""
    data: Path | None = None
    """Labelled images for training to a low word error rate."""
    tutorial_run: Path | None = None
    """The folder of a finished training of the tutorial's network on the same images."""
    before: Path | None = None
    """A checkout of another revision, for comparison."""

    @property
    def tutorial(self) -> Path:
        """The folder of the tutorial's network; see `export_tutorial`."""
        return self.folder / TUTORIAL


def newest_model() -> Path:
    """Return the folder of the shipped model."""
    return max((ROOT / "model_store" / "captcha").iterdir())


def draw_uploads(folder: Path, model: Path, count: int = UPLOADS) -> list[Path]:
    """Draw captchas like the data set's, 200×50 with an alpha channel, that the model reads correctly.

    They are filtered and compressed so that their size, about 8.7 kB, and decoding time match the data set's.

    Raises:
        BenchmarkError: the model reads too few of them.
    """
    reader = ImageToTextModel(model)
    drawn = draw_folder(folder, count + count // 4 + 2)
    right = []
    for path in drawn:
        cv2.imwrite(str(path), cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2BGRA), AS_THE_DATA_SET)
        if reader.predict([decode_image(path.read_bytes())])[0].text == path.stem:
            right.append(path)
    if len(right) < count:
        raise BenchmarkError(f"the model reads {len(right)} of {len(drawn)} drawn images correctly; {count} are needed")
    return right[:count]


def export_tutorial(folder: Path) -> None:
    """Create the tutorial's network in a separate process, which keeps TensorFlow out of the measured ones."""
    run_quietly([sys.executable, "-m", "benchmarks.networks", str(folder)])


def run_quietly(command: list[str]) -> str:
    """Run a command and return its output.

    Raises:
        BenchmarkError: the command fails.
    """
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(command[1:])} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def machine() -> dict[str, Any]:
    """Return the properties of the machine that affect the figures."""
    return {
        "processor": f"{_cpuinfo('model name') or platform.machine()} ({_widest_products()})",
        "cores": available_cpus(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages, and of the peers and wrk if installed."""
    found = {package: version(package) for package in PACKAGES} | package_versions()
    if PEERS_PYTHON.exists():
        found |= json.loads(run_quietly([str(PEERS_PYTHON), "-c", SHOW_VERSIONS, *PEERS]))
    try:
        found["wrk"] = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout.split()[1]  # noqa: S607
    except FileNotFoundError:
        found["wrk"] = "not installed"
    return found


def environment(**variables: object) -> Mapping[str, str]:
    """Return this process's environment plus some variables."""
    return os.environ | {name: str(value) for name, value in variables.items()}


def _widest_products() -> str:
    """Return the instruction set for products of small integers, on which the speed of the networks depends."""
    known = {"avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX-VNNI", "avx512bw": "AVX-512", "avx2": "AVX2"}
    flags = _cpuinfo("flags").split()
    return next((name for flag, name in known.items() if flag in flags), "no AVX2")


def _cpuinfo(key: str) -> str:
    """Return a field of Linux's description of the first processor; "" on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
