"""A training on few labels: the model also reads characters that none of them shows."""

from pathlib import Path

from PIL import Image

from app.inference.reader import Reader
from tests.drawn import draw_plain, draw_plain_folder
from tests.training.commands.conftest import run


def test_characters_that_the_labels_lack_are_named_and_read(in_folder: Path) -> None:
    draw_plain_folder(Path("few"), 30, seed=3, alphabet="0123456")
    Image.fromarray(draw_plain("0128", 3)).save("few/0128.png")  # one 8: a 7 and a 9 may exist too
    options = ["--epochs", 1, "--learning-rate", 1e-4, "--output", "model"]
    trained = run("train", "--data", "few", *options)
    assert trained.exit_code == 0, trained.output
    assert "these are also read: 79" in trained.output
    reader = Reader("model")
    assert reader.model.configs.vocab == "0123456789"
    assert [reader.read(draw_plain(text, 5)).text for text in ("7902", "1979")] == ["7902", "1979"]
