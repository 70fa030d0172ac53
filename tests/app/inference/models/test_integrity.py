"""`SHA256SUMS` and `golden.png`: a folder that differs from the exported one does not load."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from app.inference.models.model import ImageToTextModel, ModelError

NAMES = ("configs.yaml", "model.onnx")


@pytest.fixture
def folder(tmp_path: Path, shipped_model: Path) -> Path:
    """A copy of the shipped model without the optional files."""
    for name in NAMES:
        shutil.copy(shipped_model / name, tmp_path)
    return tmp_path


def message(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        ImageToTextModel(folder)
    assert str(folder) not in str(caught.value)
    return str(caught.value)


def sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_sums(folder: Path, *names: str) -> None:
    lines = [f"{sum_of(folder / name)}  {name}\n" for name in names or NAMES]
    (folder / "SHA256SUMS").write_text("".join(lines))


def write_golden(folder: Path, image: bytes, text: str) -> None:
    (folder / "golden.png").write_bytes(image)
    (folder / "golden.txt").write_text(text)


class TestSums:
    def test_a_folder_needs_no_checksums(self, folder: Path) -> None:
        assert ImageToTextModel(folder).sums == {name: sum_of(folder / name) for name in NAMES}

    def test_files_that_match_the_checksums_load(self, folder: Path) -> None:
        (folder / "MODEL_CARD.md").write_text("# Card")
        write_sums(folder, *NAMES, "MODEL_CARD.md")
        assert set(ImageToTextModel(folder).sums) == {*NAMES, "MODEL_CARD.md", "SHA256SUMS"}

    def test_a_list_of_very_many_files_is_refused(self, folder: Path) -> None:
        (folder / "SHA256SUMS").write_text("".join(f"{'0' * 64}  {number}\n" for number in range(101)))
        assert message(folder) == "SHA256SUMS lists more than 100 files"

    @pytest.mark.parametrize("options", [(), ("--binary",)])
    def test_the_format_is_that_of_sha256sum(self, folder: Path, options: tuple[str, ...]) -> None:
        if not shutil.which("sha256sum"):
            pytest.skip("there is no sha256sum")
        with (folder / "SHA256SUMS").open("wb") as file:
            subprocess.run(["sha256sum", *options, *NAMES], cwd=folder, stdout=file, check=True)
        assert ImageToTextModel(folder).steps

    def test_upper_case_digits_are_accepted(self, folder: Path) -> None:
        (folder / "SHA256SUMS").write_text("".join(f"{sum_of(folder / name).upper()}  {name}\n" for name in NAMES))
        assert ImageToTextModel(folder).steps

    @pytest.mark.parametrize("name", [*NAMES, "MODEL_CARD.md"])
    def test_a_changed_file_is_named_with_both_checksums(self, folder: Path, name: str) -> None:
        (folder / "MODEL_CARD.md").write_text("# Card")
        write_sums(folder, *NAMES, "MODEL_CARD.md")
        was = sum_of(folder / name)
        (folder / name).write_bytes((folder / name).read_bytes()[:-1])
        assert message(folder) == f"{name} has the SHA-256 {sum_of(folder / name)}, but SHA256SUMS lists {was}"

    def test_a_missing_file_is_named(self, folder: Path) -> None:
        (folder / "MODEL_CARD.md").write_text("# Card")
        write_sums(folder, *NAMES, "MODEL_CARD.md")
        (folder / "MODEL_CARD.md").unlink()
        assert message(folder) == "MODEL_CARD.md cannot be read: No such file or directory"

    @pytest.mark.parametrize("name", NAMES)
    def test_network_and_configs_must_be_listed(self, folder: Path, name: str) -> None:
        write_sums(folder, *(other for other in NAMES if other != name))
        assert message(folder) == f"SHA256SUMS does not list {name}"

    def test_an_empty_list_is_refused(self, folder: Path) -> None:
        (folder / "SHA256SUMS").touch()
        assert message(folder) == "SHA256SUMS does not list configs.yaml"

    @pytest.mark.parametrize(
        "line",
        [
            "nonsense",
            "",
            "0" * 64,
            "0" * 64 + " model.onnx",
            "0" * 63 + "  model.onnx",
            "g" * 64 + "  model.onnx",
            "0" * 64 + "  ../secret",
            "0" * 64 + "  /etc/passwd",
            "0" * 64 + "  .",
            "0" * 64 + "  ..",
            "0" * 64 + "  sub/model.onnx",
            "0" * 64 + "  ..\\secret",
            "\\" + "0" * 64 + "  new\\nline",
            "0" * 64 + "  nul\0",
            "SHA256 (model.onnx) = " + "0" * 64,
        ],
    )
    def test_an_invalid_line_or_a_path_is_refused(self, folder: Path, line: str) -> None:
        write_sums(folder)
        with (folder / "SHA256SUMS").open("a") as file:
            file.write(f"{line}\n")
        assert message(folder) == "line 3 of SHA256SUMS is not '<SHA-256>  <file in this folder>'"

    def test_a_file_listed_twice_is_named(self, folder: Path) -> None:
        write_sums(folder, *NAMES, "model.onnx")
        assert message(folder) == "SHA256SUMS lists model.onnx twice"

    @pytest.mark.parametrize(
        ("content", "reason"),
        [(b"\xff" * 70, "SHA256SUMS is not UTF-8 text"), (b" " * 1_000_001, "SHA256SUMS is over 1,000,000 bytes")],
    )
    def test_a_binary_or_too_long_list_is_refused(self, folder: Path, content: bytes, reason: str) -> None:
        (folder / "SHA256SUMS").write_bytes(content)
        assert message(folder) == reason


class TestGolden:
    @pytest.mark.parametrize("end", ["", "\n"])
    def test_a_network_that_reads_the_golden_text_loads(
        self, folder: Path, samples: dict[str, bytes], end: str
    ) -> None:
        write_golden(folder, samples["ef2ec"], f"ef2ec{end}")
        assert ImageToTextModel(folder).steps

    @pytest.mark.parametrize("text", ["ef2ed", "", "ef2ec ", "ef2ec\n\n"])
    def test_a_network_that_reads_another_text_is_refused_with_both_texts(
        self, folder: Path, samples: dict[str, bytes], text: str
    ) -> None:
        write_golden(folder, samples["ef2ec"], text)
        said = text.removesuffix("\n")
        assert message(folder) == f"golden.png is read as 'ef2ec', but golden.txt says {said!r}"

    @pytest.mark.parametrize("missing", ["golden.png", "golden.txt"])
    def test_image_and_text_belong_together(self, folder: Path, samples: dict[str, bytes], missing: str) -> None:
        write_golden(folder, samples["ef2ec"], "ef2ec")
        (folder / missing).unlink()
        assert message(folder) == f"{missing} cannot be read: No such file or directory"

    @pytest.mark.parametrize(
        ("image", "reason"),
        [
            (b"no image", "golden.png cannot be decoded: The upload is not a supported image"),
            (b"\x89PNG\r\n\x1a\n", "golden.png cannot be decoded: The "),
            (bytes(1_000_001), "golden.png is over 1,000,000 bytes"),
        ],
    )
    def test_an_unreadable_image_is_refused(self, folder: Path, image: bytes, reason: str) -> None:
        write_golden(folder, image, "ef2ec")
        assert message(folder).startswith(reason)

    def test_an_invalid_text_is_refused(self, folder: Path, samples: dict[str, bytes]) -> None:
        write_golden(folder, samples["ef2ec"], "ef2ec")
        (folder / "golden.txt").write_bytes(b"\xff")
        assert message(folder) == "golden.txt is not UTF-8 text"

    def test_both_are_parts_of_the_model(self, folder: Path, samples: dict[str, bytes]) -> None:
        write_golden(folder, samples["ef2ec"], "ef2ec")
        assert set(ImageToTextModel(folder).sums) == {*NAMES, "golden.png", "golden.txt"}
