"""Models that take too long, too much memory, or crash are refused, and the others are loaded."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.inference.models import trial
from app.inference.models.model import MAX_MESSAGE, ModelError, model_sums
from app.inference.models.store import ModelStore
from app.inference.models.trial import STOPPING, TOO_LARGE, TOO_SLOW, begin_trials, load_tried
from tests.hostile_models import (
    write_allocating,
    write_good,
    write_looping,
    write_with_many_steps,
    write_without_steps,
)


@pytest.fixture(autouse=True)
def _nothing_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_passed", set())
    monkeypatch.setattr(trial, "_running", {})


@pytest.fixture(params=["alone", "beside another thread"])
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """Pretend to have one thread, so that trials fork; parallel tests have more."""
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    if request.param != "alone":
        other.start()
    yield
    done.set()
    if request.param != "alone":
        other.join()


@pytest.mark.usefixtures("_threads")
def test_a_good_model_is_loaded(tmp_path: Path) -> None:
    write_good(tmp_path / "1")
    assert load_tried(tmp_path / "1", bool).sums == model_sums(tmp_path / "1")


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (write_looping, TOO_SLOW),
        (lambda folder: write_allocating(folder, 8), TOO_LARGE),
        (lambda folder: write_allocating(folder, 8_000_000), TOO_LARGE),
        (write_without_steps, "returns [2, 0, 4]"),
        (write_with_many_steps, "returns 10,000 steps"),
    ],
    ids=["loops", "gigabytes", "petabytes", "no steps", "many steps"],
)
def test_a_hostile_model_is_refused_and_the_others_are_loaded(
    tmp_path: Path, write: Callable[[Path], None], reason: str
) -> None:
    write_good(tmp_path / "good" / "1")
    write(tmp_path / "hostile" / "1")
    store = ModelStore(tmp_path, "good")
    assert list(store.models) == ["good"]
    (broken,) = store.broken
    assert (broken.name, broken.version) == ("hostile", "1")
    assert reason in broken.reason


def test_running_trials_are_awaited_and_report_bad_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_good(tmp_path / "good" / "1")
    write_without_steps(tmp_path / "hostile" / "1")
    begin_trials(tmp_path, 2)
    monkeypatch.setattr(trial, "_begin", None)  # no other trial is started
    store = ModelStore(tmp_path, "good")
    assert list(store.models) == ["good"]
    assert "returns [2, 0, 4]" in store.broken[0].reason


def test_a_trial_started_before_a_repair_is_not_used(tmp_path: Path) -> None:
    good = tmp_path / "good" / "1"
    write_good(good)
    content = (good / "model.onnx").read_bytes()
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(good.iterdir()))
    (good / "SHA256SUMS").write_text("".join(list(sums)))
    (good / "model.onnx").write_bytes(b"damaged")
    begin_trials(tmp_path, 1)
    ((_, connection),) = trial._running.values()
    connection.poll(None)  # until the trial has found the damage
    store = ModelStore(tmp_path, "good")
    assert [broken.name for broken in store.broken] == ["good"]
    (good / "model.onnx").write_bytes(content)
    assert list(ModelStore(tmp_path, "good").models) == ["good"]


def test_the_number_of_concurrent_trials_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Path] = []
    monkeypatch.setattr(trial, "_begin", begun.append)
    for version in ("1", "2", "3"):
        write_good(tmp_path / "good" / version)
    begin_trials(tmp_path, 2)
    begin_trials(tmp_path / "nowhere", 2)
    assert begun == [tmp_path / "good" / "3", tmp_path / "good" / "2"]


IN_300_MB = """
import sys
from pathlib import Path
from app.inference.models import trial

trial.available_memory = lambda: 300_000_000
trial._is_alone = lambda: True  # a fork, which sees the same memory as this process
for name in ("good", "large"):
    trial.load_tried(Path(sys.argv[1], name), bool)
    print(name, flush=True)
