"""Our model behind LitServe, with two workers.

python -m benchmarks.peers.litserve_service MODEL PORT
"""

import sys
from pathlib import Path
from typing import Any

import litserve
from fastapi import Request

from app.inference.images import decode_image
from app.inference.models.model import ImageToTextModel
from app.inference.models.reading import Reading

WORKERS = 2


class CaptchaApi(litserve.LitAPI):
    """A LitServe API that reads the form field `file`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def setup(self, device: str) -> None:
        """Load the model; called in each worker."""
        self.reader = ImageToTextModel(self.folder)

    def decode_request(self, request: Request) -> bytes:
        """Return the upload's bytes."""
        return bytes(request["file"].file.read())

    def predict(self, upload: bytes) -> Reading:
        """Read one image."""
        return self.reader.predict([decode_image(upload)])[0]

    def encode_response(self, reading: Reading) -> dict[str, Any]:
        """Return the text."""
        return {"text": reading.text, "confidence": reading.confidence}


if __name__ == "__main__":
    model, port = sys.argv[1:]
    server = litserve.LitServer(CaptchaApi(Path(model)), accelerator="cpu", devices=1, workers_per_device=WORKERS)
    server.run(
        host="127.0.0.1", port=int(port), num_api_servers=WORKERS, log_level="warning", generate_client_file=False
    )
