"""Suspects: each is reviewed once, and the table is corrected."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.training.labelling.conftest import NAMES, write_image
from training.__main__ import app
from training.data.dataset import DataError
from training.data.layouts import LayoutName, read_dataset, read_samples
from training.data.suspects import Suspect, write_suspects
from training.labelling.decisions import Decision, Decisions, Kind
from training.labelling.images import find_images
from training.labelling.pace import agreement
from training.labelling.schemas import Task
from training.labelling.session import ConflictError, Session
from training.labelling.suspects import find_suspects, in_words, review_commands

LABELS = 'path,label,note\r\n./a.png,1234,"a, b"\r\n"b, c.jpg",5678,\r\nsub/d é.webp,9012,\r\nlost.png,1,\r\n'
"""Labels of three of the four images, in the format of another program."""
Start = Callable[[], Session]


@pytest.fixture
def labels(folder: Path) -> Path:
    (folder / "labels.csv").write_text(LABELS, newline="")
    return folder / "labels.csv"


@pytest.fixture
def suspects(folder: Path, labels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of suspects in the current folder."""
    monkeypatch.chdir(folder.parent)
    found = [Suspect("images/b, c.jpg", "5678", "5673", 0.99), Suspect("images/a.png", "1234", "1284", 0.9)]
    write_suspects(found, folder.parent / "suspects.csv")
    return folder.parent / "suspects.csv"


@pytest.fixture
def start(folder: Path, suspects: Path) -> Start:
    """Return a function that starts a session like the command does."""

    def start() -> Session:
        images = find_images(folder)
        decisions = Decisions(folder / "labels.csv", images)
        session = Session(images, decisions)
        session.suspects = find_suspects(suspects, images, decisions)
        return session

    return start


def take(session: Session, tab: str = "tab") -> Task:
    task = session.next_task(tab)
    assert task is not None
    return task


def decide(session: Session, kind: Kind, label: str = "", tab: str = "tab") -> None:
    task = take(session, tab)
    session.decide(tab, task.number, Decision(kind, label), task.revision)


def names(session: Session) -> list[str]:
    return [session.images.names[number] for number in session.open_suspects()]


class TestASuspect:
    def test_comes_first_with_its_label_and_the_reading(self, start: Start) -> None:
        session = start()
        task = take(session)
        assert (task.name, task.kind, task.label) == (NAMES[1], Kind.LABEL, "5678")
        assert task.suspect is not None
        assert task.suspect.model_dump() == {"label": "5678", "reading": "5673", "confidence": 0.99, "is_open": True}
        assert session.status("tab").suspects_left == 2

    def test_that_was_kept_or_corrected_does_not_come_again(self, start: Start) -> None:
        session = start()
        decide(session, Kind.LABEL, "5678")
        assert take(session).name == NAMES[0]
        assert names(start()) == [NAMES[0]]
        decide(session, Kind.LABEL, "1284")
        assert session.status("tab").suspects_left == 0
        for one in (session, start()):
            assert names(one) == []
            assert take(one).name == NAMES[3]  # which has no label yet

    def test_does_not_change_other_rows(self, start: Start, labels: Path) -> None:
        session = start()
        decide(session, Kind.LABEL, "5678")
        decide(session, Kind.LABEL, "1234")
        assert labels.read_text() == (
            "path,label,note,guess,model\nsub/d é.webp,9012,,,\nlost.png,1,,,\n"
            '"b, c.jpg",5678,,5673,suspects\n./a.png,1234,"a, b",1284,suspects\n'
        )

    def test_that_is_unreadable_loses_its_label_and_does_not_come_again(self, start: Start, labels: Path) -> None:
        decide(start(), Kind.UNREADABLE)
        assert names(start()) == [NAMES[0]]
        assert "5678" not in labels.read_text()

    def test_that_is_skipped_keeps_its_label_and_comes_after_the_others(self, start: Start) -> None:
        session = start()
        decide(session, Kind.SKIPPED)
        assert names(session) == [NAMES[0], NAMES[1]]
        assert names(start()) == [NAMES[1], NAMES[0]]
        decide(session, Kind.LABEL, "1234")
        task = take(session)
        assert (task.name, task.label) == (NAMES[1], "5678")
        assert session.status("tab").labelled == 3

    def test_whose_label_has_changed_does_not_come(self, start: Start, labels: Path) -> None:
        session = start()
        labels.write_text(LABELS.replace("5678", "5673"))
        assert take(session).name == NAMES[0]
        assert names(start()) == [NAMES[0]]

    def test_comes_again_if_another_text_is_read(self, start: Start, suspects: Path) -> None:
        decide(start(), Kind.LABEL, "5678")
        write_suspects([Suspect("images/b, c.jpg", "5678", "6678", 0.99)], suspects)
        assert names(start()) == [NAMES[1]]

    def test_can_be_corrected_again_and_stays_decided(self, start: Start) -> None:
        session = start()
        decide(session, Kind.LABEL, "5673")
        task = session.previous_task("tab", take(session).number)
        assert task is not None
        assert task.suspect is not None
        assert (task.name, task.label, task.suspect.label, task.suspect.is_open) == (NAMES[1], "5673", "5678", False)
        session.decide("tab", task.number, Decision(Kind.LABEL, "5678"), task.revision)
        assert names(start()) == [NAMES[0]]

    def test_is_not_reached_by_going_back(self, start: Start) -> None:
        session = start()
        task = session.previous_task("tab", take(session).number)
        assert task is not None
        assert task.name == NAMES[2]
        assert [one.name for one in session.status("tab").last] == [NAMES[2]]

    def test_that_looks_like_a_formula_is_read_as_a_training_reads_it(
        self, start: Start, labels: Path, suspects: Path
    ) -> None:
        labels.write_text("path,label\na.png,'-12\n")
        assert [sample.label for sample in read_samples(labels)] == ["-12"]
        write_suspects([Suspect("images/a.png", "-12", "-72", 0.99)], suspects)
        assert names(start()) == [NAMES[0]]


