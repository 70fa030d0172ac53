"""The stages of reading, in sequence."""

from pathlib import Path

from app.inference.images import check_image
from app.inference.images.limits import DEFAULT_LIMITS
from app.inference.models.model import GROUP_IMAGES, ImageToTextModel
from benchmarks.reading import fill_folder
from benchmarks.sections.sequence import FOLDER_STAGES, STAGES, kinds_of_upload, read_in_groups, read_in_sequence


def test_every_kind_of_upload_has_its_format(repository: Path) -> None:
    kinds = kinds_of_upload([repository / "samples" / "b5wn6.png"])
    formats = {kind: check_image(files[0], DEFAULT_LIMITS).format for kind, files in kinds.items()}
    assert {kind: kind.split(",")[0] for kind in formats} == {kind: name.upper() for kind, name in formats.items()}
    assert len(kinds["PNG, larger"][0]) > 10_000 > len(kinds["PNG"][0])


def test_every_stage_takes_its_time(repository: Path, shipped_model: Path) -> None:
    files = [(repository / "samples" / "b5wn6.png").read_bytes()]
    times = read_in_sequence(ImageToTextModel(shipped_model), files)
    assert times.keys() == STAGES.keys()
    assert all(microseconds > 0 for microseconds in times.values())


def test_every_stage_of_a_folder_takes_its_time(repository: Path, shipped_model: Path, tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "folder", [repository / "samples" / "b5wn6.png"], GROUP_IMAGES)
    times = read_in_groups(shipped_model, folder)
    assert times.keys() == {*FOLDER_STAGES, "total"}
    assert times["total"] > times["decode"] > 0
