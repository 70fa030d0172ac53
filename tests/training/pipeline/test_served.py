"""From drawn images through training and export to a correct reading over HTTP."""

from pathlib import Path

import httpx

from tests.drawn import draw_plain_folder
from tests.end_to_end.conftest import running


def test_a_model_of_a_few_epochs_reads_new_images_over_http(
    trained_model: Path, drawn_digits: Path, tmp_path: Path, repository: Path
) -> None:
    known = {path.stem for path in drawn_digits.iterdir()}
    drawn = draw_plain_folder(tmp_path / "new", 60, seed=99)
    new = [path for path in drawn if path.stem not in known]
    variables = {"OCR_MODEL_STORE": str(trained_model.parents[1]), "OCR_DEFAULT_MODEL": "digits"}
    with running(tmp_path / "server", repository, variables) as server:
        server.wait_until_ready()
        answers = [httpx.post(f"{server.url}/predict", files={"file": path.read_bytes()}).json() for path in new]
    for answer in answers:
        assert answer["model"] == {"name": "digits", "version": "1"}
        assert "".join(character["character"] for character in answer["characters"]) == answer["text"]
        assert all(0 <= character["confidence"] <= 1 for character in answer["characters"])
    right = [answer["text"] == path.stem for answer, path in zip(answers, new, strict=True)]
    assert sum(right) >= 0.8 * len(new)
