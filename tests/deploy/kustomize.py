"""What kustomize makes of `deploy/kubernetes`."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

Document = dict[str, Any]
PRODUCTION = "overlays/production"


def render(repository: Path, folder: Path, components: Iterable[str] = ()) -> list[Document]:
    """The documents of the overlay for production with some components, made in an empty folder."""
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl: install it, 1.21 or newer")
    copy = folder / "kubernetes"
    shutil.copytree(repository / "deploy" / "kubernetes", copy)
    file = copy / PRODUCTION / "kustomization.yaml"
    kustomization = yaml.safe_load(file.read_text())
    kustomization["components"] = [f"../../components/{component}" for component in components]
    file.write_text(yaml.safe_dump(kustomization))
    return kustomize(file.parent)


def kustomize(folder: Path) -> list[Document]:
    """The documents of a kustomization as it is; it may have nothing to complain of."""
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def of_kind(documents: Iterable[Document], kind: str) -> Document:
    """The one document of a kind."""
    (document,) = (document for document in documents if document["kind"] == kind)
    return document
