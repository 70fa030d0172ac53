"""The script that fills a pod's model store before the service starts."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.inference.models.store import ModelStore
from tests.web_server import serving_files

Fetch = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def url(site: Path) -> Iterator[str]:
    with serving_files(site) as address:
        yield f"{address}/models.tar.gz"


@pytest.fixture
def fetch(repository: Path, store: Path, url: str) -> Fetch:
    """Runs the script with a checksum."""
    script = repository / "deploy" / "kubernetes" / "components" / "model-init" / "fetch-models.sh"

    def run(checksum: str) -> subprocess.CompletedProcess[str]:
        variables = {"MODELS_URL": url, "MODELS_SHA256": checksum, "MODEL_STORE": str(store)}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", script], env={"PATH": path, **variables}, capture_output=True, text=True, check=False
        )

    return run


def publish(site: Path, model: Path) -> str:
    """Put an archive with a model, as the script says it is made, on the site; its checksum."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(model, arcname="captcha/1")
    (site / "models.tar.gz").write_bytes(archive.getvalue())
    return hashlib.sha256(archive.getvalue()).hexdigest()


def test_the_models_of_the_archive_are_served(site: Path, store: Path, fetch: Fetch, shipped_model: Path) -> None:
    done = fetch(publish(site, shipped_model))
    assert done.returncode == 0, done.stderr
    assert [folder.name for folder in store.iterdir()] == ["captcha"]
    assert ModelStore(store, "captcha").get().version == "1"


def test_an_archive_with_another_checksum_is_refused(
    site: Path, store: Path, fetch: Fetch, shipped_model: Path
) -> None:
    publish(site, shipped_model)
    done = fetch(hashlib.sha256(b"another").hexdigest())
    assert done.returncode != 0
    assert "models.tar.gz: FAILED" in done.stdout
    assert not list(store.glob("*/*/*"))


def test_a_model_that_was_damaged_before_is_refused(
    site: Path, store: Path, fetch: Fetch, shipped_model: Path, tmp_path: Path
) -> None:
    damaged = shutil.copytree(shipped_model, tmp_path / "damaged")
    (damaged / "configs.yaml").write_text("vocab: ab\n")
    done = fetch(publish(site, damaged))
    assert done.returncode != 0
    assert "configs.yaml: FAILED" in done.stdout
    assert not (store / "captcha").exists()


def test_after_a_failure_it_can_be_tried_again(site: Path, store: Path, fetch: Fetch, shipped_model: Path) -> None:
    assert fetch("0" * 64).returncode != 0
    assert fetch(publish(site, shipped_model)).returncode == 0
    assert fetch(publish(site, shipped_model)).returncode == 0
    assert (store / "captcha" / "1" / "model.onnx").is_file()
    assert not (store / ".new").exists()
