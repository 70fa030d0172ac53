"""The tutorial's model behind FastAPI, in the two ways that a user might write it.

    MODEL=FOLDER [THREADS=N] uvicorn benchmarks.peers.tutorial_service:app

Without THREADS, `mltu` creates the session, with as many threads as processors.
"""

import os
from pathlib import Path

from fastapi import FastAPI, UploadFile

from benchmarks.peers.threads import use_threads
from benchmarks.peers.tutorial import ImageToWordModel, decode

if "THREADS" in os.environ:
    use_threads(int(os.environ["THREADS"]))

app = FastAPI()
model = ImageToWordModel(Path(os.environ["MODEL"]))


@app.post("/predict")
async def predict(file: UploadFile) -> dict[str, str]:
    """Read one image, blocking all other requests."""
    return {"text": model.predict(decode(await file.read()))}


@app.post("/predict-in-thread")
def predict_in_thread(file: UploadFile) -> dict[str, str]:
    """Read one image in a thread, in parallel to other requests."""
    return {"text": model.predict(decode(file.file.read()))}
