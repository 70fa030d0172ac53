"""HTTP routes of the labelling page."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, RedirectResponse

from training.labelling.access import Access
from training.labelling.decisions import Decision, Kind, clean_label
from training.labelling.guesses import Expected
from training.labelling.images import as_png
from training.labelling.schemas import DecisionRequest, ExpectedRequest, Folder, Status, Step, Tab, TabRequest, Task
from training.labelling.session import Session

WEB = Path(__file__).with_name("web")
FIRST_GUESSES_SECONDS = 3.0
"""Maximum wait before the first image, so that it is the one with the least certain guess."""
NO_SUCH_IMAGE = "There is no image with this number."


def get_session(request: Request) -> Session:
    """Return the labelling session of this application."""
    session: Session = request.app.state.session
    return session


def get_access(request: Request) -> Access:
    """Return the secrets of this application."""
    access: Access = request.app.state.access
    return access


SessionDep = Annotated[Session, Depends(get_session)]
AccessDep = Annotated[Access, Depends(get_access)]


def check_token(token: str, access: AccessDep) -> None:
    """Reject a wrong token."""
    access.check(token)


def known_image(number: Annotated[int, PathParameter(ge=0)], session: SessionDep) -> int:
    """Return an image number if it exists."""
    if number >= len(session.images):
        raise HTTPException(HTTPStatus.NOT_FOUND, NO_SUCH_IMAGE)
    return number


NumberDep = Annotated[int, Depends(known_image)]
invitations = APIRouter()
router = APIRouter(prefix="/{token}", dependencies=[Depends(check_token)])


@invitations.get("/open/{invitation}")
def accept_invitation(invitation: str, access: AccessDep) -> Response:
    """Redirect an invited browser to the page."""
    access.redeem(invitation)
    return RedirectResponse(f"/{access.token}/", HTTPStatus.SEE_OTHER)


@router.get("/")
def read_page() -> Response:
    """Return the page."""
    return FileResponse(WEB / "index.html")


@router.get("/folder")
def read_folder(request: Request) -> Folder:
    """Return a description of the folder."""
    folder: Folder = request.app.state.folder
    return folder


@router.get("/status")
def read_status(tab: Tab, session: SessionDep) -> Status:
    """Return the progress; a tab that stops asking loses its image to other tabs."""
    return session.status(tab)


@router.post("/next")
def hand_out(request: TabRequest, session: SessionDep) -> Step:
    """Return the image for a tab; it stays the same until it is decided."""
    session.guesses.wait(FIRST_GUESSES_SECONDS)
    return _step(session, request.tab)


@router.delete("/tab", status_code=HTTPStatus.NO_CONTENT)
def leave(tab: Tab, session: SessionDep) -> None:
    """Release the image of a closed tab."""
    session.leave(tab)


@router.get("/previous")
def read_previous(tab: Tab, session: SessionDep, shown: int | None = None) -> Task | None:
    """Return the image that was decided before another one."""
    return session.previous_task(tab, shown)


@router.put("/images/{number}/decision")
def decide(number: NumberDep, request: DecisionRequest, session: SessionDep) -> Step:
    """Write a decision to disk and return the next image."""
    decision = Decision(request.kind)
    if request.kind is Kind.LABEL:
        guess, model = (request.guess.text, request.guess.model) if request.guess else ("", "")
        decision = Decision(request.kind, clean_label(request.label), guess, model)
    session.decide(request.tab, number, decision, request.revision)
    return _step(session, request.tab)


@router.get("/images/{number}.png")
def read_image(number: NumberDep, session: SessionDep) -> Response:
    """Return an image as networks see it."""
    return Response(as_png(session.images.pixels(number)), media_type="image/png")


@router.get("/images/{number}/task")
def reopen(number: NumberDep, session: SessionDep) -> Task:
    """Return an image to decide again."""
    return session.task(number)


@router.put("/expected")
def expect(request: ExpectedRequest, session: SessionDep) -> Status:
    """Set the expected form of the labels; the images are read again in the background."""
    session.guesses.expect(Expected(request.length, request.charset))
    return session.status(request.tab)


@router.post("/training")
def train_now(request: TabRequest, session: SessionDep) -> Status:
    """Start a training in the background, unless one is running or there are too few labels."""
    if session.retraining is not None:
        session.retraining.start()
    return session.status(request.tab)


def _step(session: Session, tab: str) -> Step:
    return Step(task=session.next_task(tab), status=session.status(tab))
