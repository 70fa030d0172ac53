"""`configs.yaml`: properties of a network that its ONNX graph does not contain."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.inference.models.input_width import MULTIPLE, NARROWEST
from app.shared.files import FileError, read_file

CONFIGS_FILE = "configs.yaml"
MAX_BYTES = 1_000_000
MAX_TOKENS, MAX_DEPTH = 8_000, 8
"""Limits of the YAML: tokens, mostly known texts, and nesting; PyYAML would take minutes for a file of brackets."""
MAX_KNOWN, MAX_SHAPES = 3_000, 400
"""Limits of the number of known texts or shapes times the length of the longest; each is compared with each image."""
MAX_KEY_SHOWN = 40
MAX_INPUT_PIXELS = 1_000_000
"""Limit of the network's input, so that a mistyped size does not exhaust the memory."""

OPENING = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)


class Calibration(BaseModel):
    """Conversion of the network's probabilities to confidences.

    `temperature` divides the logits (Guo et al., "On Calibration of Modern Neural Networks", 2017). Above 1 it lowers
    the confidences. Training finds values from 0.5 to 4.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: Annotated[float, Field(ge=0.01, le=100)] = 1.0


Share = Annotated[float, Field(gt=0, lt=1)]


class KnownTexts(BaseModel):
    """Known texts, one of which most images show; see `Lexicon`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    texts: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    probability: Share
    """Probability that an image shows one of them."""


class ModelConfigs(BaseModel):
    """Keys of `configs.yaml`: those that `mltu` writes, then ours.

    Only `vocab`, `height` and `width` are required; the rest follows from the ONNX graph's input and output.
    `model_path` is the path on the machine that trained the model and is ignored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_path: str | None = None
    vocab: Annotated[str, Field(min_length=1)]
    height: Annotated[int, Field(gt=0)]
    width: Annotated[int, Field(gt=0)]
    max_text_length: Annotated[int, Field(gt=0)] | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    train_epochs: int | None = None
    train_workers: int | None = None

    blank_index: Annotated[int, Field(ge=0)] | None = None
    channels: Literal[1, 3] | None = None
    time_axis: Literal["width"] | None = None
    """"width": output step t corresponds to columns of the image, so characters have boxes. None: no boxes."""
    direction: Literal["rtl"] | None = None
    """"rtl": some characters run from right to left; texts are converted from the visual order of the image to logical
    order. None: texts keep the network's order."""
    keep_proportions: bool | None = None
    """Whether images are scaled to the height with their proportions, up to `width`; otherwise all are resized to
    width × height, as in `mltu`."""
    calibration: Calibration = Calibration()
    lexicon: KnownTexts | None = None
    """Texts that are more probable than others, with characters in the network's output order. None: all texts are
    equally probable."""

    shapes: Annotated[dict[Annotated[str, Field(min_length=1)], Share], Field(min_length=1)] | None = None
    """Probabilities of shapes of texts, see `Shapes`. None: all shapes are equally probable."""

    @model_validator(mode="after")
    def _check_vocabulary(self) -> "ModelConfigs":
        if len(set(self.vocab)) != len(self.vocab):
            raise ValueError("vocab contains a character twice")
        if self.blank_index is not None and self.blank_index > len(self.vocab):
            raise ValueError(f"blank_index must be from 0 to {len(self.vocab)}, the vocabulary's size")
        return self

    @model_validator(mode="after")
    def _check_prior(self) -> "ModelConfigs":
        texts, shapes = self.lexicon.texts if self.lexicon is not None else [], self.shapes or {}
        if len(set(texts)) != len(texts):
            raise ValueError("lexicon contains a text twice")
        if not set().union(*texts) <= set(self.vocab):
            raise ValueError("lexicon has a text with a character that is not in vocab")
        if shapes and (texts or sum(shapes.values()) > 1):
            raise ValueError("the probabilities of shapes must sum to at most 1, and shapes exclude a lexicon")
        if table_size(texts) > MAX_KNOWN or table_size(shapes) > MAX_SHAPES:
            raise ValueError(
                f"lexicon or shapes are too large: their number times the length of the longest must be at most "
                f"{MAX_KNOWN:,} for a lexicon and {MAX_SHAPES:,} for shapes"
            )
        return self

    @model_validator(mode="after")
    def _check_size(self) -> "ModelConfigs":
        if self.height * self.width > MAX_INPUT_PIXELS:
            raise ValueError(f"height times width must be at most {MAX_INPUT_PIXELS:,} pixels")
        if self.keep_proportions and (self.width % MULTIPLE or self.width < NARROWEST):
            raise ValueError(f"with keep_proportions, width must be a multiple of {MULTIPLE}, at least {NARROWEST}")
        return self


def table_size(texts: Collection[str]) -> int:
    """Return the number of texts times the length of the longest."""
    return len(texts) * max(map(len, texts), default=0)


def read_configs(folder: Path) -> ModelConfigs:
    """Read `configs.yaml` of a model folder.

    Raises:
        FileError: if the file is missing, too large, not YAML, or a key is missing, unknown or invalid.
    """
    content = read_file(folder / CONFIGS_FILE, MAX_BYTES)
    try:
        values = _load_yaml(content.decode())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # PyYAML raises ValueError for a date like 2026-99-99, RecursionError for deep nesting.
        raise FileError(f"{CONFIGS_FILE} is not plain YAML in UTF-8") from error
    if not isinstance(values, dict):
        raise FileError(f"{CONFIGS_FILE} must contain keys and values such as 'width: 200'")
    try:
        return ModelConfigs.model_validate(values)
    except ValidationError as error:
        raise FileError(f"{CONFIGS_FILE}: " + "; ".join(map(_explain, error.errors()))) from error


def write_configs(configs: ModelConfigs, folder: Path) -> None:
    """Write `configs.yaml` for `read_configs` and `mltu`."""
    # Unescaped, PyYAML would read the line separator U+0085 as a space.
    readable = configs.vocab.isprintable()
    text = yaml.safe_dump(configs.model_dump(exclude_none=True), allow_unicode=readable, sort_keys=False)
    (folder / CONFIGS_FILE).write_text(text, encoding="utf-8")


def _load_yaml(text: str) -> Any:
    depth = 0
    for count, token in enumerate(yaml.scan(text, Loader=yaml.SafeLoader)):
        # With aliases, a few lines can expand to more than the memory.
        if isinstance(token, yaml.AliasToken):
            raise yaml.YAMLError("aliases are not accepted")
        depth += isinstance(token, OPENING) - isinstance(token, CLOSING)
        if count > MAX_TOKENS or depth > MAX_DEPTH:
            raise yaml.YAMLError("too long or too deep for a configuration")
    _refuse_repeated_keys(yaml.compose(text, Loader=yaml.SafeLoader))
    return yaml.safe_load(text)


def _refuse_repeated_keys(node: yaml.Node | None) -> None:
    """Raise `FileError` for a repeated key, of which PyYAML would silently take the last."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise FileError(f"{CONFIGS_FILE} has the key {key.value[:MAX_KEY_SHOWN]!r} twice")
            seen.add(key.value)
        _refuse_repeated_keys(value)


def _explain(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}; known keys: {', '.join(ModelConfigs.model_fields)}"
    if error["type"] == "missing":
        return f"the key {key!r} is missing"
    if key == "vocab" and error["type"] == "string_type":
        return "vocab must be a string; put digits in quotes"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{key}: {message}" if key else message
