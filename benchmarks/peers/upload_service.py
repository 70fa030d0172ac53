"""FastAPI accepting an upload and discarding it: the upper limit for form uploads with FastAPI.

uvicorn benchmarks.peers.upload_service:app
"""

from fastapi import FastAPI, UploadFile

app = FastAPI()


@app.post("/predict")
async def predict(file: UploadFile) -> dict[str, str]:
    """Accept one image."""
    await file.read()
    return {"text": ""}
