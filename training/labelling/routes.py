"""What the page asks for."""

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
from training.labelling.schemas import (
    DecisionRequest,
    ExpectedRequest,
    Folder,
    Status,
    Step,
    Tab,
    TabRequest,
    Task,
)
from training.labelling.session import Session

WEB = Path(__file__).with_name("web")
FIRST_GUESSES_SECONDS = 3.0
"""How long the first image is held back so that it is the one that the model is least sure of."""
NO_SUCH_IMAGE = "There is no image of this number."


def get_session(request: Request) -> Session:
    """The labelling of this application."""
    session: Session = request.app.state.session
    return session


def get_access(request: Request) -> Access:
    """The secrets of this application."""
    access: Access = request.app.state.access
    return access


SessionDep = Annotated[Session, Depends(get_session)]
AccessDep = Annotated[Access, Depends(get_access)]


def check_token(token: str, access: AccessDep) -> None:
    """Refuse a path that does not begin with the token."""
    access.check(token)


def known_image(number: Annotated[int, PathParameter(ge=0)], session: SessionDep) -> int:
    """The number of an image that there is."""
    if number >= len(session.images):
        raise HTTPException(HTTPStatus.NOT_FOUND, NO_SUCH_IMAGE)
    return number


NumberDep = Annotated[int, Depends(known_image)]
invitations = APIRouter()
router = APIRouter(prefix="/{token}", dependencies=[Depends(check_token)])


@invitations.get("/open/{invitation}")
def accept_invitation(invitation: str, access: AccessDep) -> Response:
    """Lead the browser that was opened to the page."""
    access.redeem(invitation)
    return RedirectResponse(f"/{access.token}/", HTTPStatus.SEE_OTHER)


@router.get("/")
def read_page() -> Response:
    """The page."""
    return FileResponse(WEB / "index.html")


@router.get("/folder")
def read_folder(request: Request) -> Folder:
    """What is being labelled."""
    folder: Folder = request.app.state.folder
    return folder


@router.get("/status")
def read_status(tab: Tab, session: SessionDep) -> Status:
    """How far the labelling has come; a tab that does not ask for long gives its image to others."""
    return session.status(tab)


@router.post("/next")
def hand_out(request: TabRequest, session: SessionDep) -> Step:
    """The image for a tab, the same until it is decided."""
    session.guesses.wait(FIRST_GUESSES_SECONDS)
    return _step(session, request.tab)


@router.delete("/tab", status_code=HTTPStatus.NO_CONTENT)
def leave(tab: Tab, session: SessionDep) -> None:
    """A tab is closed: what it had before it is for others."""
    session.leave(tab)


@router.get("/previous")
def read_previous(tab: Tab, session: SessionDep, shown: int | None = None) -> Task | None:
    """The image that was decided before another one."""
    return session.previous_task(tab, shown)


@router.put("/images/{number}/decision")
def decide(number: NumberDep, request: DecisionRequest, session: SessionDep) -> Step:
    """Write a decision to the disk; the answer holds the next image."""
    decision = Decision(request.kind)
    if request.kind is Kind.LABEL:
        guess, model = (request.guess.text, request.guess.model) if request.guess else ("", "")
        decision = Decision(request.kind, clean_label(request.label), guess, model)
    session.decide(request.tab, number, decision, request.revision)
    return _step(session, request.tab)


@router.get("/images/{number}.png")
def read_image(number: NumberDep, session: SessionDep) -> Response:
    """An image as networks see it."""
    return Response(as_png(session.images.pixels(number)), media_type="image/png")


@router.get("/images/{number}/task")
def reopen(number: NumberDep, session: SessionDep) -> Task:
    """An image to decide about anew."""
    return session.task(number)


@router.put("/expected")
def expect(request: ExpectedRequest, session: SessionDep) -> Status:
    """Say what labels are like; the images are read anew, in the background."""
    session.guesses.expect(Expected(request.length, request.charset))
    return session.status(request.tab)


@router.post("/training")
def train_now(request: TabRequest, session: SessionDep) -> Status:
    """Begin a training in the background, unless one is under way or there are too few labels."""
    if session.retraining is not None:
        session.retraining.start()
    return session.status(request.tab)


def _step(session: Session, tab: str) -> Step:
    return Step(task=session.next_task(tab), status=session.status(tab))
