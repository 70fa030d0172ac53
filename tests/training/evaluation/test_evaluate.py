"""Reading labelled images with a model and counting errors."""

import json
from pathlib import Path

from app.inference import Reader
from app.inference.models.drift import histogram
from training.data.dataset import Sample
from training.data.layouts import read_samples
from training.evaluation.evaluate import Evaluation, Line, evaluate


def test_reads_every_image_in_order(trained_model: Path) -> None:
    samples = read_samples(trained_model / "train.csv")[:100]
    seen: list[Line] = []
    result = evaluate(Reader(trained_model), samples, on_line=seen.append)
    assert seen == result.lines
    assert [line.label for line in seen] == [sample.label for sample in samples]
    assert result.words_right > 80


def test_agrees_with_the_figures_of_the_training(trained_model: Path) -> None:
    recorded = json.loads((trained_model / "metrics.json").read_text())["validation"]
    again = evaluate(Reader(trained_model), read_samples(trained_model / "val.csv")).as_json()
    assert {key: again[key] for key in ("images", "words_right", "cer", "wer")} == {
        key: recorded[key] for key in ("images", "words_right", "cer", "wer")
    }


def test_counts_unreadable_images_as_wrong(trained_model: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    good = read_samples(trained_model / "train.csv")[0]
    samples = [Sample(tmp_path / "broken.png", "12"), good, Sample(tmp_path / "gone.png", "34")]
    result = evaluate(Reader(trained_model), samples).as_json()
    assert result["images"] == 3
    assert [line["label"] for line in result["wrong"]] == ["12", "34"]
    assert all(line["error"] for line in result["wrong"])
    assert sum(result["confidence_histogram"]["counts"]) == 1  # the unreadable image has no confidence


def test_the_json_has_rates_as_fractions_and_the_wrong_words() -> None:
    lines = [Line("a.png", "abcd", "abcd", 0.9), Line("b.png", "abcd", "abxd", 0.4)]
    result = Evaluation(lines, seconds=1.0).as_json()
    assert result == {
        "images": 2,
        "words_right": 1,
        "cer": 0.125,
        "wer": 0.5,
        "wrong": [{"path": "b.png", "label": "abcd", "prediction": "abxd", "confidence": 0.4}],
        "confusions": [{"label": "c", "read": "x", "count": 1}],
        "confidence_histogram": histogram([0.9, 0.4]),
        "seconds": 1.0,
    }
