"""`GET /`, the web page, and its files. They need no key; the API calls of the page may need one."""

import mimetypes
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles

from app.api.browsers import STATIC
from app.shared.places import SHARED_WEB

WEB = Path(__file__).parents[1] / "web"
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".png": "image/png", ".svg": "image/svg+xml"}
"""Browsers reject scripts and styles of another type, and the machine's own table may lack these or be wrong."""


def add_page(app: FastAPI) -> None:
    """Serve the page and its files, with ETags."""
    for ending, media_type in MEDIA_TYPES.items():
        mimetypes.add_type(media_type, ending)
    app.mount(f"{STATIC}/shared", StaticFiles(directory=SHARED_WEB))
    app.mount(STATIC, StaticFiles(directory=WEB / "static"))
    documents = StaticFiles(directory=WEB)

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return await documents.get_response("index.html", request.scope)
