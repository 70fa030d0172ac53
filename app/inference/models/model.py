"""ONNX inference: a generic session, and a network that reads text."""

import hashlib
import itertools
import math
import random
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from app.inference.decoding.beam import Search, search_texts
from app.inference.decoding.bidi import in_logical_order
from app.inference.decoding.boxes import Box, character_boxes
from app.inference.decoding.ctc import CtcCodec, Decoded
from app.inference.decoding.lexicon import Lexicon
from app.inference.decoding.prior import TextPrior
from app.inference.decoding.shapes import Shapes
from app.inference.decoding.vote import has_majority, unzoomed, vote
from app.inference.images import ImageError, Pixels, decode_image, fit_to_input, zoom
from app.inference.models.configs import CONFIGS_FILE, ModelConfigs, read_configs
from app.inference.models.folders import MAX_FILE_BYTES
from app.inference.models.input_width import NARROWEST, proportional_width
from app.inference.models.integrity import GOLDEN_IMAGE, GOLDEN_TEXT, Golden, folder_sums, read_golden
from app.inference.models.reading import Character, Reading
from app.shared.errors import UserError
from app.shared.files import FileError, read_file
from app.shared.stopwatch import Stopwatch

MODEL_FILE = "model.onnx"
PREFERRED_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
BATCH_IMAGES = 8
"""Images per run of the network; larger batches exceed the CPU's caches and take longer per image."""
GROUP_IMAGES = 4 * BATCH_IMAGES
"""Images that pass each stage together, so that the stage's code stays in the CPU's caches."""
QUICK_SECONDS, SLOW_GROUP = 0.005, 2
"""A network is slow if an image takes more CPU time. It then reads this many images together, as tested at loading."""
MIN_UNSURE, MAX_UNSURE = 0.2, 0.8
"""Images with a confidence from the first to below the second are read again; others would hardly gain."""
ZOOMS = (0.93, 1.07, 0.87, 1.15)
"""Scales of the copies in which they are read, one after the other."""
MAX_STEPS_AGAIN = 500
"""Images with more output steps are read only once, since the time to decode an unsure one grows with their square."""
MAX_STEPS = 5000
"""Maximum output steps: decoding an unsure image then takes half a second."""
MAX_MESSAGE = 1000
"""Maximum length of an error message, which may quote keys, names and texts of the files."""
DTYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
# The key of a tensor stored outside the file, after its length, which may be encoded with extra bytes.
EXTERNAL_DATA = re.compile(rb"(?:\x08|\x88\x80{0,8}\x00)location")


