"""Hebrew with numbers, labelled in typing order: trained on, and returned in that order."""

import json
from itertools import product
from pathlib import Path

import matplotlib as mpl
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.training.commands.conftest import run
from training.data.dataset import Sample, write_csv

FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
LETTERS = "\u05d0\u05d1\u05de\u05e9"
UNSEEN = 8

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # trains, which takes long on a busy machine


def draw_word(path: Path, letters: str, number: str) -> Sample:
    """Draw letters from right to left and, to their left, a number from left to right."""
    picture = Image.new("L", (84, 50), 255)
    pen, font = ImageDraw.Draw(picture), ImageFont.truetype(str(FONT), 26)
    for place, character in enumerate([*number, *reversed(letters)]):
        pen.text((4 + 20 * place, 8), character, fill=0, font=font)
    picture.save(path)
    return Sample(path, letters + number)


def test_is_read_as_it_was_typed(in_folder: Path) -> None:
    words = [("".join(letters), number) for letters in product(LETTERS, repeat=2) for number in ("25", "52", "22")]
    samples = [draw_word(in_folder / f"{index}.png", *word) for index, word in enumerate(words)]
    write_csv(samples[UNSEEN:], in_folder / "known.csv")
    write_csv(samples[:UNSEEN], in_folder / "unseen.csv")
    trained = run(
        "train", "--architecture", "conv_ctc", "--data", "known.csv", "--output", "store/hebrew/1", "--epochs", 40
    )
    assert trained.exit_code == 0, trained.output
    assert "direction: rtl" in Path("store/hebrew/1/configs.yaml").read_text()
    evaluated = run("evaluate", "--model", "store/hebrew", "--data", "unseen.csv", "--json", "report.json")
    assert evaluated.exit_code == 0
    assert json.loads(Path("report.json").read_text())["words_right"] >= UNSEEN - 1
