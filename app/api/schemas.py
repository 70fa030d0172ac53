"""What the service answers with."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import SkipJsonSchema

from app.api.problems import Problem
from app.inference.decoding.beam import BEAM_WIDTH
from app.inference.decoding.sums import LARGEST
from app.inference.models.store import BrokenModel, StoredModel

Confidence = Annotated[float, Field(ge=0, le=1)]


class BoxSchema(BaseModel):
    """A rectangle in pixels of the uploaded image, upright; right and bottom are one past the last pixel."""

    left: int
    top: int
    right: int
    bottom: int


class CharacterSchema(BaseModel):
    """One character that was read."""

    character: str
    confidence: Annotated[Confidence, Field(description="The probability of this character.")]
    box: Annotated[BoxSchema | None, Field(description="Null where the network cannot tell places.")]


class AlternativeSchema(BaseModel):
    """One of the most probable texts of an image."""

    text: str
    confidence: Annotated[Confidence, Field(description="The probability of the whole text.")]


class SumSchema(BaseModel):
    """The value of the sum that an image shows."""

    value: Annotated[
        int | None,
        Field(
            ge=-LARGEST,
            le=LARGEST,
            description=f"Null where none of the {BEAM_WIDTH} most probable texts is a sum whose value is a whole "
            "number: a number alone is no sum, and `7/2=` has no such value.",
            examples=[8],
        ),
    ]
    confidence: Annotated[
        Confidence,
        Field(
            description="The probability of the value, summed over those of the texts that have it; 0 where it is null."
        ),
    ]


class Text(BaseModel):
    """The text of an image."""

    text: str
    confidence: Annotated[Confidence, Field(description="The probability of the whole text.")]
    characters: list[CharacterSchema]
    alternatives: Annotated[
        list[AlternativeSchema],
        Field(
            description="The most probable texts, best first; only if `alternatives` asks for them.",
            exclude_if=lambda alternatives: not alternatives,
        ),
    ] = []
    sum: Annotated[
        SumSchema | SkipJsonSchema[None],
        Field(description="Only where `evaluate` asks for it.", exclude_if=lambda sum_: sum_ is None),
    ] = None
    accepted: Annotated[
        bool | SkipJsonSchema[None],
        Field(
            description="Whether there is text and its confidence at least `min_confidence`, or, where `evaluate` asks "
            "for it, a value; only where that is given.",
            exclude_if=lambda accepted: accepted is None,
        ),
    ] = None


class _FromAttributes(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ModelReference(_FromAttributes):
    """A version of a model."""

    name: str
    version: str


class Prediction(Text):
    """The text of the uploaded image."""

    model: ModelReference
    request_id: Annotated[str, Field(description="Also in the X-Request-ID header and in the log.")]


class FailedImage(BaseModel):
    """Why an image of a batch could not be read."""

    problem: Problem


class BatchPrediction(BaseModel):
    """The texts of the uploaded images, in the order sent; one that cannot be read has a problem in its place."""

    results: list[Text | FailedImage]
    model: ModelReference
    request_id: str


class InputSize(_FromAttributes):
    """What the network takes; uploads of other sizes are resized to it."""

    width: int
    height: int
    channels: int


class Metrics(BaseModel):
    """How the model read its validation images, from its card; rates are fractions."""

    images: int
    words_right: int
    cer: float
    wer: float


class _Card(BaseModel):
    """What is shown of `metrics.json`, where it is as our training writes it."""

    validation: Metrics | None = None
    created: datetime | None = None

    @classmethod
    def of(cls, metrics: dict[str, Any]) -> Self:
        try:
            return cls.model_validate(metrics)
        except ValidationError:
            return cls()


class ModelVersion(BaseModel):
    """A version of a model that is loaded."""

    version: str
    vocabulary: str
    input: InputSize
    metrics: Metrics | None
    created: datetime | None
    sha256: Annotated[str, Field(description="Of model.onnx.")]
    sample: Annotated[
        str | None,
        Field(description="The text in its image at `/models/{name}/sample`; null where it has none."),
    ]

    @classmethod
    def of(cls, stored: StoredModel) -> Self:
        """The schema of a loaded model."""
        card, golden = _Card.of(stored.metrics), stored.model.golden
        return cls(
            version=stored.version,
            vocabulary=stored.model.configs.vocab,
            input=InputSize.model_validate(stored.model),
            metrics=card.validation,
            created=card.created,
            sha256=stored.model.sha256,
            sample=golden and golden.text,
        )


class Model(BaseModel):
    """A model and its loaded versions, newest first."""

    name: str
    default: Annotated[bool, Field(description="Whether it reads where a request names no model.")]
    versions: list[ModelVersion]


class BrokenModelSchema(_FromAttributes):
    """A folder of the model store that could not be loaded."""

    name: str
    version: Annotated[str, Field(description="Empty where it is the folder of all versions.")]
    reason: str
    kept: Annotated[bool, Field(description="Whether it is served as it was when it could be loaded.")]

    @classmethod
    def of(cls, broken: BrokenModel) -> Self:
        """The schema of a broken model."""
        return cls.model_validate(broken)


class ModelList(BaseModel):
    """The models that are loaded, and the folders that could not be."""

    models: list[Model]
    broken: list[BrokenModelSchema]


class Reload(_FromAttributes):
    """What loading the model store anew came to."""

    loaded: Annotated[list[ModelReference], Field(description="New, or changed.")]
    unchanged: list[ModelReference]
    dropped: Annotated[list[ModelReference], Field(description="Their folders are gone.")]
    broken: list[BrokenModelSchema]


class Health(BaseModel):
    """The state of the service."""

    status: str
    version: Annotated[str, Field(description="Of the service.")]
