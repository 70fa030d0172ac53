"""Decisions: saved on disk at once, in a form for `train`, even if the process is killed."""

import os
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.shared.errors import UserError
from tests.properties import examples
from tests.training.labelling.conftest import NAMES, write_image
from training.data.dataset import DataError, Sample
from training.data.layouts import read_samples
from training.labelling.decisions import Decision, Decisions, Kind, LabelError, clean_label, lock_labels
from training.labelling.images import find_images

Open = Callable[[], Decisions]
UNREADABLE, SKIPPED = Decision(Kind.UNREADABLE), Decision(Kind.SKIPPED)


def labelled(label: str, guess: str = "", model: str = "") -> Decision:
    return Decision(Kind.LABEL, label, guess, model)


def test_labels_can_be_read_by_a_training(open_decisions: Open, folder: Path) -> None:
    decisions = open_decisions()
    for number, label in enumerate(["a,b", '"', "é", "x y"]):
        decisions.record(number, labelled(label, "guess", "captcha/1"))
    expected = [Sample(folder / name, label) for name, label in zip(NAMES, ["a,b", '"', "é", "x y"], strict=True)]
    assert sorted(read_samples(folder / "labels.csv")) == expected == decisions.samples()


def test_reopening_restores_all_decisions_in_order(open_decisions: Open) -> None:
    decisions = open_decisions()
    made = {3: SKIPPED, 1: UNREADABLE, 2: labelled("x", "y", "captcha/1"), 0: labelled("z")}
    for number, decision in made.items():
        decisions.record(number, decision)
    assert list(open_decisions().all.items()) == list(decisions.all.items()) == list(made.items())


def test_images_without_a_label_are_not_in_the_training_table(open_decisions: Open, folder: Path) -> None:
    decisions = open_decisions()
    decisions.record(0, labelled("x"))
    decisions.record(1, UNREADABLE)
    decisions.record(2, SKIPPED)
    assert [sample.label for sample in read_samples(folder / "labels.csv")] == ["x"]
    assert (folder / "labels.set-aside.csv").read_text() == (
        'path,decision\n"b, c.jpg",unreadable\nsub/d é.webp,skipped\n'
    )


def test_a_later_decision_replaces_an_earlier_one(open_decisions: Open, folder: Path) -> None:
    decisions = open_decisions()
    for decision in (labelled("x"), labelled("y"), UNREADABLE, SKIPPED, labelled("z")):
        decisions.record(0, decision)
        assert open_decisions().all == {0: decision}
    assert [sample.label for sample in read_samples(folder / "labels.csv")] == ["z"]


def test_labels_edited_by_hand_are_used(open_decisions: Open, folder: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "é")
    (folder / "labels.csv").write_text(
        f"path,label\n{folder / 'a.png'},{decomposed}\nsub/../sub/d é.webp,d\nelsewhere.png,e\nsub/sub/e.PNG,\n"
    )
    decisions = open_decisions()
    assert decisions.all == {0: labelled("é"), 2: labelled("d")}
    decisions.record(0, labelled("new"))
    rows = (folder / "labels.csv").read_text().splitlines()
    assert rows[1:] == ["sub/../sub/d é.webp,d,,", "elsewhere.png,e,,", "sub/sub/e.PNG,,,", f"{folder / 'a.png'},new,,"]


def test_the_label_file_may_be_elsewhere(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tables").mkdir()
    file = tmp_path / "tables" / "mine.csv"
    decisions = Decisions(file, find_images(folder))
    decisions.record(0, labelled("x"))
    decisions.record(1, UNREADABLE)
    monkeypatch.chdir("/")
    assert [sample.path.resolve() for sample in read_samples(file)] == [folder / "a.png"]
    assert sorted(path.name for path in file.parent.iterdir()) == ["mine.csv", "mine.set-aside.csv"]


def test_a_label_added_by_another_program_is_loaded(open_decisions: Open, folder: Path) -> None:
    decisions = open_decisions()
    decisions.record(0, labelled("x"))
    (folder / "labels.csv").write_text('path,label\n"b, c.jpg",theirs\n')
    decisions.refresh()
    assert decisions.all == {1: labelled("theirs")}


@pytest.mark.parametrize("wrong", ["label", "lost", ""])
def test_an_unknown_decision_is_rejected(open_decisions: Open, folder: Path, wrong: str) -> None:
    (folder / "labels.set-aside.csv").write_text(f"path,decision\na.png,{wrong}\n")
    with pytest.raises(DataError, match=rf"about a\.png must be unreadable or skipped, not '{wrong}'"):
        open_decisions()


class TestALabel:
    def test_is_normalised_without_surrounding_spaces(self) -> None:
        assert clean_label(f" a {unicodedata.normalize('NFD', 'é')}\n") == "a é"

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [(" ", "Enter a label"), ("a\tb", r"U\+0009"), ("a\u2028b", r"U\+2028"), ("x" * 501, "at most 500 characters")],
    )
    def test_that_no_image_can_show_is_rejected(self, text: str, complaint: str) -> None:
        with pytest.raises(LabelError, match=complaint):
            clean_label(text)