class TestTabs:
    def test_share_the_suspects(self, start: Start) -> None:
        session = start()
        assert [take(session, tab).name for tab in ("one", "two", "three")] == [NAMES[1], NAMES[0], NAMES[3]]

    def test_do_not_overwrite_each_others_decisions(self, start: Start) -> None:
        session = start()
        task = take(session)
        session.decide("other", task.number, Decision(Kind.LABEL, "5678"), task.revision)
        with pytest.raises(ConflictError, match='was labelled "5678" elsewhere'):
            session.decide("tab", task.number, Decision(Kind.LABEL, "5673"), task.revision)


def test_contradicting_readings_do_not_count_as_guesses(start: Start) -> None:
    session = start()
    decide(session, Kind.LABEL, "5673")
    assert agreement(Decisions(session.images.root / "labels.csv", session.images).all.values())[0].labels == 0


def test_the_summary_counts_undecided_decided_and_outdated_suspects(start: Start, labels: Path, suspects: Path) -> None:
    def said(session: Session) -> str:
        return in_words(session.suspects, Decisions(labels, session.images).all)

    assert said(start()) == "2 of 2 suspects to review"
    decide(start(), Kind.UNREADABLE)
    assert said(start()) == "1 of 2 suspects to review, 1 already decided"
    labels.write_text(labels.read_text().replace("1234", "1235"))
    assert said(start()) == (
        "0 of 2 suspects to review, 1 already decided, 1 skipped because their labels have changed"
    )


class TestAFileOfSuspects:
    def read(self, file: Path, folder: Path) -> list[int]:
        images = find_images(folder)
        return list(find_suspects(file, images, Decisions(folder / "labels.csv", images)))

    def test_may_be_beside_the_images_with_relative_paths(self, folder: Path, suspects: Path) -> None:
        write_suspects([Suspect("sub/d é.webp", "9012", "9", 0.9)], folder / "found.csv")
        assert self.read(folder / "found.csv", folder) == [2]

    def test_with_images_outside_the_folder_is_rejected(self, folder: Path, suspects: Path) -> None:
        write_image(folder.parent / "elsewhere" / "a.png")
        write_suspects(
            [Suspect("elsewhere/a.png", "1234", "1284", 0.9), Suspect("images/a.png", "1", "2", 1)], suspects
        )
        with pytest.raises(DataError) as caught:
            self.read(suspects, folder)
        assert f"1 of 2 images (elsewhere/a.png) are not in {folder}; give the folder" in str(caught.value)

    def test_with_unlabelled_images_is_rejected(self, folder: Path, suspects: Path, labels: Path) -> None:
        labels.unlink()
        with pytest.raises(DataError) as caught:
            self.read(suspects, folder)
        assert f"2 of 2 images (images/b, c.jpg, images/a.png) are without a label in {labels}" in str(caught.value)
        assert "`training convert DATA --output FILE` writes it" in str(caught.value)


