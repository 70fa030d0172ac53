"""Learning curves."""

from pathlib import Path

import cv2
import numpy as np

from training.fitting.learning_curves import plot_learning_curves


def test_the_learning_curves_are_not_blank(tmp_path: Path) -> None:
    history = [
        {"epoch": epoch, "loss": 60 / epoch, "val_loss": 50 / epoch, "val_cer": 1 / epoch, "val_wer": 1 / epoch}
        for epoch in range(1, 20)
    ]
    plot_learning_curves(history, 18, tmp_path / "curves.png")
    image = cv2.imread(str(tmp_path / "curves.png"))
    assert image is not None
    assert image.shape == (380, 1000, 3)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 100
