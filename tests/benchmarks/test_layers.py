"""The layers of a network as matrix products."""

from pathlib import Path

import pytest

from app.inference.models.model import MODEL_FILE
from benchmarks.common import Setup
from benchmarks.figures import figure
from benchmarks.sections.layers import CALL, NETWORK, TOGETHER, Layer, layers_of, measure, report

LAYERS = [Layer("first", 10, 20, 50, in_integers=False), Layer("second", 100, 20, 5, in_integers=True)]


def test_the_layers_of_the_shipped_network_are_found(shipped_model: Path) -> None:
    layers = layers_of(shipped_model / MODEL_FILE)
    assert [layer.size for layer in (layers[0], layers[3], layers[-1])] == ["2500×9×16", "200×432×64", "50×80×20"]
    assert [layer.in_integers for layer in layers] == [False, True, True, True, True, True, False]


def test_calls_are_subtracted_from_the_sum_of_the_products() -> None:
    measured = {"first": [12.0, 22.0], "second": [14.0, 24.0], CALL: [2.0, 3.0], NETWORK: [44.0, 80.0]}
    table = report(LAYERS, {name: figure(values) for name, values in measured.items()})["tables"]["layers"]
    rows = {row["layer"]: row for row in table["rows"]}
    together = rows[TOGETHER]
    assert together["time"] == figure([22.0, 40.0])
    assert together["products"] == "0.02"
    assert rows["first"]["rate"] == figure([10_000 / 12 / 1000, 10_000 / 22 / 1000])
    assert "50% of the network" in table["title"]


@pytest.mark.parametrize("layer", LAYERS)
def test_the_number_of_products_follows_from_the_size(layer: Layer) -> None:
    assert layer.products == 10_000


def test_they_are_measured(shipped_model: Path, tmp_path: Path) -> None:
    section = measure(Setup(rounds=1, quick=True, folder=tmp_path, model=shipped_model, uploads=[]))
    rows = section["tables"]["layers"]["rows"]
    assert len(rows) == 7 + 3
    for row in rows:
        assert isinstance(row["time"], dict)
        # A difference of times can have any value on a busy machine.
        assert row["time"]["median"] > 0 or row["layer"] == TOGETHER
