"""JSON documents exchanged between the page and the command."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from training.labelling.decisions import MAX_LABEL, Kind
from training.labelling.guesses import Expected, Guess
from training.labelling.pace import Agreement
from training.labelling.retrain import State

Tab = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$", description="Identifier of the browser tab.")]


class TabRequest(BaseModel):
    """A request without content except for the tab."""

    model_config = ConfigDict(extra="forbid")

    tab: Tab


class ShownGuess(BaseModel):
    """The guess behind a label."""

    model_config = ConfigDict(extra="forbid")

    text: str
    model: str


class DecisionRequest(TabRequest):
    """A decision about an image."""

    kind: Kind
    label: str = ""
    guess: ShownGuess | None = None
    revision: Annotated[str, Field(description="The image's revision when it was shown.")]


class ExpectedRequest(TabRequest):
    """The expected form of the labels."""

    length: Annotated[int | None, Field(ge=1, le=MAX_LABEL)]
    charset: Annotated[str, Field(max_length=MAX_LABEL, description="Allowed characters; empty allows any.")]


class ContradictedLabel(BaseModel):
    """A label that is probably wrong."""

    label: Annotated[str, Field(description="The label when it was contradicted.")]
    reading: Annotated[str, Field(description="The reading of models that had not seen the image.")]
    confidence: float
    is_open: Annotated[bool, Field(description="Whether it is undecided.")]


class Task(BaseModel):
    """An image to decide about."""

    number: int
    name: str
    width: int
    height: int
    error: Annotated[str | None, Field(description="Why the image cannot be shown.")]
    guess: Guess | None
    suspect: ContradictedLabel | None
    kind: Annotated[Kind | None, Field(description="Kind of the existing decision.")]
    label: str
    revision: str


class TrainingStatus(BaseModel):
    """The training in the background."""

    state: State
    message: str
    progress: float
    labels_needed: Annotated[int, Field(description="Labels still needed for the next training.")]
    possible: Annotated[bool, Field(description="Whether a training can be started now.")]


class Decided(BaseModel):
    """A labelled or unreadable image."""

    number: int
    name: str
    kind: Kind
    label: str


class Status(BaseModel):
    """The progress of the labelling."""

    images: int
    labelled: int
    unreadable: int
    skipped: int
    left: int
    suspects_left: Annotated[int | None, Field(description="None if no suspects were given.")]
    per_minute: float | None
    seconds_left: float | None
    agreement: Agreement
    recent_agreement: Agreement
    last: Annotated[list[Decided], Field(description="The last decisions, the latest first.")]
    expected: Expected
    model: str | None
    is_reading: bool
    guess: Annotated[Guess | None, Field(description="The guess for the image that the tab shows.")]
    training: TrainingStatus | None


class Step(BaseModel):
    """The next image, or none if all are decided; and the progress."""

    task: Task | None
    status: Status


class Folder(BaseModel):
    """The folder being labelled; this never changes."""

    folder: str
    labels_file: str
    train_command: str
