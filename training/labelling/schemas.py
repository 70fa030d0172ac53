"""What the page and the command tell each other, as JSON."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from training.labelling.decisions import MAX_LABEL, Kind
from training.labelling.guesses import Expected, Guess
from training.labelling.pace import Agreement
from training.labelling.retrain import State

Tab = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$", description="What a tab of a browser calls itself.")]


class TabRequest(BaseModel):
    """A request that has nothing to say but who asks."""

    model_config = ConfigDict(extra="forbid")

    tab: Tab


class ShownGuess(BaseModel):
    """The guess that a label was made from."""

    model_config = ConfigDict(extra="forbid")

    text: str
    model: str


class DecisionRequest(TabRequest):
    """A decision about an image."""

    kind: Kind
    label: str = ""
    guess: ShownGuess | None = None
    revision: Annotated[str, Field(description="Of the image when it was shown.")]


class ExpectedRequest(TabRequest):
    """What labels are like."""

    length: Annotated[int | None, Field(ge=1, le=MAX_LABEL)]
    charset: Annotated[str, Field(max_length=MAX_LABEL, description="Any where it is empty.")]


class ContradictedLabel(BaseModel):
    """A label that is probably wrong."""

    label: Annotated[str, Field(description="When it was contradicted.")]
    reading: Annotated[str, Field(description="Of models that had not seen the image.")]
    confidence: float
    is_open: Annotated[bool, Field(description="Whether nobody has decided about it yet.")]


class Task(BaseModel):
    """An image to decide about."""

    number: int
    name: str
    width: int
    height: int
    error: Annotated[str | None, Field(description="Why it cannot be shown.")]
    guess: Guess | None
    suspect: ContradictedLabel | None
    kind: Annotated[Kind | None, Field(description="Of the decision there is.")]
    label: str
    revision: str


class TrainingStatus(BaseModel):
    """The training in the background."""

    state: State
    message: str
    progress: float
    labels_needed: Annotated[int, Field(description="How many more the next training waits for.")]
    possible: Annotated[bool, Field(description="Whether it can be started now.")]


class Decided(BaseModel):
    """An image that is labelled, or marked as unreadable."""

    number: int
    name: str
    kind: Kind
    label: str


class Status(BaseModel):
    """How far the labelling has come."""

    images: int
    labelled: int
    unreadable: int
    skipped: int
    left: int
    suspects_left: Annotated[int | None, Field(description="None where none were named.")]
    per_minute: float | None
    seconds_left: float | None
    agreement: Agreement
    recent_agreement: Agreement
    last: Annotated[list[Decided], Field(description="The last decisions, the latest first.")]
    expected: Expected
    model: str | None
    is_reading: bool
    guess: Annotated[Guess | None, Field(description="Of the image that the tab has before it.")]
    training: TrainingStatus | None


class Step(BaseModel):
    """What to show next: an image, or none because all are decided; and how far the labelling has come."""

    task: Task | None
    status: Status


class Folder(BaseModel):
    """What is being labelled, which does not change."""

    folder: str
    labels_file: str
    train_command: str
