"""The HTTP server of the labelling page, for this machine only."""

import socket

import uvicorn
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from app.shared.places import SHARED_WEB
from training.labelling import routes
from training.labelling.access import Access, protect
from training.labelling.problems import add_problem_handlers
from training.labelling.schemas import Folder
from training.labelling.session import Session

STOP_SECONDS = 2


def create_app(session: Session, folder: Folder, access: Access) -> FastAPI:
    """Return the application of a labelling session."""
    app = FastAPI(title="Labelling", openapi_url=None)
    app.state.session, app.state.folder, app.state.access = session, folder, access
    protect(app)
    add_problem_handlers(app)
    app.mount("/web/shared", StaticFiles(directory=SHARED_WEB))
    app.mount("/web", StaticFiles(directory=routes.WEB))
    app.include_router(routes.invitations)
    app.include_router(routes.router)
    return app


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve requests until interrupted.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; all running requests are finished.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # it would contain the token
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])