class ModelError(UserError):
    """A model folder is unusable; the message says why, without paths, and is short even if it quotes a long text."""

    def __init__(self, message: str) -> None:
        super().__init__(message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…")


class OnnxInferenceModel:
    """ONNX graph with one input and one output.

    Runs on CUDA if ONNX Runtime supports it, otherwise on the CPU with one thread per call: small networks gain
    little from more. Calls from several threads are safe and use the processors better.

    Attributes:
        session: the ONNX Runtime session.
        providers: the execution providers in use.
        input_name, input_shape, input_dtype: the input; free axes of a shape are names or None.
        output_name, output_shape: the output.
        sha256: checksum of `model.onnx` in hexadecimal.
        file_bytes: its size.

    Raises:
        ModelError: if the file is missing, is not an ONNX model, or has other inputs or outputs.
    """

    def __init__(self, path: Path, sha256: str | None = None) -> None:
        """Open the file; refuse it if its checksum differs from `sha256`."""
        try:
            graph = read_file(path, MAX_FILE_BYTES)
        except FileError as error:
            raise ModelError(str(error)) from error
        self.sha256, self.file_bytes = hashlib.sha256(graph).hexdigest(), len(graph)
        if sha256 not in {None, self.sha256}:
            raise ModelError(f"{path.name} changed during loading")
        self.session = _open_session(graph)
        self.providers: list[str] = self.session.get_providers()
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{path.name} has {len(inputs)} inputs and {len(outputs)} outputs, not one of each")
        if inputs[0].type not in DTYPES:
            raise ModelError(f"{path.name} takes {inputs[0].type}; it must take {' or '.join(DTYPES)}")
        self.input_name: str = inputs[0].name
        self.input_shape: list[int | str | None] = inputs[0].shape
        self.input_dtype = DTYPES[inputs[0].type]
        self.output_name: str = outputs[0].name
        self.output_shape: list[int | str | None] = outputs[0].shape

    def run(self, batch: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the graph on a batch with the input's shape and type."""
        outputs = self.session.run([self.output_name], {self.input_name: batch})
        return np.asarray(outputs[0])


class ImageToTextModel(OnnxInferenceModel):
    """Network of a model folder (`model.onnx`, `configs.yaml`) that reads the text of images.

    Also loads folders written by `mltu`. Layout, channels and type of the input come from the graph unless
    configs.yaml sets them, and the blank is last by default. If the folder has a `SHA256SUMS`, its files must match
    it. If it has a `golden.png`, the network must read the text of `golden.txt` in it.

    Attributes:
        configs: content of `configs.yaml`.
        codec: vocabulary and decoding.
        width, height, channels: size of the input, with the maximum width if images keep their proportions; pixel
            values are 0…255.
        steps: output steps of an image with the full input width.
        seconds: CPU time of this thread to read one such image, measured at loading.
        sums: checksums, see `model_sums`.
        golden: golden image; None without one.

    Raises:
        ModelError: if anything is missing, invalid or inconsistent.
    """

    def __init__(self, folder: Path, sums: dict[str, str] | None = None) -> None:
        """Load the network; `sums` are its expected checksums, if known (see `model_sums`)."""
        self.sums = model_sums(folder) if sums is None else sums
        try:
            self.configs = read_configs(folder)
            self.golden = read_golden(folder)
        except FileError as error:
            raise ModelError(str(error)) from error
        super().__init__(folder / MODEL_FILE, self.sums[MODEL_FILE])
        self.codec = CtcCodec(self.configs.vocab, self.configs.blank_index)
        self.width, self.height = self.configs.width, self.configs.height
        self.channels_first, self.channels = self._layout()
        self.steps = self._warm_up()
        if self.golden is not None:
            self._check_golden(self.golden)
        # Only now: the golden text is the network's reading without a prior.
        self.codec = CtcCodec(self.configs.vocab, self.configs.blank_index, _prior(self.configs))

    def predict(
        self, images: Iterable[Pixels], search: Search | None = None, watch: Stopwatch | None = None
    ) -> list[Reading]:
        """Read images of any size.

        Args:
            images: upright pixels as returned by `decode_image`; taken one by one, and only the network's input of
                each is kept.
            search: options of the search; None decodes greedily, which is faster.
            watch: records the time to decode the images, to run the network and to decode the texts.
        """
        watch = watch or Stopwatch()
        shapes: list[tuple[int, ...]] = []
        readings: list[Reading] = []

        def with_shapes_recorded() -> Iterator[Pixels]:
            for image in images:
                shapes.append(image.shape)
                yield image

        for decoded in self._read_batches(with_shapes_recorded(), search, watch):
            readings += map(self._reading, decoded, shapes[len(readings) :])
            watch.lap("text", len(decoded))
        return readings

    def read_texts(self, images: Iterable[Pixels], search: Search | None = None) -> list[Decoded]:
        """Read images like `predict`, without boxes."""
        return list(itertools.chain.from_iterable(self._read_batches(images, search, Stopwatch())))

    def _read_batches(
        self, images: Iterable[Pixels], search: Search | None, watch: Stopwatch
    ) -> Iterator[list[Decoded]]:
        remaining = iter(images)
        # A search is slow, so each image is taken only after the previous one is done.
        size = 1 if search is not None else GROUP_IMAGES if self.seconds <= QUICK_SECONDS else SLOW_GROUP
        while group := [self._fit(image) for image in itertools.islice(remaining, size)]:
            yield self._read_again(group, self._read_inputs(group, search, watch), search, watch)

    def _read_inputs(self, inputs: Sequence[Pixels], search: Search | None, watch: Stopwatch) -> list[Decoded]:
        texts: dict[int, Decoded] = {}
        for indices in _by_width(inputs):
            network_input = self._to_batch([inputs[index] for index in indices])
            watch.lap("decode", len(indices))
            starts = range(0, len(indices), BATCH_IMAGES)
            outputs = [self.run(network_input[start : start + BATCH_IMAGES]) for start in starts]
            probabilities = np.concatenate(outputs) if len(outputs) > 1 else outputs[0]
            watch.lap("run", len(indices))
            texts.update(zip(indices, self._decode(probabilities, search), strict=True))
        return [texts[index] for index in range(len(inputs))]

    def _read_again(
        self, inputs: Sequence[Pixels], decoded: Sequence[Decoded], search: Search | None, watch: Stopwatch
    ) -> list[Decoded]:
        """Read unsure images again in zoomed copies until most copies agree, and let the copies vote."""
        unsure = [
            index
            for index, one in enumerate(decoded)
            if MIN_UNSURE <= one.confidence < MAX_UNSURE and self._steps_of_input(inputs[index]) <= MAX_STEPS_AGAIN
        ]
        if not unsure:
            return [*decoded]
        copies = {index: [decoded[index]] for index in unsure}
        for factor in ZOOMS:
            unsure = [index for index in unsure if not has_majority(copies[index], 1 + len(ZOOMS))]
            zoomed = self._read_inputs([zoom(inputs[index], factor) for index in unsure], search, Stopwatch())
            for index, one in zip(unsure, zoomed, strict=True):
                copies[index].append(unzoomed(one, factor, self._steps_of_input(inputs[index])))
        watch.lap("reread", len(copies))
        return [vote(copies[index]) if index in copies else one for index, one in enumerate(decoded)]

    def probabilities(self, images: Sequence[Pixels]) -> NDArray[np.float32]:
        """Return the network's output for images of one size: (images, steps, classes), not calibrated."""
        return self.run(self.prepare(images))

    def prepare(self, images: Sequence[Pixels]) -> NDArray[np.uint8] | NDArray[np.float32]:
        """Return the network's input for images of one size: resized, in the input's channels, layout and type."""
        return self._to_batch([self._fit(image) for image in images])

    def steps_of(self, *, image_width: int, image_height: int) -> int:
        """Return the output steps of an image, whose size is given in pixels."""
        return self.steps * self._input_width(image_width=image_width, image_height=image_height) // self.width

    def _steps_of_input(self, fitted: Pixels) -> int:
        return self.steps * fitted.shape[1] // self.width

    def _decode(self, probabilities: NDArray[np.float32], search: Search | None) -> list[Decoded]:
        temperature = self.configs.calibration.temperature
        if search is None:
            decoded = self.codec.decode(probabilities, temperature)
        else:
            decoded = search_texts(self.codec, probabilities, temperature, search)
        return decoded if self.configs.direction is None else list(map(in_logical_order, decoded))

    def _reading(self, decoded: Decoded, shape: tuple[int, ...]) -> Reading:
        boxes: Sequence[Box | None] = [None] * len(decoded.spans)
        if self.configs.time_axis == "width":
            height, width = shape[:2]
            steps = self.steps_of(image_width=width, image_height=height)
            boxes = character_boxes(decoded.spans, steps=steps, width=width, height=height)
        characters = [
            Character(character, confidence, box)
            for (character, confidence, _, _), box in zip(decoded.spans, boxes, strict=True)
        ]
        return Reading(decoded.text, decoded.confidence, tuple(characters), decoded.alternatives, decoded.sum)

    def _fit(self, image: Pixels) -> Pixels:
        height, width = image.shape[:2]
        columns = self._input_width(image_width=width, image_height=height)
        return fit_to_input(image, width=columns, height=self.height, channels=self.channels)

    def _input_width(self, *, image_width: int, image_height: int) -> int:
        if not self.configs.keep_proportions:
            return self.width
        return proportional_width(image_width, image_height, input_height=self.height, widest=self.width)

    def _to_batch(self, fitted: Sequence[Pixels]) -> NDArray[np.uint8] | NDArray[np.float32]:
        batch = np.empty((len(fitted), *fitted[0].shape), self.input_dtype)
        for index, image in enumerate(fitted):
            batch[index] = image
        return np.ascontiguousarray(batch.transpose(0, 3, 1, 2)) if self.channels_first else batch

    def _layout(self) -> tuple[bool, int]:
        """Return whether the channels come before the rows, and their number."""
        shape = self.input_shape
        if len(shape) != 4:
            raise ModelError(f"{MODEL_FILE} takes {len(shape)} axes, not images, height, width and channels")
        for channels_first, (rows, columns, depth) in (
            (False, shape[1:]),
            (True, (shape[2], shape[3], shape[1])),
        ):
            channels = self.configs.channels or depth
            fits = _fits(rows, self.height) and _fits(columns, self.width) and _fits(depth, channels)
            fits = fits and not (self.configs.keep_proportions and isinstance(columns, int))
            if fits and channels in {1, 3}:
                return channels_first, int(channels)
        expected = f"{'any' if self.configs.keep_proportions else self.width}×{self.height}" + (
            f" with {self.configs.channels} channels" if self.configs.channels else ""
        )
        raise ModelError(f"configs.yaml says {expected}, but {MODEL_FILE} takes {_shape_in_words(shape)}")

    def _warm_up(self) -> int:
        """Run a blank image and noise to warm up the session; check the output and return its number of steps."""
        size = (self.height, self.width, self.channels)
        blank = np.full(size, 255, np.uint8)
        # Not NumPy's generator, whose import takes longer than this run.
        noise = np.frombuffer(random.Random(0).randbytes(math.prod(size)), np.uint8).reshape(size)  # noqa: S311
        try:
            output = self.run(self._to_batch([blank, noise]))
            started = time.thread_time()
            alone = self.run(self._to_batch([noise]))
            self.seconds = time.thread_time() - started
            narrow = noise[:, :NARROWEST] if self.configs.keep_proportions else noise
            narrow_output = self.run(self._to_batch([narrow]))
        except Exception as error:  # ONNX Runtime raises many undocumented types
            raise ModelError(f"{MODEL_FILE} fails on a batch of {self.width}×{self.height} images") from error
        if output.ndim != 3 or output.shape[0] != 2 or output.shape[2] != self.codec.classes:
            raise ModelError(
                f"the vocabulary has {len(self.codec.vocab)} characters, so {MODEL_FILE} must return "
                f"{self.codec.classes} classes per step (one is the blank), but returns {list(output.shape)}"
            )
        if output.shape[1] == 0 or alone.shape != (1, *output.shape[1:]):
            raise ModelError(
                f"{MODEL_FILE} must return the same number of steps for each image, at least one, but returns "
                f"{list(output.shape)} for two images and {list(alone.shape)} for one"
            )
        if output.shape[1] > MAX_STEPS:
            raise ModelError(f"{MODEL_FILE} returns {output.shape[1]:,} steps for an image; at most {MAX_STEPS:,}")
        if output.dtype not in {np.dtype(np.float32), np.dtype(np.float64)}:
            raise ModelError(f"{MODEL_FILE} must return floats, but returns {output.dtype}")
        if narrow_output.shape[1] * self.width != output.shape[1] * narrow.shape[1]:
            raise ModelError(f"{MODEL_FILE} must return the same number of steps per column for every width")
        if not np.allclose(output.sum(axis=2), 1.0, atol=1e-3) or output.min() < 0:
            raise ModelError(f"{MODEL_FILE} must return probabilities: end the network with a softmax")
        return int(output.shape[1])

    def _check_golden(self, golden: Golden) -> None:
        try:
            image = decode_image(golden.file)
        except ImageError as error:
            raise ModelError(f"{GOLDEN_IMAGE} cannot be decoded: {error}") from error
        try:
            read = self.predict([image])[0].text
        except Exception as error:
            # Of any type, as in `_warm_up`; a graph may fail on some images only.
            raise ModelError(f"{MODEL_FILE} fails on {GOLDEN_IMAGE}") from error
        if read != golden.text:
            raise ModelError(f"{GOLDEN_IMAGE} is read as {read!r}, but {GOLDEN_TEXT} says {golden.text!r}")


def _prior(configs: ModelConfigs) -> TextPrior | None:
    if configs.lexicon is not None:
        return Lexicon(configs.lexicon.texts, configs.lexicon.probability)
    return Shapes(configs.shapes) if configs.shapes is not None else None


def model_sums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the files of an `ImageToTextModel`, by name.

    Raises:
        ModelError: if a file is missing or does not match `SHA256SUMS`.
    """
    try:
        return folder_sums(folder, needed=(CONFIGS_FILE, MODEL_FILE))
    except FileError as error:
        raise ModelError(str(error)) from error


def _open_session(graph: bytes) -> ort.InferenceSession:
    # External data could be any file in the working directory, or any memory of this process.
    if b"location" in graph and EXTERNAL_DATA.search(graph):  # the plain search is faster
        raise ModelError(f"{MODEL_FILE} has external data; save it with all weights inside")
    options = ort.SessionOptions()
    # Not the ORT format, which allows other kinds of external data.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    available = ort.get_available_providers()
    providers = [name for name in PREFERRED_PROVIDERS if name in available]
    try:
        # With a single provider, a fallback would only retry it and write to standard output.
        return ort.InferenceSession(graph, options, providers=providers, enable_fallback=int(len(providers) > 1))
    except Exception as error:
        # ONNX Runtime raises many undocumented types.
        raise ModelError(f"{MODEL_FILE} is not an ONNX model that ONNX Runtime can load") from error


def _by_width(images: Sequence[Pixels]) -> list[list[int]]:
    """Return the indices of the images of each width."""
    widths: dict[int, list[int]] = {}
    for index, image in enumerate(images):
        widths.setdefault(image.shape[1], []).append(index)
    return list(widths.values())


def _fits(axis: int | str | None, size: int | str | None) -> bool:
    return axis == size or not isinstance(axis, int)


def _shape_in_words(shape: Sequence[int | str | None]) -> str:
    return "×".join(str(axis) if isinstance(axis, int) else "any" for axis in shape)