class TestReviewCommands:
    @pytest.fixture
    def named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Return a folder of images named by their labels, in the current folder."""
        monkeypatch.chdir(tmp_path)
        for label in ("1234", "5678"):
            write_image(tmp_path / "named" / f"{label}.png")
        return Path("named")

    def run(self, data: Path, file: Path) -> list[list[str]]:
        """Return the words of each command, having run all but the last."""
        first = read_samples(data)[0]
        write_suspects([Suspect(first.path.as_posix(), first.label, "x", 0.9)], file)
        commands = [shlex.split(line) for line in review_commands(file, read_dataset(data), data, None, None)]
        words = [command[command.index("training") + 1 :] for command in commands]
        for command in words[:-1]:
            assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
        folder, options = Path(words[-1][1]), dict(zip(words[-1][2::2], words[-1][3::2], strict=True))
        images = find_images(folder)
        labels = Path(options.get("--labels", folder / "labels.csv"))
        assert len(find_suspects(Path(options["--suspects"]), images, Decisions(labels, images))) == 1
        return words

    def test_first_write_labels_from_names_into_the_folder(self, named: Path) -> None:
        file = Path("suspects.csv")
        assert self.run(named, file) == [
            ["convert", "named", "--output", "named/labels.csv"],
            ["label", "named", "--suspects", "suspects.csv"],
        ]
        assert self.run(named, file) == [["label", "named", "--suspects", "suspects.csv"]]

    def test_do_not_use_suspects_as_labels(self, named: Path) -> None:
        assert self.run(named, Path("named/found.csv"))[0][0] == "convert"

    @pytest.mark.parametrize("data", ["named", "named/list.csv"])
    def test_name_the_file_of_the_labels(self, named: Path, data: str) -> None:
        (named / "list.csv").write_text("path,label\n1234.png,1284\n5678.png,5673\n")
        assert self.run(Path(data), Path("suspects.csv")) == [
            ["label", "named", "--labels", "named/list.csv", "--suspects", "suspects.csv"]
        ]

    @pytest.mark.parametrize("data", ["lists/all.txt", "lists"])
    def test_convert_lists_of_other_layouts_beside_them(self, named: Path, data: str) -> None:
        Path("lists").mkdir()
        Path("lists/all.txt").write_text("../named/1234.png\t1284\n../named/5678.png\t5673\n")
        corrected = "lists/all-corrected.csv" if data == "lists/all.txt" else "lists-corrected.csv"
        assert self.run(Path(data), Path("suspects.csv")) == [
            ["convert", data, "--output", corrected],
            ["label", "named", "--labels", corrected, "--suspects", "suspects.csv"],
        ]

    def test_do_not_use_a_list_that_was_not_given(self, named: Path) -> None:
        (named / "labels.csv").write_text("path,label\n5678.png,1\n")
        write_suspects([Suspect("named/1234.png", "1234", "x", 0.9)], Path("suspects.csv"))
        dataset = read_dataset(named, labels_from=LayoutName.NAMES)
        convert, label = review_commands(Path("suspects.csv"), dataset, named, None, LayoutName.NAMES)
        assert convert.endswith("convert named --labels-from names --output named-corrected.csv")
        assert label.endswith("label named --labels named-corrected.csv --suspects suspects.csv")

    def test_include_the_folder_of_moved_images(self, named: Path, tmp_path: Path) -> None:
        (tmp_path / "list.csv").write_text("path,label\nold/1234.png,1284\nold/5678.png,5673\n")
        write_suspects([Suspect("named/1234.png", "1284", "x", 0.9)], tmp_path / "suspects.csv")
        dataset = read_dataset(Path("list.csv"), named)
        convert, label = review_commands(Path("suspects.csv"), dataset, Path("list.csv"), named, dataset.layout)
        assert "convert list.csv --images named --labels-from csv --output list-corrected.csv" in convert
        assert "label named --labels list-corrected.csv --suspects suspects.csv" in label
