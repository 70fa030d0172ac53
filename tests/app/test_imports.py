"""The service runs without what only training needs."""

import ast
from pathlib import Path

from tests.command import loaded_modules

TRAINING_ONLY = {"training", "keras", "tensorflow", "tf2onnx", "matplotlib", "onnx"}


def imported_packages(source: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_the_service_loads_nothing_of_the_training(repository: Path) -> None:
    loaded = loaded_modules(repository, "app.main")
    assert {"app", "onnxruntime", "fastapi"} <= loaded
    assert not loaded & TRAINING_ONLY


def test_no_file_of_the_service_imports_anything_of_the_training(repository: Path) -> None:
    files = sorted((repository / "app").rglob("*.py"))
    assert files
    importers = {
        str(file.relative_to(repository)): found
        for file in files
        if (found := imported_packages(file.read_text(encoding="utf-8")) & TRAINING_ONLY)
    }
    assert importers == {}


def test_nothing_of_the_inference_core_imports_the_web_framework(repository: Path) -> None:
    for file in (repository / "app" / "inference").glob("*.py"):
        assert not imported_packages(file.read_text(encoding="utf-8")) & {"fastapi", "starlette", "uvicorn"}
