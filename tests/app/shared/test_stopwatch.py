"""Durations of the stages of reading."""

import time
from functools import partial
from pathlib import Path

from app.inference.images import decode_image
from app.inference.models.model import GROUP_IMAGES, ImageToTextModel
from app.inference.reader import read_each
from app.shared.stopwatch import Stopwatch
from tests.waiting import GENEROUS_SECONDS


def test_each_stage_begins_where_the_previous_one_ended() -> None:
    before = time.perf_counter()
    watch = Stopwatch()
    watch.lap("first")
    time.sleep(0.01)
    watch.lap("second", images=3)
    (first, began, ended, images), (second, began_again, ended_again, more_images) = watch.stages
    assert (first, images, second, more_images) == ("first", 1, "second", 3)
    assert before <= began <= ended == began_again
    assert 0.01 <= ended_again - began_again < GENEROUS_SECONDS


def test_a_restart_skips_time() -> None:
    watch = Stopwatch()
    watch.lap("first")
    time.sleep(0.01)
    watch.restart()
    watch.lap("second")
    (_, _, ended, _), (_, began, _, _) = watch.stages
    assert began - ended >= 0.01


def test_concurrent_stages_are_recorded_in_the_same_list() -> None:
    watch = Stopwatch()
    other = watch.beside()
    other.lap("other")
    watch.lap("own")
    assert [stage for stage, *_ in watch.stages] == ["other", "own"]
    assert watch.stages[1][1] < watch.stages[0][2]  # they overlap


def test_a_model_records_the_stages_of_each_group_and_its_size(shipped_model: Path, samples: dict[str, bytes]) -> None:
    watch = Stopwatch()
    uploads = [samples["ef2ec"]] * (GROUP_IMAGES + 1) + [b"no image"]
    model = ImageToTextModel(shipped_model)
    read_each(partial(model.predict, watch=watch), [partial(decode_image, upload) for upload in uploads])
    assert [(stage, images) for stage, _, _, images in watch.stages] == [
        ("decode", GROUP_IMAGES),
        ("run", GROUP_IMAGES),
        ("text", GROUP_IMAGES),
        ("decode", 1),
        ("run", 1),
        ("text", 1),
    ]