"""


def test_the_memory_limit_is_at_most_that_of_the_container(tmp_path: Path, repository: Path) -> None:
    write_good(tmp_path / "good")
    write_allocating(tmp_path / "large", 0.25)
    load_tried(tmp_path / "large", bool)
    # Its own process: one that has trained keeps enough free memory for the large model.
    done = subprocess.run(
        [sys.executable, "-c", IN_300_MB, str(tmp_path)], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.stdout == "good\n"
    assert TOO_LARGE in done.stderr


@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_CORE"])
def test_a_process_with_lower_limits_can_run_trials(tmp_path: Path, repository: Path, limit: str) -> None:
    write_good(tmp_path / "1")
    program = (
        "import resource, sys; from pathlib import Path; from app.inference.models.trial import load_tried\n"
        f"resource.setrlimit(resource.{limit}, (int(sys.argv[1]), int(sys.argv[1])))\n"
        "print(load_tried(Path(sys.argv[2]), bool).steps)"
    )
    most = {"RLIMIT_AS": 3 << 30, "RLIMIT_CPU": 3600, "RLIMIT_CORE": 0}[limit]
    done = subprocess.run(
        [sys.executable, "-c", program, str(most), str(tmp_path / "1")],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("5\n", "")


@pytest.mark.parametrize(
    ("end", "how"),
    [(lambda: os._exit(3), "status 3"), (lambda: os.kill(os.getpid(), signal.SIGKILL), "signal 9")],
    ids=["exit", "signal"],
)
def test_a_model_that_crashes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: Callable[[], None], how: str
) -> None:
    write_good(tmp_path / "1")
    monkeypatch.setattr(trial, "_limit", lambda _folder: end())
    monkeypatch.setattr(trial, "_is_alone", lambda: True)
    with pytest.raises(ModelError, match=how):
        load_tried(tmp_path / "1", bool)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("configs.yaml", f"? {'漢' * 300_000}\n: 1\n"),
        ("golden.txt", "漢" * 300_000),
        ("SHA256SUMS", f"{'0' * 64}  {'漢' * 300_000}\n"),
    ],
)
def test_a_file_with_a_long_text_is_refused_in_few_words(
    tmp_path: Path, samples: dict[str, bytes], file: str, content: str
) -> None:
    write_good(tmp_path / "good" / "1")
    write_good(tmp_path / "long" / "1")
    (tmp_path / "long" / "1" / "golden.png").write_bytes(samples["ef2ec"])
    (tmp_path / "long" / "1" / "golden.txt").write_text("")
    (tmp_path / "long" / "1" / file).write_text(content, encoding="utf-8")
    store = ModelStore(tmp_path, "good")
    assert list(store.models) == ["good"]
    assert [broken.name for broken in store.broken] == ["long"]
    assert len(store.broken[0].reason) <= MAX_MESSAGE + 1


@pytest.mark.parametrize(
    "result", [b"", b"{", b"\xff", b"[" * 100_000, b'"' + b"x" * 2_000_000 + b'"', b"1", b"null", b"{}"]
)
def test_a_model_that_takes_over_its_process_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: bytes
) -> None:
    write_good(tmp_path / "1")
    monkeypatch.setattr(trial, "_try", lambda to, _folder: to.send_bytes(result))
    monkeypatch.setattr(trial, "_is_alone", lambda: True)
    with pytest.raises(ModelError):
        load_tried(tmp_path / "1", bool)


def test_a_slow_trial_is_aborted_when_the_service_stops(tmp_path: Path) -> None:
    write_looping(tmp_path / "1")
    asked: list[bool] = []

    def is_stopping() -> bool:
        asked.append(len(asked) > 3)
        return asked[-1]

    with pytest.raises(ModelError, match=STOPPING):
        load_tried(tmp_path / "1", is_stopping)


def test_a_model_that_passed_is_not_tried_again_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []

    def note(folder: Path, _is_stopping: object) -> dict[str, str]:
        tried.append(folder)
        return model_sums(folder)

    monkeypatch.setattr(trial, "_try_in_process", note)
    one, copy = tmp_path / "1", tmp_path / "2"
    for folder in (one, copy):
        write_good(folder)
        load_tried(folder, bool)
    assert tried == [one]
    with (copy / "configs.yaml").open("a") as configs:
        configs.write("# changed\n")
    load_tried(copy, bool)
    assert tried == [one, copy]


def test_a_file_that_changes_between_the_trial_and_the_loading_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_good(tmp_path / "1")
    write_without_steps(tmp_path / "other")

    def change(folder: Path, _is_stopping: object) -> dict[str, str]:
        sums = model_sums(folder)
        (tmp_path / "other" / "model.onnx").replace(folder / "model.onnx")
        return sums

    monkeypatch.setattr(trial, "_try_in_process", change)
    with pytest.raises(ModelError, match="changed during loading"):
        load_tried(tmp_path / "1", bool)
