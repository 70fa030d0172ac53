"""Checks of `python -m training train` before training: names, disk space, characters, splits."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.drawn import draw_plain_folder
from tests.training.commands.conftest import SMALL, run
from training.commands import common
from training.fitting.run import RunFolder


class TestTrain:
    def test_writes_errors_as_json_lines_for_programs(self, in_folder: Path) -> None:
        result = run("train", "--data", "nowhere", "--events")
        assert result.exit_code == 1
        assert json.loads(result.stdout) == {"event": "error", "message": "nowhere does not exist."}
        assert "nowhere does not exist" in result.stderr
        assert "event" not in run("train", "--data", "nowhere").stdout

    def test_does_not_add_a_version_without_an_explicit_name(self, few_digits: Path, in_folder: Path) -> None:
        (in_folder / "model_store" / "few").mkdir(parents=True)
        (few_digits / "labels.csv").write_text("path,label\n")
        for data in (few_digits, few_digits / "labels.csv"):
            result = run("train", "--data", data)
            assert result.exit_code == 1
            assert "add a version to it with --name few" in result.output

    @pytest.mark.parametrize("name", ["Bad Name/..", "../x", "", "a/b", ".hidden"])
    @pytest.mark.parametrize("option", [["--data", "few"], ["--resume"]])
    def test_rejects_names_that_are_not_folders_of_the_store(
        self, few_digits: Path, in_folder: Path, name: str, option: list[str]
    ) -> None:
        result = run("train", *option, "--name", name)
        assert result.exit_code == 1
        assert f'--name "{name}": use ASCII letters' in " ".join(result.output.split())
        assert sorted(path.name for path in in_folder.iterdir()) == ["few"]

    def test_checks_disk_space_first(self, few_digits: Path, in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        result = run("train", "--data", few_digits, "--output", "/proc/store/1")
        assert result.exit_code == 1
        assert "/proc cannot be written to" in result.output
        assert "--output" in result.output
        monkeypatch.setattr(common, "disk_usage", lambda _: SimpleNamespace(free=5 << 20))
        result = run("train", "--data", few_digits, "--name", "mine")
        assert result.exit_code == 1
        assert f"{in_folder} has 5 MB free" in result.output
        assert sorted(path.name for path in in_folder.iterdir()) == ["few"]

    @pytest.mark.parametrize(
        ("command", "instead"),
        [
            ("crossval --data few --output /proc/cv", "choose another folder with --output"),
            ("suspects --data few --output /proc/few.csv", "choose another file with --output"),
            ("pretrain --output /proc/store/1", "with --output, --weights and --run-dir"),
            ("pretrain --run-dir /proc/run", "with --output, --weights and --run-dir"),
            ("evaluate --model model_store/mine --data few --json /proc/few.json", "--json names the file to write"),
            ("validate --data few --json /proc/few.json", "--json names the file to write"),
        ],
    )
    def test_other_long_commands_check_disk_space_too(
        self, few_digits: Path, in_folder: Path, shipped_model: Path, command: str, instead: str
    ) -> None:
        (in_folder / "model_store").mkdir()
        (in_folder / "model_store" / "mine").symlink_to(shipped_model.parent)
        result = run(*command.split())
        assert result.exit_code == 1
        said = " ".join(result.output.split())
        assert "/proc cannot be written to" in said
        assert instead in said
        assert "words right" not in said

    def test_does_not_drop_characters_without_forget(
        self, prepare_run: Callable[..., RunFolder], in_folder: Path
    ) -> None:
        before = prepare_run(in_folder, images=60)
        draw_plain_folder(in_folder / "new", 30, seed=3, alphabet="0123", length=5)
        result = run("train", "--data", "new", "--init", before.path, *SMALL)
        assert result.exit_code == 1
        said = " ".join(result.output.split())
        assert f"lack 6 characters that {before.path} reads (456789)" in said
        assert f"convert new {before.train_csv} {before.val_csv} --output all.csv" in said
        assert "--forget" in said

    def test_keeps_the_splits_of_the_data(self, few_digits: Path, in_folder: Path) -> None:
        images = sorted(few_digits.iterdir())
        for image, part in zip(images, ["test", "val", "val", *["train"] * len(images)], strict=False):
            (in_folder / "set" / part).mkdir(parents=True, exist_ok=True)
            image.rename(in_folder / "set" / part / image.name)
        # An unknown --init is rejected after the data was split, and before training.
        result = run("train", "--data", "set", "--init", "nothing", "--name", "mine")
        assert result.exit_code == 1
        assert f"split as in the data: {len(images) - 3} train, 2 val, 1 test" in result.output
