"""`.ci/install.py`: what `make` installs, told while it does."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path


def install(repository: Path, file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / ".ci" / "install.py"), str(file), "what is needed"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_each_package_is_told_with_how_far_it_is(repository: Path, tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    there = {name: version(name) for name in ("packaging", "pyyaml")}
    lines = [f"{name}=={number} \\\n    --hash=sha256:{'0' * 64}\n" for name, number in there.items()]
    other = f"colorama==0.4.6 ; sys_platform == 'nowhere' \\\n    --hash=sha256:{'0' * 64}\n"
    file.write_text("".join([other, *lines]))
    done = install(repository, file)
    assert done.returncode == 0, done.stderr
    first, *packages, last = done.stdout.splitlines()
    assert first == f"installing what is needed into {sys.prefix}"
    assert packages == [f"[{count}/2] {name}=={there[name]}" for count, name in enumerate(there, start=1)]
    assert last.startswith("installed in ")


def test_a_failure_is_that_of_pip(repository: Path, tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(f"packaging @ {(tmp_path / 'nowhere.whl').as_uri()} --hash=sha256:{'0' * 64}\n")
    done = install(repository, file)
    assert done.returncode == 1
    assert "ERROR: " in done.stderr
    assert "installed in" not in done.stdout