class TestTheLock:
    def test_admits_one_command(self, folder: Path) -> None:
        file = folder / "labels.csv"
        with lock_labels(file):
            with (
                pytest.raises(DataError, match=r"Another labelling command uses .*labels\.csv"),
                lock_labels(file),
            ):
                pass
            with lock_labels(folder / "others.csv"):
                pass
        with lock_labels(file):
            pass
        assert sorted(path.name for path in folder.glob("*.csv*")) == []

    def test_of_a_killed_command_is_released(self, folder: Path) -> None:
        (folder / ".labels.csv.lock").touch()
        with lock_labels(folder / "labels.csv"):
            pass

    @pytest.mark.parametrize(("name", "complaint"), [("sub", "is a folder"), ("no/labels.csv", "There is no folder")])
    def test_needs_a_valid_path(self, folder: Path, name: str, complaint: str) -> None:
        with pytest.raises(UserError, match=f"{complaint}.*--labels names the file"), lock_labels(folder / name):
            pass

    def test_needs_a_writable_folder(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def read_only(**_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("app.shared.outputs.TemporaryFile", read_only)
        complaint = r"images cannot be written to \(Permission denied\); --labels names the file to write"
        with pytest.raises(UserError, match=complaint), lock_labels(folder / "labels.csv"):
            pass


class Disk:
    """The content of a folder before and after each call that changes it permanently."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.moments: list[dict[str, bytes]] = []

    def look(self) -> None:
        self.moments.append({path.name: path.read_bytes() for path in self.folder.iterdir()})

    @contextmanager
    def watched(self) -> Iterator[None]:
        def watching(call: Callable[..., Any]) -> Callable[..., Any]:
            def watched_call(*arguments: Any, **options: Any) -> Any:
                self.look()
                result = call(*arguments, **options)
                self.look()
                return result

            return watched_call

        with (
            mock.patch.object(os, "fsync", watching(os.fsync)),
            mock.patch.object(Path, "replace", watching(Path.replace)),
            mock.patch.object(Path, "unlink", watching(Path.unlink)),
        ):
            yield


LABELS = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=4).map(clean_label)
DECISIONS = st.one_of(
    st.builds(labelled, LABELS, LABELS, st.sampled_from(["", "captcha/1"])), st.just(UNREADABLE), st.just(SKIPPED)
)


@examples(40)
@given(made=st.lists(st.tuples(st.integers(0, 2), DECISIONS), min_size=1, max_size=6), data=st.data())
def test_acknowledged_decisions_survive_a_kill_at_any_moment(
    made: list[tuple[int, Decision]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as name:
        images, tables, after_kill = (Path(name) / part for part in ("images", "tables", "after"))
        for image in ("0.png", "1.png", "2.png"):
            write_image(images / image)
        tables.mkdir()
        decisions, disk = Decisions(tables / "labels.csv", find_images(images)), Disk(tables)
        acknowledged: dict[int, Decision] = {}
        for number, decision in made:
            disk.moments.clear()
            with disk.watched():
                decisions.record(number, decision)
            asked = acknowledged | {number: decision}
            for moment in disk.moments:
                shutil.rmtree(after_kill, ignore_errors=True)
                after_kill.mkdir()
                for file, content in moment.items():
                    # An unfinished file may be on disk up to any byte.
                    end = data.draw(st.integers(0, len(content))) if file.endswith(".tmp") else len(content)
                    (after_kill / file).write_bytes(content[:end])
                found = Decisions(after_kill / "labels.csv", find_images(images))
                assert dict(found.all) in (acknowledged, asked)
                if found.samples():
                    read = [sample.label for sample in read_samples(after_kill / "labels.csv")]
                    assert sorted(read) == sorted(sample.label for sample in found.samples())
            acknowledged = asked
            assert dict(Decisions(tables / "labels.csv", find_images(images)).all) == acknowledged
