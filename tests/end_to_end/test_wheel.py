"""The wheel, installed where there is nothing else: an empty folder, an empty home, a fresh environment."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

from app import __version__
from tests.ports import held_port
from tests.waiting import GENEROUS_SECONDS, answers_200, ending, wait_until

pytestmark = pytest.mark.slow
SERVE_MEGABYTES = 420
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A fresh virtual environment with the wheel and the locked requirements of the service.

    `$WHEEL` names a wheel that was built before, `$WHEEL_PYTHON` another Python than that of the tests.
    """
    folder = tmp_path_factory.mktemp("wheel")
    wheel = os.environ.get("WHEEL") or build_wheel(repository, folder)
    python = os.environ.get("WHEEL_PYTHON") or sys.executable
    subprocess.run([python, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    install(folder / "venv", "--require-hashes", "--requirement", str(repository / "requirements" / "serve.txt"))
    install(folder / "venv", "--no-deps", wheel)
    return folder / "venv"


def build_wheel(repository: Path, folder: Path) -> str:
    """Build the wheel of the working tree, and return its path."""
    build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(repository)]
    subprocess.run([sys.executable, *build], check=True, capture_output=True)
    return str(next(folder.glob("*.whl")))


def install(environment: Path, *arguments: str) -> None:
    """Install with uv, which takes seconds; where it finds no index, with pip, whose settings may name one."""
    uv = [sys.executable, "-m", "uv", "pip", "install", "--python", str(environment)]
    pip = [sys.executable, "-m", "pip", "--python", str(environment), "install", "--disable-pip-version-check"]
    if subprocess.run([*uv, *arguments], check=False, capture_output=True).returncode:
        subprocess.run([*pip, *arguments], check=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty working directory."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


@pytest.fixture
def variables(environment: Path, tmp_path: Path) -> dict[str, str]:
    """An environment that says nothing but where the command and an empty home are."""
    (tmp_path / "home").mkdir()
    return {"PATH": f"{environment / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path / "home")}


@pytest.fixture
def run(folder: Path, variables: dict[str, str]) -> Run:
    """Runs `captcha-reader`."""

    def run_command(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["captcha-reader", *map(str, arguments)],
            cwd=folder,
            env=variables,
            executable=Path(variables["PATH"].partition(":")[0]) / "captcha-reader",
            capture_output=True,
            text=True,
            timeout=GENEROUS_SECONDS,
            check=False,
        )

    return run_command


def test_the_first_command_reads(run: Run, samples: dict[str, bytes], folder: Path, tmp_path: Path) -> None:
    for text, content in samples.items():
        (folder / f"{text}.png").write_bytes(content)
    done = run("read", ".")
    assert done.returncode == 0, done.stderr
    assert [line.split("\t")[1] for line in done.stdout.splitlines()] == list(samples)
    store = tmp_path / "home" / ".local" / "share" / "captcha-reader" / "model_store"
    assert done.stderr.startswith(f"models are kept in {store}\n")
    assert run("models").stderr == f"models in {store}:\n"


def test_without_a_command_it_serves(
    folder: Path, variables: dict[str, str], environment: Path, samples: dict[str, bytes]
) -> None:
    log = folder / "log"
    with held_port() as port, log.open("wb") as opened:
        process = subprocess.Popen(
            [environment / "bin" / "captcha-reader"],
            cwd=folder,
            env=variables | {"OCR_PORT": str(port), "OCR_WORKERS": "2", "OCR_LOG_FORMAT": "json"},
            stdout=opened,
            start_new_session=True,
        )
        with ending(process):
            wait_until(lambda: answers_200(f"http://127.0.0.1:{port}/readyz"), log.read_text)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                assert client.get("/health").json()["version"] == __version__
                assert client.get("/openapi.json").json()["info"]["version"] == __version__
                assert client.post("/predict", content=samples["ef2ec"]).json()["text"] == "ef2ec"
                assert client.get("/static/main.js").is_success
    first = json.loads(log.read_text().splitlines()[0])
    assert first["version"] == __version__


def test_it_tells_its_version(run: Run) -> None:
    assert run("--version").stdout == f"captcha-reader {__version__}\n"


def test_the_commands_of_the_training_are_there_and_say_what_they_need(run: Run) -> None:
    assert "\n  crossval " in run("--help").stdout
    assert "captcha-reader train --data my_images" in run("train", "--help").stdout
    done = run("train", "--data", ".")
    assert done.returncode == 1
    assert "extra `training`" in done.stderr
    assert " GB on disk" in done.stderr


def test_the_locked_requirements_are_all_that_it_asks_for(environment: Path) -> None:
    code = (
        "from importlib.metadata import distributions, requires; import json;"
        "print(json.dumps([requires('captcha-reader'), [one.name for one in distributions()]]))"
    )
    printed = subprocess.run([environment / "bin" / "python", "-c", code], check=True, capture_output=True, text=True)
    asked, there = json.loads(printed.stdout)
    needed = [Requirement(line) for line in asked]
    names = {one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})}
    assert names <= {name.lower().replace("_", "-") for name in there}


def test_serving_takes_little_of_the_disk(environment: Path) -> None:
    taken = sum(path.lstat().st_size for path in environment.rglob("*") if not path.is_symlink())
    assert taken < SERVE_MEGABYTES * 1_000_000
