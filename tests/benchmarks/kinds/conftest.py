"""A folder of two drawn kinds."""

from pathlib import Path

import pytest

from benchmarks.kinds.folders import POOL, TEST
from tests.drawn import draw_plain_folder
from training.data.dataset import Sample, write_csv

ALPHABETS = {"digits": "0123456789", "letters": "abcdefgh"}
TESTED = 6
POOLED = {"digits": 12, "letters": 14}


@pytest.fixture(scope="session")
def drawn_kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a few clean digits and clean letters."""
    folder = tmp_path_factory.mktemp("kinds")
    for name, alphabet in ALPHABETS.items():
        drawn = draw_plain_folder(folder / name / "images", TESTED + POOLED[name], seed=0, alphabet=alphabet)
        samples = [Sample(path.relative_to(folder / name), path.stem) for path in drawn]
        write_csv(samples[:TESTED], folder / name / TEST)
        write_csv(samples[TESTED:], folder / name / POOL)
    return folder
