"""`python -m app read PATH…`: lines on standard output, and the exit status."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from app.inference.images import FORMATS, SUFFIXES
from tests.command import Result
from tests.waiting import GENEROUS_SECONDS

Read = Callable[..., Result]
Start = Callable[..., subprocess.Popen[str]]
Finish = Callable[[subprocess.Popen[str]], Result]
Images = Callable[..., list[str]]

LABELS = ["4gm8x", "7ydp3", "b5wn6", "ef2ec"]
SUMMARY = re.compile(r"([\d,]+) read, ([\d,]+) errors?(?: \(([\d,]+) of them before\))?; [\d,]+ images/s, \d+\.\d s\n")

PEAK = """
import re, sys
from pathlib import Path
from app.__main__ import main

try:
    main()
finally:
    sys.stderr.write(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""
"""Run the command, and return the peak memory of its process in kilobytes."""


class TestLines:
    def test_a_file_is_read(self, read: Read, repository: Path) -> None:
        path = str(repository / "samples" / "b5wn6.png")
        result = read(path)
        assert result.status == 0
        ((name, text, confidence),) = result.rows
        assert (name, text) == (path, "b5wn6")
        assert re.fullmatch(r"0\.99\d{4}", confidence)
        assert SUMMARY.fullmatch(result.err)

    def test_a_folder_of_every_format_is_read_whatever_the_files_are_called(
        self, read: Read, folder: Path, samples: dict[str, bytes]
    ) -> None:
        (folder / "mixed").mkdir()
        for number, one in enumerate(FORMATS):
            with Image.open(io.BytesIO(samples["b5wn6"])) as sample:
                image = sample.convert("RGB")
            for suffix in {one.suffixes[0], SUFFIXES[number - 1].upper()}:
                image.save(folder / "mixed" / f"{one.name}{suffix}", one.name.upper())
        result = read("mixed")
        assert result.status == 0, result.err
        assert [row[1] for row in result.rows] == ["b5wn6"] * 2 * len(FORMATS)

    def test_files_folders_and_globs_come_in_their_order(self, read: Read, images: Images) -> None:
        first, second = images(3, "first"), images(5, "second")
        result = read("second", first[2], "f*/*-4*.png")
        assert [row[0] for row in result.rows] == [*second, first[2], first[0]]
        assert all(row[0].endswith(f"-{row[1]}.png") for row in result.rows)

    def test_json_lines_have_all_fields(self, read: Read, repository: Path) -> None:
        result = read("--json", repository / "samples")
        rows = [json.loads(line) for line in result.out.splitlines()]
        assert [row["text"] for row in rows] == LABELS
        for row in rows:
            assert list(row) == ["path", "text", "confidence", "character_confidences", "error"]
            assert len(row["character_confidences"]) == 5
            assert min(row["character_confidences"]) >= row["confidence"] > 0.99
            assert row["error"] is None

    def test_an_odd_name_stays_one_field(self, read: Read, folder: Path, samples: dict[str, bytes]) -> None:
        name = 'a\t"b"\n\\c ж.png'
        (folder / name).write_bytes(samples["b5wn6"])
        assert json.loads(read("--json", name).out)["path"] == name
        ((path, *_),) = csv.reader(io.StringIO(read(name).out, newline=""), "excel-tab")
        assert path == name

    def test_a_name_that_is_not_utf_8_is_unchanged(self, start: Start, folder: Path, samples: dict[str, bytes]) -> None:
        name = os.fsdecode(b"\xff.png")
        (folder / "odd").mkdir()
        (folder / "odd" / name).write_bytes(samples["b5wn6"])
        out, _ = start("--json", "odd").communicate(timeout=GENEROUS_SECONDS)
        assert json.loads(out)["path"] == f"odd/{name}"

    def test_a_folder_without_images_is_an_error_that_lists_its_files(self, read: Read, folder: Path) -> None:
        (folder / "drawings").mkdir()
        for name in ("a.svg", "b.svg"):
            (folder / "drawings" / name).touch()
        result = read("drawings")
        assert (result.status, result.out) == (2, "")
        assert "drawings contains no files ending in" in result.err
        assert "but 2 .svg files" in result.err

    def test_skipped_files_are_counted(self, read: Read, folder: Path, images: Images) -> None:
        images(1)
        (folder / "scans" / "notes.txt").touch()
        result = read("scans")
        assert result.status == 0
        assert result.err.startswith("skipped 1 .txt file\n1 read, 0 errors")


class TestOptions:
    def test_min_confidence_marks_accepted_texts(self, read: Read, repository: Path) -> None:
        result = read("--min-confidence", "0.9999", repository / "samples")
        assert result.status == 0
        for _, _, confidence, accepted in result.rows:
            assert accepted == str(float(confidence) >= 0.9999).lower()
        assert {row[3] for row in result.rows} == {"true", "false"}

    @pytest.mark.parametrize(
        ("options", "pattern"),
        [
            (["--length", "4"], ".{4}"),
            (["--charset", "234578"], "[234578]*"),
            (["--pattern", r"\d{2}[a-z]{2}"], r"\d{2}[a-z]{2}"),
        ],
    )
    def test_constraints_hold_for_every_text(
        self, read: Read, repository: Path, options: list[str], pattern: str
    ) -> None:
        rows = read(*options, repository / "samples").rows
        assert len(rows) == 4
        assert all(re.fullmatch(pattern, text) for _, text, _ in rows)

    def test_alternatives_come_best_first(self, read: Read, repository: Path) -> None:
        row = json.loads(read("--json", "--alternatives", "3", repository / "samples" / "ef2ec.png").out)
        best, *others = row["alternatives"]
        assert best == {"text": row["text"], "confidence": row["confidence"]}
        assert len(others) == 2
        assert all(best["confidence"] >= other["confidence"] for other in others)

    def test_an_unknown_variable_is_reported_with_a_suggestion(
        self, read: Read, repository: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OCR_DEFAULT_MODL", "general")
        monkeypatch.setenv("OCR_XYZZY", "1")
        result = read(repository / "samples" / "b5wn6.png")
        assert result.status == 0
        assert result.err.splitlines()[:-1] == [
            "warning: there is no setting OCR_DEFAULT_MODL; did you mean OCR_DEFAULT_MODEL?",
            "warning: there is no setting OCR_XYZZY",
        ]

    def test_the_newest_version_of_the_default_model_reads_by_default(
        self, read: Read, repository: Path, shipped_model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = folder / "store"
        for name in ("mine/9", "mine/10", "other/1"):
            (store / name).parent.mkdir(parents=True, exist_ok=True)
            (store / name).symlink_to(shipped_model)
        (store / "mine" / "9").unlink()
        (store / "mine" / "9").mkdir()
        monkeypatch.setenv("OCR_MODEL_STORE", str(store))
        monkeypatch.setenv("OCR_DEFAULT_MODEL", "mine")
        sample = repository / "samples" / "b5wn6.png"
        assert read(sample).rows[0][1] == "b5wn6"
        assert read("--model", "other", sample).rows[0][1] == "b5wn6"
        broken = read("--model-version", "9", sample)
        assert broken.status == 2
        assert "store/mine/9: configs.yaml" in broken.err


class TestErrors:
    @pytest.fixture
    def bad(self, folder: Path, samples: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """A folder of unreadable files, named by reason, with a readable one in the middle."""
        monkeypatch.setenv("OCR_MAX_UPLOAD_BYTES", "30000")
        monkeypatch.setenv("OCR_MAX_PIXELS", "40000")
        content: dict[str, Any] = {
            "a.png": (b"", "empty"),
            "b.jpg": (b"This is text.", "not a supported image"),
            "c.png": (samples["b5wn6"][:2000], "damaged"),
            "d.png": (b"\x89PNG\r\n\x1a\n" + bytes(30_000), "too large: at most 30,000 bytes"),
            "e.png": (cv2.imencode(".png", np.full((300, 300), 255, np.uint8))[1].tobytes(), "300×300 pixels"),
            "f.png": (samples["b5wn6"], ""),
        }
        (folder / "bad").mkdir()
        for name, (data, _) in content.items():
            (folder / "bad" / name).write_bytes(data)
        (folder / "bad" / "g.png").symlink_to(folder / "nowhere")
        (folder / "bad" / "h.png").symlink_to(folder)
        os.mkfifo(folder / "bad" / "i.png")
        reasons = {name: reason for name, (_, reason) in content.items()}
        return reasons | {"g.png": "No such file", "h.png": "Is a directory", "i.png": "not a regular file"}

    def test_bad_files_are_reported_on_standard_error_and_the_others_read(
        self, read: Read, bad: dict[str, str]
    ) -> None:
        result = read("bad")
        assert result.status == 1
        assert [row[:2] for row in result.rows] == [["bad/f.png", "b5wn6"]]
        *lines, summary = result.err.splitlines()
        assert summary.startswith("1 read, 8 errors; ")
        reasons = dict(line.split(": ", 1) for line in lines)
        assert list(reasons) == [f"bad/{name}" for name in bad if bad[name]]
        for path, reason in reasons.items():
            assert bad[path.removeprefix("bad/")] in reason

    def test_in_json_lines_they_are_rows_in_their_places(self, read: Read, bad: dict[str, str]) -> None:
        result = read("--json", "bad")
        assert result.status == 1
        assert result.err.count("\n") == 1
        for line, (name, reason) in zip(result.out.splitlines(), bad.items(), strict=True):
            row = json.loads(line)
            assert row["path"] == f"bad/{name}"
            if reason:
                assert reason in row["error"]
                assert row["text"] is row["confidence"] is row["character_confidences"] is None
            else:
                assert (row["text"], row["error"]) == ("b5wn6", None)

    def test_a_file_that_is_too_large_is_not_loaded(self, read: Read, folder: Path) -> None:
        with (folder / "huge.png").open("wb") as file:
            file.truncate(10**12)
        result = read("huge.png")
        assert result.status == 1
        assert "huge.png: The file is too large: at most 1,048,576 bytes (OCR_MAX_UPLOAD_BYTES)." in result.err

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["nowhere.png"], "There is no file or folder nowhere.png."),
            (["sample.png", "*.gif"], "No image matches *.gif."),
            (["samples.png"], "There is no file or folder samples.png. Did you mean sample.png?"),
            (["sample.png", "--output", "model_stor/x.csv"], "Did you mean model_store?"),
            (["sample.png", "--model", "mine"], "There is no model mine in model_store. Available: captcha, general."),
            (["sample.png", "--model-version", "1"], "There is no version 1 of captcha. Available: 2026"),
            (["sample.png", "--alternatives", "2"], "--alternatives needs --json or --output."),
            (["sample.png", "--charset", "ß"], "No text satisfies the charset"),
            (["sample.png", "--pattern", "(?=a)"], "pattern"),
            (["sample.png", "--pattern", "a263"], "No text satisfies the pattern: the model's vocabulary lacks 'a'."),
            (["sample.png", "--length", "0"], "--length"),
            (["sample.png", "--workers", "0"], "--workers"),
            ([], "PATH"),
        ],
    )
    def test_wrong_usage_is_reported_before_anything_is_read(
        self, read: Read, folder: Path, samples: dict[str, bytes], arguments: list[str], reason: str
    ) -> None:
        (folder / "sample.png").write_bytes(samples["b5wn6"])
        result = read(*arguments)
        assert result.status == 2
        assert result.out == ""
        assert reason in result.err.splitlines()[-1]


class TestInProcesses:
    def test_many_images_come_in_their_order(self, start: Start, finish: Finish, images: Images) -> None:
        paths = images(1000)
        (Path(paths[700])).unlink()
        Path(paths[700]).write_bytes(b"?")
        result = finish(start("--workers", "3", "scans"))
        assert result.status == 1
        assert [row[0] for row in result.rows] == paths[:700] + paths[701:]
        assert all(row[0].endswith(f"-{row[1]}.png") for row in result.rows)
        error, summary = result.err.splitlines()
        assert error.startswith(f"{paths[700]}: ")
        assert summary.startswith("999 read, 1 error; ")

    def test_the_reader_may_close_the_pipe(self, start: Start, images: Images) -> None:
        images(3000)  # more lines than the pipe and the reader's buffer hold
        process = start("--workers", "2", "scans")
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(timeout=GENEROUS_SECONDS)
        assert (process.returncode, err) == (1, "")

    @pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
    def test_an_interruption_ends_all_processes_and_is_reported(
        self, start: Start, finish: Finish, images: Images, stop: signal.Signals
    ) -> None:
        images(3000)
        process = start("--workers", "2", "scans")
        assert process.stdout is not None
        process.stdout.readline()
        os.killpg(process.pid, stop) if stop == signal.SIGINT else process.send_signal(stop)
        result = finish(process)  # returns when the last process has closed the pipes
        assert result.status == 130
        assert re.fullmatch(r"interrupted after [\d,]+ images\n", result.err)

    def test_a_killed_command_leaves_no_process_behind(self, start: Start, images: Images) -> None:
        images(3000)
        process = start("--workers", "2", "scans")
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.wait()
        process.communicate(timeout=GENEROUS_SECONDS)  # returns when the last process has closed the pipes

    @pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the greatest size of a process is in /proc")
    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_memory_does_not_grow_with_the_number_of_images(
        self, folder: Path, repository: Path, images: Images, workers: str
    ) -> None:
        def peak_kilobytes(count: int) -> int:
            long = "/".join([str(count), *["x" * 250] * 4])  # makes rows that are kept in memory measurable
            (folder / long).mkdir(parents=True)
            images(count, long)
            done = subprocess.run(
                [sys.executable, "-c", PEAK, "read", str(count), "--workers", workers, "--output", f"{count}.csv"],
                env=os.environ | {"PYTHONPATH": str(repository)},
                capture_output=True,
                text=True,
                check=False,
            )
            summary, peak = done.stderr.splitlines()
            assert summary.startswith(f"{count:,} read, 0 errors; ")
            return int(peak)

        assert peak_kilobytes(4000) < peak_kilobytes(400) + 2500
