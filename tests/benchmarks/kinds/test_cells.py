"""Versions of cells: results of other versions are not used."""

import shutil
from pathlib import Path

from benchmarks.common import newest_model
from benchmarks.kinds.cells import Readers, make_cells
from benchmarks.kinds.folders import read_kinds


def readers(general: Path | None = None, *, options: tuple[str, ...] = (), code: str | None = None) -> Readers:
    return Readers(general or newest_model(), list(options), code)


class TestVersions:
    def test_of_trainings_depend_on_code_and_options(self) -> None:
        plain = readers().version("25")
        assert readers().version("all") == plain
        assert readers(options=("--epochs", "1")).version("25") != plain

    def test_of_trainings_can_be_named(self) -> None:
        assert readers(code="mine").version("25") == "mine"

    def test_of_the_general_model_depend_on_its_files(self, tmp_path: Path) -> None:
        copy = Path(shutil.copytree(newest_model(), tmp_path / "copy"))
        before = readers(copy).version("0")
        assert before == readers(code="mine").version("0")
        (copy / "model.onnx").write_bytes(b"another")
        assert readers(copy).version("0") != before


def test_each_reader_and_kind_has_its_own_folder(drawn_kinds: Path, tmp_path: Path) -> None:
    cells = make_cells(read_kinds(drawn_kinds), ["0", "25"], readers(), tmp_path)
    assert [cell.name for cell in cells] == [
        "digits, 0 labels",
        "letters, 0 labels",
        "digits, 25 labels",
        "letters, 25 labels",
    ]
    assert len({cell.place for cell in cells}) == 4
