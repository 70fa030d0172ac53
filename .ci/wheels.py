"""Check that each locked requirement has a wheel for each supported system.

uv resolves for each system with `--dry-run`: nothing is built or installed, only the index's metadata is downloaded.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[1] / "requirements"
SYSTEMS = {
    "Linux x86-64": "x86_64-unknown-linux-gnu",
    "Linux arm64": "aarch64-unknown-linux-gnu",
    "Windows x86-64": "x86_64-pc-windows-msvc",
    "macOS arm64": "aarch64-apple-darwin",
}
PYTHONS = {"serve.txt": ("3.11", "3.14"), "train.txt": ("3.11", "3.13")}
"""Oldest and newest supported Python; TensorFlow's h5py has no wheel for 3.14."""
MACOS = "14.0"
"""Oldest macOS with an ONNX Runtime wheel; there is none for Intel processors."""
SECONDS = 120
NO_WHEEL = ("no wheels", "no usable wheels")


def main() -> None:
    """Check all files for all systems; exit with status 1 if a wheel is missing."""
    missing, unknown = [], 0
    for file, pythons in PYTHONS.items():
        for python in pythons:
            for system, triple in SYSTEMS.items():
                complaint = look(REQUIREMENTS / file, triple, python)
                if any(words in complaint for words in NO_WHEEL):
                    missing.append(f"{file} on {system}, Python {python}: {complaint}")
                unknown += bool(complaint)
    if unknown > len(missing):
        print("wheels not checked: the package index cannot be reached", file=sys.stderr)
    print("\n".join(missing) or f"wheels: {', '.join(PYTHONS)} for {', '.join(SYSTEMS)}")
    sys.exit(bool(missing))


def look(requirements: Path, triple: str, python: str) -> str:
    """Return uv's error message, or an empty string if all requirements could be installed."""
    with tempfile.TemporaryDirectory() as target:
        options = ["--dry-run", "--quiet", "--no-deps", "--no-build", "--require-hashes", "--target", target]
        system = ["--python-platform", triple, "--python-version", python]
        command = [sys.executable, "-m", "uv", "pip", "install", *options, *system, "--requirement", str(requirements)]
        environment = os.environ | {"MACOSX_DEPLOYMENT_TARGET": MACOS}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return "timeout"
    return done.stderr.strip() if done.returncode else ""


if __name__ == "__main__":
    main()
