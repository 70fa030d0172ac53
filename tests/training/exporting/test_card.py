"""The model card."""

import json
from typing import Any

import pytest

from training.exporting.card import quotable, write_card


def some_metrics(**validation: Any) -> dict[str, Any]:
    return {
        "created": "2026-11-23T12:00:00+00:00",
        "model": {
            "name": "captcha",
            "version": "1",
            "architecture": "conv_ctc",
            "weights": 102_852,
            "bytes": 413_583,
            "vocab": "ab",
            "width": 200,
            "height": 50,
            "channels": 1,
            "steps": 25,
            "precision": "int8",
        },
        "data": {
            "source": "images",
            "images": 100,
            "train": 90,
            "validation": 10,
            "sha256": "0" * 64,
            "of_data_set": None,
        },
        "training": {
            "command": "python -m training train --data images",
            "epochs": 151,
            "best_epoch": 150,
            "seconds": 90.0,
            "cpus": 2,
            "interrupted": False,
            "config": {"seed": 7, "batch_size": 8},
        },
        "validation": {"images": 10, "words_right": 10, "cer": 0.0, "wer": 0.0, "wrong": []}
        | {"confidence_histogram": {"edges": [0.5, 0.9], "counts": [1, 0, 9]}}
        | validation,
        "crossval": [],
        "robustness": [{"change": "half size", "words_right": 9, "images": 10}],
        "versions": {"keras": "3.15.1"},
    }


def test_the_card_has_the_figures_the_command_and_the_limits() -> None:
    card = " ".join(write_card(some_metrics()).split())
    for text in (
        "# Model card: captcha 1",
        "**10 of 10**",
        "| confidences | 9 of 0.9 to 1, 1 of 0 to 0.5 |",
        "102,852 weights, 414 kB",
        "python -m training train --data images",
        "151 epochs in 1.5 minutes on 2 processors",
        "| batch size | 8 |",
        "30.0%",
        "(learning_curves.png)",
        "(confusions.png)",
        "(reliability.png)",
        "The run folder has a grid of the worst readings, `worst_readings.png`",
        "keras 3.15.1",
        "| half size | 9 | 90.0% |",
        "own captchas",
    ):
        assert text in card
    assert "Read wrong" not in card


@pytest.mark.parametrize(("init", "averaged"), [("none", False), ("shipped", True)])
def test_the_card_of_a_pre_training_says_that_its_weights_are_averaged(init: str, averaged: bool) -> None:
    metrics = some_metrics()
    metrics["data"] |= {"train": 0, "source": "pictures drawn in 3 typefaces"}
    metrics["training"]["config"]["init"] = init
    assert ("averaged with the initial weights" in " ".join(write_card(metrics).split())) == averaged


def test_the_card_says_how_much_of_the_published_data_set_was_used() -> None:
    metrics = some_metrics()
    assert "published" not in write_card(metrics)
    metrics["data"]["of_data_set"] = {"name": "captcha_images_v2", "size": 1040, "images": 936}
    card = " ".join(write_card(metrics).split())
    assert "936 of the 1040 images of the published data set captcha_images_v2" in card


def test_the_card_does_not_embed_the_picture_with_images_of_the_data() -> None:
    assert "(worst_readings.png)" not in write_card(some_metrics())


def test_the_card_quotes_cross_validations() -> None:
    assert "Cross-validation" not in write_card(some_metrics())
    report = {
        "command": "python -m training crossval --data images",
        "images": 936,
        "words_right": 934,
        "wer_interval": [0.0006, 0.0077],
        "cer": 0.0004,
        "expected_calibration_error": 0.004,
        "coverage_at_99.5": 0.991,
        "coverage_at_99.9": 0.5,
        "trainings": [{"labels": 842}, {"labels": 843}],
        "wrong": [{"path": "secret.png"}],
    }
    card = write_card(some_metrics() | {"crossval": [quotable(report)]})
    row = "| 842 | 934 of 936 (99.79%) | 0.06% to 0.77% | 0.04% | 0.40% | 99.1% | 50.0% |"
    assert row in card
    assert "    python -m training crossval --data images\n" in card
    assert "secret.png" not in json.dumps(quotable(report))


def test_the_card_shows_every_wrong_word() -> None:
    wrong = [{"label": "abab", "prediction": "abbb", "confidence": 0.4321}]
    card = write_card(some_metrics(words_right=9, cer=0.025, wer=0.1, wrong=wrong))
    assert "| `abab` | `abbb` | 0.432 |" in card
    assert "| character error rate (CER) | 2.50% |" in card
