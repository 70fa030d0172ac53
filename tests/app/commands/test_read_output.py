"""`python -m app read PATH… --output FILE`: tables, and resuming after an interruption."""

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from app.bulk import formats
from app.bulk.job import CHUNK
from tests.app.commands.paused_read import CHUNKS
from tests.command import Result
from tests.waiting import GENEROUS_SECONDS

Read = Callable[..., Result]
Start = Callable[..., subprocess.Popen[str]]
Finish = Callable[[subprocess.Popen[str]], Result]
Images = Callable[..., list[str]]
Table = list[dict[str, Any]]


def read_csv(path: str) -> Table:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_jsonl(path: str) -> Table:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def read_table(path: str) -> Table:
    """Return the rows of a file in any of the three formats."""
    if path.endswith(".parquet"):
        rows: Table = pq.read_table(path).to_pylist()
        return rows
    return read_csv(path) if path.endswith(".csv") else read_jsonl(path)


def raising(error: BaseException) -> Callable[..., None]:
    """A function that only raises."""

    def stand_in(*_: object) -> None:
        raise error

    return stand_in


class TestTables:
    OPTIONS = ("--min-confidence", "0.9999", "--alternatives", "2")
    COLUMNS = ("path", "text", "confidence", "character_confidences", "alternatives", "accepted", "error")

    @pytest.fixture
    def scans(self, images: Images) -> list[str]:
        """Five images, the fourth of them damaged."""
        paths = images(5)
        Path(paths[3]).unlink()
        Path(paths[3]).write_bytes(b"?")
        return paths

    def test_json_lines(self, read: Read, scans: list[str]) -> None:
        result = read("scans", "--output", "out.jsonl", *self.OPTIONS)
        assert (result.status, result.out) == (1, "")
        assert result.err.startswith("4 read, 1 error; ")
        assert result.err.count("\n") == 1
        assert Path("out.jsonl").read_text() == read("scans", "--json", *self.OPTIONS).out
        table = read_jsonl("out.jsonl")
        assert [row["path"] for row in table] == scans
        assert all(tuple(row) == self.COLUMNS for row in table)

    def test_csv_has_the_same_in_cells(self, read: Read, scans: list[str]) -> None:
        read("scans", "--output", "out.csv", *self.OPTIONS)
        expected = read("scans", "--json", *self.OPTIONS)
        for row, line in zip(read_csv("out.csv"), expected.out.splitlines(), strict=True):
            values = json.loads(line)
            assert tuple(row) == self.COLUMNS
            if values["error"]:
                assert row == dict.fromkeys(self.COLUMNS, "") | {"path": scans[3], "error": values["error"]}
                continue
            assert (row["path"], row["text"], row["error"]) == (values["path"], values["text"], "")
            assert float(row["confidence"]) == values["confidence"]
            assert [float(cell) for cell in row["character_confidences"].split()] == values["character_confidences"]
            assert json.loads(row["alternatives"]) == values["alternatives"]
            assert row["accepted"] == str(values["accepted"]).lower()

    def test_parquet_has_the_same_with_types_and_in_row_groups(
        self, read: Read, scans: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(formats, "ROW_GROUP", 2)
        read("scans", "--output", "out.parquet", *self.OPTIONS)
        expected = read("scans", "--json", *self.OPTIONS)
        file = pq.ParquetFile("out.parquet")
        assert file.read().to_pylist() == [json.loads(line) for line in expected.out.splitlines()]
        assert file.metadata.num_row_groups == 3
        assert list(Path().glob("*out.parquet*")) == [Path("out.parquet")]

    @pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
    def test_columns_exist_only_if_requested(self, read: Read, images: Images, name: str) -> None:
        images(1)
        read("scans", "--output", name)
        (row,) = read_table(name)
        assert list(row) == ["path", "text", "confidence", "character_confidences", "error"]

    def test_no_images_make_no_table(self, read: Read, folder: Path) -> None:
        (folder / "empty").mkdir()
        assert read("empty", "--output", "out.csv").status == 2
        assert list(folder.glob("out.csv*")) == []

    def test_a_csv_makes_neither_rows_of_a_bare_cr_nor_formulas(
        self, read: Read, folder: Path, samples: dict[str, bytes]
    ) -> None:
        names = ["a\rb.png", "=1+1.png"]
        for name in names:
            (folder / name).write_bytes(samples["b5wn6"])
        assert read(*names, "--output", "out.csv").status == 0
        assert '"a\rb.png","b5wn6"' in Path("out.csv").read_bytes().decode()
        assert "\n'=1+1.png,b5wn6," in Path("out.csv").read_bytes().decode()
        assert read(*names, "--output", "out.jsonl").status == 0
        assert [row["path"] for row in read_jsonl("out.jsonl")] == names

    @pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
    def test_a_path_need_not_be_utf_8(self, read: Read, folder: Path, samples: dict[str, bytes], name: str) -> None:
        path = os.fsdecode(b"\xff") + "ж.png"
        (folder / path).write_bytes(samples["b5wn6"])
        assert read(path, "--output", name).status == 0
        content = Path(name).read_bytes()
        if name == "out.csv":
            assert os.fsencode(path) in content
        elif name == "out.jsonl":
            assert read_jsonl(name)[0]["path"] == path
        else:
            assert pq.read_table(name)["path"].to_pylist() == ["\N{REPLACEMENT CHARACTER}ж.png"]


class TestWrongUsage:
    @pytest.mark.parametrize("name", ["out.txt", "out", "out.csv.gz"])
    def test_the_suffix_must_be_one_of_three(self, read: Read, images: Images, name: str) -> None:
        images(1)
        result = read("scans", "--output", name)
        assert result.status == 2
        assert result.err == f"error: {name}: the name of the output must end with .csv, .jsonl or .parquet.\n"

    def test_without_pyarrow_parquet_is_refused_with_what_to_install(
        self, read: Read, images: Images, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        images(1)
        monkeypatch.setattr(formats, "find_spec", lambda _: None)
        result = read("scans", "--output", "out.parquet")
        assert result.status == 2
        assert "python -m pip install pyarrow" in result.err
        assert read("scans", "--output", "out.csv").status == 0

    def test_an_existing_output_is_replaced_only_with_force(self, read: Read, images: Images) -> None:
        images(1)
        Path("out.csv").write_text("precious\n")
        result = read("scans", "--output", "out.csv")
        assert result.status == 2
        assert "out.csv already exists" in result.err
        assert Path("out.csv").read_text() == "precious\n"
        assert read("scans", "--output", "out.csv", "--force").status == 0
        assert len(read_csv("out.csv")) == 1

    @pytest.mark.parametrize(
        ("name", "reason"),
        [("nowhere/out.csv", "There is no folder nowhere;"), ("folder.csv", "folder.csv is a folder;")],
    )
    def test_the_output_must_be_a_file_in_an_existing_folder(
        self, read: Read, images: Images, name: str, reason: str
    ) -> None:
        images(1)
        Path("folder.csv").mkdir()
        result = read("scans", "--output", name, "--force")
        assert result.status == 2
        assert reason in result.err

    def test_json_is_for_standard_output(self, read: Read, images: Images) -> None:
        images(1)
        assert read("scans", "--json", "--output", "out.csv").status == 2

    def test_the_command_can_be_corrected_after_a_wrong_constraint(self, read: Read, images: Images) -> None:
        images(1)
        assert read("scans", "--output", "out.csv", "--pattern", "(").status == 2
        assert read("scans", "--output", "out.csv", "--pattern", ".*").status == 0


class TestResuming:
    COUNT = (CHUNKS + 3) * CHUNK

    @pytest.fixture
    def scans(self, images: Images) -> list[str]:
        """Return more images than a paused command reads."""
        return images(self.COUNT)

    @staticmethod
    def rows_of(name: str) -> int:
        """Return the number of rows in the partial file of an output."""
        try:
            return Path(f"{name}.partial").read_bytes().count(b"\n") - 1
        except FileNotFoundError:
            return 0

    def wait_for_rows(self, process: subprocess.Popen[str], name: str = "out.csv") -> None:
        """Wait until a command has written rows, but not all."""
        while self.rows_of(name) < 1:
            assert process.poll() is None
            time.sleep(0.002)

    def stop_amid(self, process: subprocess.Popen[str], stop: signal.Signals, name: str = "out.csv") -> int:
        """Send a signal to the group of a command when it has written rows; return their number."""
        self.wait_for_rows(process, name)
        if stop == signal.SIGKILL:
            process.kill()
        else:
            os.killpg(process.pid, stop)
        process.wait(timeout=GENEROUS_SECONDS)
        return self.rows_of(name)

    @pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
    def test_after_kill_9_no_row_is_lost_and_none_doubled(
        self, start_paused: Start, start: Start, finish: Finish, scans: list[str], name: str
    ) -> None:
        command = ("scans", "--workers", "2", "--output", name)
        done = self.stop_amid(start_paused(*command), signal.SIGKILL, name)
        assert not Path(name).exists()
        with Path(f"{name}.partial").open("ab") as file:
            file.write(f'{{"path": "{scans[done]}", "te'.encode())  # as if killed while it wrote
        again = finish(start(*command))
        assert again.status == 0
        assert f"{self.COUNT:,} read, 0 errors ({done:,} by an earlier run); " in again.err
        table = read_table(name)
        assert [row["path"] for row in table] == scans
        assert all(row["path"].endswith(f"-{row['text']}.png") for row in table)
        assert list(Path().glob("*out.*")) == [Path(name)]

    def test_ctrl_c_says_that_the_same_command_resumes(self, start_paused: Start, read: Read, scans: list[str]) -> None:
        Path(scans[0]).unlink()
        Path(scans[0]).write_bytes(b"?")
        process = start_paused("scans", "--workers", "2", "--output", "out.csv")
        done = self.stop_amid(process, signal.SIGINT)
        _, err = process.communicate()
        assert process.returncode == 130
        # The last rows may be written but not yet counted.
        assert err in {
            f"interrupted after {count:,} images; the same command resumes\n" for count in (done, done - CHUNK)
        }
        again = read("scans", "--workers", "1", "--output", "out.csv")
        assert again.status == 1  # the error is among the earlier rows
        assert f"({done:,} by an earlier run)" in again.err
        assert [row["path"] for row in read_csv("out.csv")] == scans

    @pytest.fixture
    def interrupted(self, read: Read, images: Images) -> list[str]:
        """Ten images, and `out.csv.partial` of a run that wrote six and half of the seventh."""
        paths = images(10)
        read("scans", "--output", "out.jsonl")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("app.bulk.engines.processes.write_output", raising(KeyboardInterrupt()))
            assert read("scans", "--output", "out.csv").status == 130
        partial = Path("out.csv.partial")
        partial.write_bytes(b"".join(partial.read_bytes().splitlines(keepends=True)[:7]) + b'{"path"')
        return paths

    def test_the_rows_are_what_an_uninterrupted_run_writes(self, read: Read, interrupted: list[str]) -> None:
        assert "10 read, 0 errors (6 by an earlier run)" in read("scans", "--output", "out.csv").err
        rows = [(row["path"], row["text"], float(row["confidence"])) for row in read_csv("out.csv")]
        assert rows == [(row["path"], row["text"], row["confidence"]) for row in read_jsonl("out.jsonl")]

    @pytest.mark.parametrize(
        ("options", "environment", "reason"),
        [
            (["--length", "5"], {}, "length was None, is now 5"),
            ([], {"OCR_MAX_PIXELS": "5"}, "max_pixels was 4000000, is now 5"),
            (["--model", "other"], {}, "model was captcha, is now other"),
        ],
    )
    def test_other_options_or_another_model_are_refused(
        self,
        read: Read,
        interrupted: list[str],
        monkeypatch: pytest.MonkeyPatch,
        folder: Path,
        shipped_model: Path,
        options: list[str],
        environment: dict[str, str],
        reason: str,
    ) -> None:
        (folder / "model_store").unlink()
        for name in ("captcha", "other"):
            (folder / "model_store" / name).mkdir(parents=True)
            (folder / "model_store" / name / shipped_model.name).symlink_to(shipped_model)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        before = Path("out.csv.partial").read_bytes()
        result = read("scans", "--output", "out.csv", *options)
        assert result.status == 2
        assert reason in result.err
        assert "--restart" in result.err
        assert Path("out.csv.partial").read_bytes() == before
        assert read("scans", "--output", "out.csv", *options, "--restart").status == ("OCR_MAX_PIXELS" in environment)
        assert len(read_csv("out.csv")) == 10

    def test_other_images_are_refused(self, read: Read, interrupted: list[str]) -> None:
        Path(interrupted[2]).rename("scans/new.png")
        result = read("scans", "--output", "out.csv")
        assert result.status == 2
        assert f"image 3, {interrupted[2]}, is now {interrupted[3]}" in result.err

    def test_images_added_after_the_finished_ones_are_read(self, read: Read, interrupted: list[str]) -> None:
        Path("scans/99999-b5wn6.png").write_bytes(Path(interrupted[2]).read_bytes())
        assert "11 read" in read("scans", "--output", "out.csv").err

    def test_after_the_last_image_only_the_table_is_written(self, read: Read, interrupted: list[str]) -> None:
        read("scans", "--output", "out.csv")
        rows = Path("out.jsonl").read_bytes()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("app.bulk.engines.processes.write_output", raising(OSError(28, "Detail: [errno 28]")))
            result = read("scans", "--output", "out.jsonl", "--force")
        assert result.status == 1
        said = "error: out.jsonl: No space left on device; the same command resumes."
        assert result.err.splitlines()[-1] == said
        assert Path("out.jsonl").read_bytes() == rows
        assert "(10 by an earlier run)" in read("scans", "--output", "out.jsonl").err
        assert Path("out.jsonl").read_bytes() == rows
        assert not Path("out.jsonl.partial").exists()

    def test_two_commands_do_not_write_the_same_file(self, start_paused: Start, read: Read, scans: list[str]) -> None:
        self.wait_for_rows(start_paused("scans", "--workers", "2", "--output", "out.csv"))
        result = read("scans", "--output", "out.csv")
        assert result.status == 2
        assert "Another process is writing out.csv.partial." in result.err
