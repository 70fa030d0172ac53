"""Install locked requirements with pip and show the progress: `install.py FILE "WHAT"`.

pip itself prints too much, or with `--quiet` nothing for minutes, and compiles modules on one processor only.
"""

import compileall
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

REQUIREMENT = re.compile(r"^[A-Za-z0-9][\w.-]*==", re.MULTILINE)
PACKAGE = re.compile(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+==[\w.+-]+)")
DOWNLOAD = re.compile(r"Downloading (\S+) \((.*)\)")


def main() -> None:
    """Install, and exit with pip's status."""
    file, what = sys.argv[1:]
    started = time.monotonic()
    print(f"installing {what} into {sys.prefix}", flush=True)
    options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--require-hashes", "--no-compile"]
    command = [sys.executable, "-m", "pip", "install", *options, "--requirement", file]
    total = len(REQUIREMENT.findall(Path(file).read_text(encoding="utf-8")))
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace") as pip:
        for line in progress(pip.stdout or (), total):
            print(line, flush=True)
    if pip.returncode == 0:
        # Some packages have modules for other versions of Python, which need not be compiled.
        compileall.compile_dir(sysconfig.get_path("purelib"), quiet=2, workers=0)
        print(f"installed in {time.monotonic() - started:.0f} s", flush=True)
    sys.exit(pip.returncode)


def progress(lines: Iterator[str], total: int) -> Iterator[str]:
    """Yield a line for each package and each download.

    Args:
        lines: pip's output.
        total: number of requirements in the file, including those that pip ignores on this machine.
    """
    done = 0
    for line in lines:
        if line.startswith("Ignoring "):
            total -= 1
        elif package := PACKAGE.match(line):
            done += 1
            yield f"[{done}/{total}] {package[1]}"
        elif download := DOWNLOAD.search(line):
            yield f"[{done}/{total}]   downloading {download[2]}"
        elif line.startswith("Installing collected packages"):
            yield f"unpacking {line.count(',') + 1} packages …"


if __name__ == "__main__":
    main()
