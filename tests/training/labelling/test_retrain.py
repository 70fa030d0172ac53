"""Real but very short trainings in the background."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.inference.models.model import ImageToTextModel
from tests.drawn import draw_plain_folder
from tests.waiting import GENEROUS_SECONDS, wait_until
from training.labelling.decisions import Decision, Decisions, Kind
from training.labelling.images import find_images
from training.labelling.retrain import MIN_LABELS, Retraining, State, model_name
from training.labelling.session import Session

IMAGES = MIN_LABELS + 4
EVERY = 10


@pytest.fixture
def texts(tmp_path: Path) -> list[Path]:
    """Return images named by their texts."""
    return sorted(draw_plain_folder(tmp_path / "drawn", IMAGES, seed=3))


@pytest.fixture
def session(texts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Iterator[Session]:
    """Return a session that lacks one label for its first training, of two epochs."""
    monkeypatch.setenv("PYTHONPATH", str(repository))
    monkeypatch.setattr("training.labelling.retrain.NICENESS", 0)  # otherwise other tests would slow it down
    monkeypatch.setattr("training.labelling.retrain.MAX_EPOCHS", 2)
    images = find_images(texts[0].parent)
    session = Session(images, Decisions(tmp_path / "labels.csv", images))
    for number in range(MIN_LABELS - 1):
        label(session, number, texts[number].stem)
    session.retraining = Retraining(tmp_path / "runs", EVERY, session.samples, session.guesses.read_with)
    yield session
    session.close()


def label(session: Session, number: int, text: str) -> None:
    session.decide("tab", number, Decision(Kind.LABEL, text), session.task(number).revision)


def training_of(session: Session) -> Retraining:
    assert session.retraining is not None
    return session.retraining


def test_enough_labels_start_a_training_whose_model_then_guesses(
    session: Session, texts: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    retraining, last = training_of(session), MIN_LABELS - 1
    said: list[tuple[str, float]] = []
    tell = retraining._report

    def tell_and_note(state: State, message: str, progress: float = 0.0) -> None:
        tell(state, message, progress)
        said.append((retraining.message, retraining.progress))

    monkeypatch.setattr(retraining, "_report", tell_and_note)
    assert retraining.labels_needed(last) == 1
    label(session, last, texts[last].stem)
    wait_until(lambda: retraining.state != "training")
    assert retraining.state == "finished", retraining.message
    assert said[0] == (f"Training on {MIN_LABELS} labels: loading …", 0.0)
    assert (f"Training on {MIN_LABELS} labels: epoch 1 of 2", 0.5) in said
    assert retraining.message.startswith(f"Trained on {MIN_LABELS} labels: ")
    session.guesses.wait(GENEROUS_SECONDS)
    assert session.guesses.model == f"model of {MIN_LABELS} labels"
    assert set(session.guesses.all) == set(range(MIN_LABELS, IMAGES))
    assert retraining.labels_needed(MIN_LABELS) == EVERY

    folder = retraining.newest()
    assert folder is not None
    assert model_name(folder) == session.guesses.model
    assert set(ImageToTextModel(folder).configs.vocab) <= set("0123456789")
    opened_again = Retraining(folder.parent, EVERY, session.samples, session.guesses.read_with)
    assert opened_again.newest() == folder
    assert opened_again.labels_needed(MIN_LABELS) == EVERY


def test_a_failed_training_gives_the_reason_and_is_not_retried_at_once(session: Session) -> None:
    session.images.path(1).write_bytes(session.images.path(0).read_bytes())
    label(session, MIN_LABELS, "0000")
    retraining = training_of(session)
    wait_until(lambda: retraining.state != "training")
    assert retraining.state == "failed"
    assert "the same picture with different labels" in retraining.message
    assert all(str(sample.path) in retraining.message for sample in session.samples()[:2])
    log = Path(retraining.message.removesuffix(".").rpartition(" ")[2])
    assert "errors in the data: 1" in log.read_text()
    assert session.guesses.model is None
    assert retraining.labels_needed(MIN_LABELS) == EVERY


def test_a_stopped_training_leaves_nothing(session: Session, tmp_path: Path) -> None:
    label(session, MIN_LABELS, "0000")
    wait_until(lambda: list(tmp_path.glob("runs/checkpoints/*/log.txt")))
    session.close()
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.glob("runs/**/*")] == ["runs/checkpoints"]
    assert session.guesses.model is None
    training_of(session).start()
    assert training_of(session).state == "failed"


def test_it_cannot_be_started_with_too_few_labels(session: Session, tmp_path: Path) -> None:
    status = session.status("tab").training
    assert status is not None
    assert not status.possible
    training_of(session).start()
    assert training_of(session).state == "waiting"
    assert not (tmp_path / "runs").exists()
