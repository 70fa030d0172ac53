"""Time from an empty home folder to the first reading, from a wheel; the caches of pip and uv are kept.

    .venv/bin/python -m benchmarks.first_reading [--wheel FILE]

Tries each documented way of installing; each must read a sample correctly.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import ROOT, run_quietly
from benchmarks.figures import BenchmarkError, Row, Table
from benchmarks.report import to_markdown

UV = (sys.executable, "-m", "uv", "tool")
PYTHON = ("--python", sys.executable)
SAMPLE = "ef2ec"
WAYS: dict[str, Sequence[str]] = {
    "uvx --from": (),  # installs when it reads
    "uv tool install": (*UV, "install", *PYTHON),
    "pipx install": (*UV, "run", *PYTHON, "pipx", "install", *PYTHON),
}


def main() -> None:
    """Try all ways, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help="an existing wheel")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        wheel = options.wheel or build(Path(name))
        rows = [first_reading(way, wheel.absolute(), Path(name) / way.replace(" ", "-")) for way in WAYS]
    columns = {"way": "way", "seconds": "s to the first reading", "megabytes": "MB in the home"}
    print(to_markdown(Table(title="From nothing to the first reading", columns=columns, rows=rows)))


def build(folder: Path) -> Path:
    """Build the wheel of the working tree."""
    run_quietly([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)])
    return next(folder.glob("*.whl"))


def first_reading(way: str, wheel: Path, home: Path) -> Row:
    """Install into an empty home and read; return the time taken and the size of the home."""
    here = home / "empty"
    here.mkdir(parents=True)
    environment = os.environ | {
        "HOME": str(home),
        "UV_CACHE_DIR": run_quietly([sys.executable, "-m", "uv", "cache", "dir"]).strip(),
        "PIP_CACHE_DIR": run_quietly([sys.executable, "-m", "pip", "cache", "dir"]).strip(),
    }
    command = [str(home / ".local" / "bin" / "captcha-reader")]
    if not WAYS[way]:
        command = [*UV, "run", *PYTHON, "--from", str(wheel), "captcha-reader"]
    started = time.perf_counter()
    if WAYS[way]:
        _run([*WAYS[way], str(wheel)], here, environment)
    read = _run([*command, "read", str(ROOT / "samples" / f"{SAMPLE}.png")], here, environment)
    seconds = time.perf_counter() - started
    if read.split("\t")[1:2] != [SAMPLE]:
        raise BenchmarkError(f"{way}: {SAMPLE} was read as {read!r}")
    size = sum(path.lstat().st_size for path in home.rglob("*") if path.is_file() and not path.is_symlink())
    return {"way": way, "seconds": f"{seconds:.0f}", "megabytes": f"{size / 1e6:.0f}"}


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command)} failed:\n{done.stderr[-1000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
