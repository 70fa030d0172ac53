"""The tutorial's reader: `mltu`'s model class with the tutorial's decoding."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mltu.configs import BaseModelConfigs
from mltu.inferenceModel import OnnxInferenceModel
from mltu.utils.text_utils import ctc_decoder
from numpy.typing import NDArray


def decode(upload: bytes) -> Any:
    """Return pixels as the tutorial's `cv2.imread` does: three channels, whatever the file has."""
    return cv2.imdecode(np.frombuffer(upload, np.uint8), cv2.IMREAD_COLOR)


class ImageToWordModel(OnnxInferenceModel):
    """The tutorial's model, with its steps as methods so that each can be timed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(model_path=str(folder))
        self.vocab: str = BaseModelConfigs.load(str(folder / "configs.yaml")).vocab

    def predict(self, image: Any) -> str:
        """Return the text of an image."""
        return self.text(self.run(self.prepare(image)))

    def prepare(self, image: Any) -> NDArray[np.float32]:
        """Return a batch of one."""
        height, width = self.input_shapes[0][1:3]
        return np.expand_dims(cv2.resize(image, (width, height)), axis=0).astype(np.float32)

    def run(self, batch: NDArray[np.float32]) -> Any:
        """Return the network's probabilities."""
        return self.model.run(self.output_names, {self.input_names[0]: batch})[0]

    def text(self, probabilities: Any) -> str:
        """Return the text of the first image."""
        text: str = ctc_decoder(probabilities, self.vocab)[0]
        return text
