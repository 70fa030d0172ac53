"""FastAPI taking an upload and doing nothing with it: no service in FastAPI that reads forms can be faster.

uvicorn benchmarks.peers.upload_service:app
"""

from fastapi import FastAPI, UploadFile

app = FastAPI()


@app.post("/predict")
async def predict(file: UploadFile) -> dict[str, str]:
    """Take one image."""
    await file.read()
    return {"text": ""}
