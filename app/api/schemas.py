"""Response schemas."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import SkipJsonSchema

from app.api.problems import Problem
from app.inference.decoding.beam import BEAM_WIDTH
from app.inference.decoding.sums import LARGEST
from app.inference.models.store import StoredModel

Confidence = Annotated[float, Field(ge=0, le=1)]


class BoxSchema(BaseModel):
    """Rectangle in pixels of the uploaded image, upright; right and bottom are one past the last pixel."""

    left: int
    top: int
    right: int
    bottom: int


class CharacterSchema(BaseModel):
    """Character of a text."""

    character: str
    confidence: Annotated[Confidence, Field(description="The probability of this character.")]
    box: Annotated[BoxSchema | None, Field(description="Null if the network has no positions.")]


class AlternativeSchema(BaseModel):
    """Alternative text of an image."""

    text: str
    confidence: Annotated[Confidence, Field(description="The probability of the whole text.")]


class SumSchema(BaseModel):
    """Value of the sum in an image."""

    value: Annotated[
        int | None,
        Field(
            ge=-LARGEST,
            le=LARGEST,
            description=f"Null if none of the {BEAM_WIDTH} most probable texts is a sum with an integer value. "
            "A number alone is not a sum, and `7/2=` has no integer value.",
            examples=[8],
        ),
    ]
    confidence: Annotated[
        Confidence,
        Field(description="The sum of the probabilities of the texts with this value; 0 if it is null."),
    ]


class Text(BaseModel):
    """Text of an image."""

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
        Field(description="Only if `evaluate` asks for it.", exclude_if=lambda sum_: sum_ is None),
    ] = None
    accepted: Annotated[
        bool | SkipJsonSchema[None],
        Field(
            description="Whether the confidence of the text, or of the value if `evaluate` asks for one, is at least "
            "`min_confidence`; false without a text or value. Only if `min_confidence` is given.",
            exclude_if=lambda accepted: accepted is None,
        ),
    ] = None


class _FromAttributes(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ModelReference(_FromAttributes):
    """Version of a model."""

    name: str
    version: str


class Prediction(Text):
    """Text of the uploaded image."""

    model: ModelReference
    request_id: Annotated[str, Field(description="Also in the X-Request-ID header and in the log.")]


class FailedImage(BaseModel):
    """Reason why an image of a batch could not be read."""

    problem: Problem


class BatchPrediction(BaseModel):
    """Texts of the uploaded images in the order sent, with a problem in place of each that cannot be read."""

    results: list[Text | FailedImage]
    model: ModelReference
    request_id: str


class InputSize(_FromAttributes):
    """Input size of the network; uploads are resized to it."""

    width: int
    height: int
    channels: int


class Metrics(BaseModel):
    """Results on the validation images, from the model card; rates are fractions."""

    images: int
    words_right: int
    cer: float
    wer: float


class _Card(BaseModel):
    """Fields shown from `metrics.json`; empty if another program wrote the file in another form."""

    validation: Metrics | None = None
    created: datetime | None = None

    @classmethod
    def of(cls, metrics: dict[str, Any]) -> Self:
        try:
            return cls.model_validate(metrics)
        except ValidationError:
            return cls()


class ModelVersion(BaseModel):
    """Loaded version of a model."""

    version: str
    vocabulary: str
    input: InputSize
    metrics: Metrics | None
    created: datetime | None
    sha256: Annotated[str, Field(description="SHA-256 of model.onnx.")]
    sample: Annotated[
        str | None,
        Field(description="The text in the image at `/models/{name}/sample`; null without an image."),
    ]

    @classmethod
    def of(cls, stored: StoredModel) -> Self:
        """Return the schema of a loaded model."""
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
    """Model and its loaded versions, newest first."""

    name: str
    default: Annotated[bool, Field(description="Whether it is used if a request names no model.")]
    versions: list[ModelVersion]


class BrokenModelSchema(_FromAttributes):
    """Folder of the model store that could not be loaded."""

    name: str
    version: Annotated[str, Field(description="Empty if the folder of all versions is meant.")]
    reason: str
    kept: Annotated[bool, Field(description="Whether its previously loaded state is still served.")]


class ModelList(BaseModel):
    """Loaded models, and folders that could not be loaded."""

    models: list[Model]
    broken: list[BrokenModelSchema]


class Reload(_FromAttributes):
    """Result of reloading the model store."""

    loaded: Annotated[list[ModelReference], Field(description="New or changed versions.")]
    unchanged: list[ModelReference]
    dropped: Annotated[list[ModelReference], Field(description="Versions whose folders are gone.")]
    broken: list[BrokenModelSchema]


class Health(BaseModel):
    """State of the service."""

    status: str
    version: Annotated[str, Field(description="Version of the service.")]
