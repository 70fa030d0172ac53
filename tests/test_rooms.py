"""Which room of `app` and `training` may import which: calls go downward only."""

import ast
from pathlib import Path

import pytest

from tests.command import loaded_modules

MAY_IMPORT = {
    # The service, from the command line down to what several rooms need. A name stands for all that is in that room.
    "app.__main__": "app.commands app.shared",
    "app.commands": (
        "app.serving app.bulk app.observability app.inference.models app.inference.decoding app.inference.images"
        " app.settings app.shared"
    ),
    "app.serving": "app.api app.observability app.inference app.settings app.shared",
    "app.api": "app.observability app.inference app.settings app.shared",
    "app.bulk": "app.inference app.shared",
    "app.observability": "app.inference.models app.settings app.shared",
    # From the training it may import what both need: `app.inference` and `app.shared`, nothing else of `app`.
    "training.__main__": "training.commands app.shared",
    "training.commands": (
        "training.labelling training.pipeline training.exporting training.fitting training.evaluation"
        " training.networks training.drawing training.data app.inference app.shared"
    ),
    "training.labelling": "training.data app.inference app.shared",
    "training.pipeline": (
        "training.exporting training.fitting training.evaluation training.networks training.drawing training.data"
        " app.inference app.shared"
    ),
    "training.exporting": (
        "training.fitting training.evaluation training.drawing training.data app.inference app.shared"
    ),
    "training.fitting": "training.evaluation training.networks training.data app.inference app.shared",
    "training.evaluation": "training.data app.inference app.shared",
    "training.networks": "",
    "training.drawing": "training.data app.inference app.shared",
    "training.data": "app.inference app.shared",
    # Both stand on these.
    "app.inference.batcher": (
        "app.inference.reader app.inference.costs app.inference.models app.inference.decoding app.inference.images"
        " app.shared"
    ),
    "app.inference.costs": "app.inference.models app.inference.images",
    "app.inference.reader": (
        "app.inference.models app.inference.decoding app.inference.arrays app.inference.images app.shared"
    ),
    "app.inference.models": "app.inference.decoding app.inference.images app.shared",
    "app.inference.decoding": "",
    "app.inference.arrays": "app.inference.images",
    "app.inference.images": "app.shared",
    "app.settings": "app.shared",
    "app.shared": "",
}
"""The rooms from the top of the house to its ground, each with the rooms that it may import."""

TRAINING_ONLY = {"training", "keras", "tensorflow", "tf2onnx", "matplotlib", "onnx"}
WEB = {"fastapi", "starlette", "uvicorn"}
NEVER_IMPORTS = {
    "app": TRAINING_ONLY,
    "app.bulk": WEB,
    "app.inference": WEB,
    "app.shared": WEB,
    "training.data": {"keras", "tensorflow"},
    "training.drawing": {"keras", "tensorflow"},
    "training.evaluation": {"keras", "tensorflow"},
    "training.labelling": {"keras", "tensorflow"},
}
"""Packages that would let a room do another's work, or load what it does without."""


@pytest.fixture(scope="module")
def imports(repository: Path) -> dict[str, set[str]]:
    """What each module of `app` and `training` imports, anywhere in it, as full names."""
    files = [file for package in ("app", "training") for file in (repository / package).rglob("*.py")]
    assert files
    return {_module(file.relative_to(repository)): _imported(file.read_text(encoding="utf-8")) for file in files}


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _imported(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _lies_in(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def _room(name: str) -> str | None:
    return max((room for room in MAY_IMPORT if _lies_in(name, room)), key=len, default=None)


def test_the_table_goes_downward() -> None:
    rooms = list(MAY_IMPORT)
    for room, below in MAY_IMPORT.items():
        for name in below.split():
            named = [index for index, other in enumerate(rooms) if _lies_in(other, name)]
            assert named, f"{room} may import {name}, which is no room"
            assert min(named) > rooms.index(room), f"{name} is above {room}"


def test_each_module_has_a_room_and_each_room_a_module(imports: dict[str, set[str]]) -> None:
    packages = {"app", "app.inference", "training"}  # what only holds rooms
    assert {_room(module) for module in imports if module not in packages} == set(MAY_IMPORT)


def test_no_room_imports_one_that_it_may_not(imports: dict[str, set[str]]) -> None:
    forbidden = {
        f"{module} imports {name}"
        for module, names in imports.items()
        for name in names
        if (room := _room(module)) and (other := _room(name)) and other != room
        if not any(_lies_in(other, allowed) for allowed in MAY_IMPORT[room].split())
    }
    assert not forbidden


def test_no_room_imports_a_package_that_it_is_to_do_without(imports: dict[str, set[str]]) -> None:
    forbidden = {
        f"{module} imports {name}"
        for module, names in imports.items()
        for room, packages in NEVER_IMPORTS.items()
        if _lies_in(module, room)
        for name in names
        if name.partition(".")[0] in packages
    }
    assert not forbidden


def test_the_service_loads_nothing_of_the_training(repository: Path) -> None:
    loaded = loaded_modules(repository, "app.serving.application")
    assert {"app", "onnxruntime", "fastapi"} <= loaded
    assert not loaded & TRAINING_ONLY
