"""The README stays true: its commands work as pasted and answer what it shows."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import PREFIX, Settings

ADDRESS = "127.0.0.1:8000"


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


def blocks(readme: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)


def block_with(readme: str, word: str, language: str = "sh") -> str:
    (block,) = (block for block in blocks(readme, language) if word in block)
    return block


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def served_by_make(repository: Path) -> Iterator[str]:
    """Host and port of the service that `make serve` started."""
    address = f"127.0.0.1:{free_port()}"
    environment = os.environ | {"OCR_PORT": address.rpartition(":")[2]}
    with subprocess.Popen(["make", "serve"], cwd=repository, env=environment, start_new_session=True) as make:
        try:
            wait_until_ready(address, make)
            yield address
        finally:
            os.killpg(make.pid, signal.SIGTERM)


def wait_until_ready(address: str, make: subprocess.Popen[bytes]) -> None:
    while make.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://{address}/readyz").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"make serve ended with status {make.returncode}")


def rounded(value: Any) -> Any:
    """An answer with its numbers to two decimals, and without what differs from call to call."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items() if key != "request_id"}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 2) if isinstance(value, float) else value


def test_make_serve_and_the_curl_answer_what_is_shown(readme: str, served_by_make: str, repository: Path) -> None:
    assert "make serve\n" in blocks(readme, "sh")
    command = block_with(readme, "curl")
    assert ADDRESS in command
    done = subprocess.run(
        ["sh", "-c", command.replace(ADDRESS, served_by_make)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    shown = json.loads(block_with(readme, '"text"', "json"))
    assert rounded(json.loads(done.stdout)) == rounded(shown)


def test_reading_a_folder_prints_what_is_shown(readme: str, repository: Path) -> None:
    command = shlex.split(block_with(readme, "app read"))
    assert command[0] == ".venv/bin/python"
    done = subprocess.run(
        [sys.executable, *command[1:]],
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )

    def comparable(output: str) -> list[str]:
        """The lines without the time it took and further decimals."""
        return [re.sub(r"(?<=\.\d\d)\d+|;.*", "", line) for line in output.splitlines()]

    assert comparable(done.stdout) == comparable(block_with(readme, "samples/", "text"))


def test_the_documentation_is_where_it_says(served_by_make: str) -> None:
    assert httpx.get(f"http://{served_by_make}/docs").status_code == 200


def test_the_training_without_any_data_works(readme: str, repository: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(repository)}
    for line in block_with(readme, "training draw").splitlines():
        command = shlex.split(line)
        assert command[0] == ".venv/bin/python"
        subprocess.run([sys.executable, *command[1:]], cwd=tmp_path, env=environment, check=True)
    (card,) = tmp_path.glob("model_store/drawn/*/MODEL_CARD.md")
    assert "Model card: drawn" in card.read_text()
    validation = json.loads((card.parent / "metrics.json").read_text())["validation"]
    assert validation["words_right"] >= 0.9 * validation["images"]


def test_every_setting_is_listed_with_its_default(readme: str) -> None:
    rows = dict(re.findall(rf"^\| `({PREFIX}\w+)` \| (.*?) \| .+ \|$", readme, re.MULTILINE))
    fields = Settings.model_fields
    assert rows == {
        f"{PREFIX}{name.upper()}": "" if field.default is None else f"`{field.default}`"
        for name, field in fields.items()
    }


def test_every_command_of_the_training_package_is_listed(readme: str) -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "training", "--help"], capture_output=True, text=True, check=True
    ).stdout
    commands = set(re.findall(r"^│ (\w+)  ", help_text, re.MULTILINE))
    assert commands
    assert commands == set(re.findall(r"`python -m training (\w+)", readme))


def test_every_file_it_names_is_there(readme: str, repository: Path) -> None:
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", readme)
    assert linked
    assert [path for path in linked if not (repository / path).exists()] == []
