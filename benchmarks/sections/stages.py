"""Time per stage for one image on one thread, without HTTP: ours, the tutorial's and ddddocr's."""

from collections.abc import Mapping
from contextlib import ExitStack

from benchmarks.common import Setup
from benchmarks.figures import Figure, Row, Section, Table, at_least, by_name, figure, ratio
from benchmarks.peers.timer import BATCHES
from benchmarks.sides import ask, open_side

STEPS = {
    "decode": "decode the file",
    "resize": "resize",
    "run": "run the network",
    "text": "decode the text",
    "total": "all of it",
}
WANTED_NETWORK_RATIO = 15


def measure(setup: Setup) -> Section:
    """Time each side's steps in turn."""
    models = {"ours": setup.model, "tutorial": setup.tutorial, "ddddocr": setup.model}
    seconds = 0.03 if setup.quick else 0.15
    with ExitStack() as stack:
        sides = {
            name: stack.enter_context(open_side(name, model, setup.uploads, seconds)) for name, model in models.items()
        }
        rounds = [{name: ask(side)[0] for name, side in sides.items()} for _ in range(setup.rounds)]
    return report({name: by_name([one[name] for one in rounds]) for name in sides})


def report(times: Mapping[str, Mapping[str, Figure]]) -> Section:
    """Return the section, from each side's milliseconds by step."""
    ours, tutorial, ddddocr = times["ours"], times["tutorial"], times["ddddocr"]
    stages = Table(
        title="One image on one thread, milliseconds",
        columns={
            "step": "",
            "ours": "ours",
            "tutorial": "tutorial",
            "ratio": "tutorial ÷ ours",
            "ddddocr": "ddddocr",
        },
        rows=[
            {
                "step": title,
                "ours": ours[step],
                "tutorial": tutorial[step],
                "ratio": ratio(tutorial[step], ours[step]),
                "ddddocr": ddddocr.get(step),
            }
            for step, title in STEPS.items()
        ],
    )
    batches = Table(
        title="The network alone on one thread, images a second",
        columns={"batch": "batch size", "ours": "ours", "tutorial": "tutorial", "ratio": "ours ÷ tutorial"},
        rows=[_batch_row(size, ours[f"batch {size}"], tutorial[f"batch {size}"]) for size in BATCHES],
    )
    return Section(
        tables={"stages": stages, "batches": batches},
        checks=[
            at_least("network, tutorial ÷ ours", ratio(tutorial["run"], ours["run"]), WANTED_NETWORK_RATIO),
        ],
        notes=["The tutorial's text has no confidences and no boxes; ours has both for every character."],
    )


def _batch_row(size: int, ours: Figure, tutorial: Figure) -> Row:
    return {
        "batch": size,
        "ours": _images_a_second(size, ours),
        "tutorial": _images_a_second(size, tutorial),
        "ratio": ratio(tutorial, ours),
    }


def _images_a_second(size: int, milliseconds: Figure) -> Figure:
    return figure([1000 * size / value for value in milliseconds["rounds"]])
