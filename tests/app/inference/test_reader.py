"""`Reader`: images of all types, and refusals with reasons."""

import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.inference import Reader
from app.inference.decoding.automaton import ConstraintError
from app.inference.images import (
    DamagedImageError,
    ImageError,
    ImageTooLargeError,
    Pixels,
    UnsupportedImageError,
    decode_image,
)
from app.inference.models.model import ModelError
from app.inference.models.reading import Reading
from app.inference.reader import Picture
from tests.command import loaded_modules
from tests.drawn_text import drawn
from tests.waiting import GENEROUS_SECONDS

LABEL = "ef2ec"


@pytest.fixture(scope="module")
def reader(shipped_model: Path) -> Reader:
    return Reader(shipped_model)


@pytest.fixture
def pixels(samples: dict[str, bytes]) -> Pixels:
    return decode_image(samples[LABEL])


def texts(results: list[Reading | ImageError]) -> list[str | type[ImageError]]:
    return [result.text if isinstance(result, Reading) else type(result) for result in results]


class TestFolder:
    def test_of_a_model_means_its_newest_version(self, shipped_model: Path, samples: dict[str, bytes]) -> None:
        assert Reader(str(shipped_model.parent)).read(samples[LABEL]).text == LABEL

    def test_without_a_model_is_an_error(self, tmp_path: Path) -> None:
        for folder in (tmp_path, tmp_path / "nowhere"):
            with pytest.raises(ModelError):
                Reader(folder)

    def test_is_found_without_loading_networks(self, repository: Path) -> None:
        assert "onnxruntime" not in loaded_modules(repository, "app.inference.models.folders")


class TestSums:
    def test_have_a_value_on_request(self, repository: Path) -> None:
        general = repository / "model_store" / "general"
        assert Reader(general).read(drawn("10-2=")).sum is None
        found = Reader(general, evaluate="sum").read(drawn("10-2=")).sum
        assert found is not None
        assert found.value == 8
        assert found.confidence > 0.8


class TestPictures:
    def test_are_paths(self, reader: Reader, samples: dict[str, bytes], tmp_path: Path) -> None:
        path = tmp_path / "picture"
        path.write_bytes(samples[LABEL])
        assert reader.read(path).text == reader.read(str(path)).text == LABEL

    def test_are_contents_of_files(self, reader: Reader, samples: dict[str, bytes]) -> None:
        for label, data in samples.items():
            assert reader.read(data).text == label

    @pytest.mark.parametrize(
        "change",
        [
            lambda grey: grey,
            lambda grey: grey[:, :, None],
            lambda grey: np.dstack([grey] * 3),
            lambda grey: np.dstack([grey] * 3 + [np.full_like(grey, 255)]),
            lambda grey: np.dstack([np.zeros_like(grey)] * 3 + [255 - grey]),
            np.asfortranarray,
            lambda grey: grey / 255,
            lambda grey: (grey / 255).astype(np.float32)[:, :, None],
            lambda grey: grey.astype(np.uint16) * 257,
            lambda grey: np.dstack([grey.astype(np.uint16) * 257] * 3),
        ],
        ids=["grey", "1 channel", "3", "4", "alpha", "by columns", "0…1", "float32", "16 bits", "3 of 16 bits"],
    )
    def test_are_arrays(self, reader: Reader, pixels: Pixels, change: Callable[[Pixels], NDArray[Any]]) -> None:
        assert reader.read(change(pixels)).text == LABEL

    def test_are_black_and_white_arrays(self, reader: Reader, pixels: Pixels) -> None:
        ink = cv2.threshold(pixels, 0, 255, cv2.THRESH_OTSU)[1]
        assert reader.read(ink > 0) == reader.read(ink)

    @pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "CMYK", "YCbCr", "I;16"])
    def test_are_images_of_pillow(self, reader: Reader, samples: dict[str, bytes], mode: str) -> None:
        grey = Image.open(BytesIO(samples[LABEL])).convert("L")
        picture = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
        assert picture.mode == mode
        assert reader.read(picture).text == LABEL

    def test_of_pillow_are_rgb_and_arrays_bgr(self, reader: Reader, pixels: Pixels) -> None:
        colours = np.dstack([pixels, 255 - pixels, pixels])
        red_first = Image.fromarray(np.ascontiguousarray(colours[:, :, ::-1]))
        assert reader.read(red_first) == reader.read(colours)

    def test_are_turned_upright(self, reader: Reader, samples: dict[str, bytes]) -> None:
        lying = Image.open(BytesIO(samples[LABEL])).transpose(Image.Transpose.ROTATE_90)
        lying.getexif()[0x0112] = 6
        assert reader.read(lying).text == LABEL


class TestRefusals:
    @pytest.mark.parametrize(
        ("array", "words"),
        [
            (np.zeros((50, 200, 2), np.uint8), r"\(50, 200, 2\)"),
            (np.zeros((1, 50, 200, 3), np.uint8), r"\(1, 50, 200, 3\)"),
            (np.zeros(200, np.uint8), r"\(200,\)"),
            (np.zeros((0, 200), np.uint8), r"\(0, 200\)"),
            (np.full((50, 200), 255.0), "0…1"),
            (np.full((50, 200), -0.1), "0…1"),
            (np.full((50, 200), np.nan), "0…1"),
            (np.zeros((50, 200), np.int64), "int64"),
            (np.zeros((50, 200), np.complex64), "complex64"),
        ],
    )
    def test_say_what_is_wrong_with_an_array(self, reader: Reader, array: NDArray[Any], words: str) -> None:
        with pytest.raises(UnsupportedImageError, match=words):
            reader.read(array)

    @pytest.mark.parametrize("mode", ["I", "F"])
    def test_include_pillow_images_of_unknown_range(self, reader: Reader, samples: dict[str, bytes], mode: str) -> None:
        with pytest.raises(UnsupportedImageError, match="give"):
            reader.read(Image.open(BytesIO(samples[LABEL])).convert("L").convert(mode))

    def test_name_a_file_that_cannot_be_read(self, reader: Reader, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match=r"nowhere\.png cannot be read"):
            reader.read(tmp_path / "nowhere.png")
        with pytest.raises(ImageError, match="Is a directory"):
            reader.read(tmp_path)

    def test_name_the_type_of_other_objects(self, reader: Reader) -> None:
        with pytest.raises(TypeError, match="int"):
            reader.read(5)  # type: ignore[arg-type]

    def test_are_returned_in_place_of_their_images(
        self, reader: Reader, samples: dict[str, bytes], tmp_path: Path
    ) -> None:
        first, second, *_ = samples
        pictures: list[Picture] = [
            b"",
            samples[first],
            samples[first][:200],
            tmp_path / "none",
            samples[second],
            b"GIF89a",
        ]
        assert texts(reader.read_many(pictures)) == [
            UnsupportedImageError,
            first,
            DamagedImageError,
            ImageError,
            second,
            DamagedImageError,
        ]

    def test_include_too_large_images(self, reader: Reader) -> None:
        large = cv2.imencode(".png", np.zeros((2001, 2000), np.uint8))[1].tobytes()
        with pytest.raises(ImageTooLargeError):
            reader.read(large)


class TestSeveral:
    def test_come_in_order(self, reader: Reader, samples: dict[str, bytes]) -> None:
        labels = [*samples, *reversed(samples)]
        assert texts(reader.read_many(samples[label] for label in labels)) == labels

    def test_read_like_alone(self, reader: Reader, samples: dict[str, bytes]) -> None:
        together = reader.read_many(samples.values())
        for beside, data in zip(together, samples.values(), strict=True):
            assert isinstance(beside, Reading)
            assert beside.confidence == pytest.approx(reader.read(data).confidence, rel=1e-4)

    def test_may_be_none(self, reader: Reader) -> None:
        assert reader.read_many([]) == []


class TestSearch:
    def test_uses_the_options(self, shipped_model: Path, samples: dict[str, bytes]) -> None:
        reading = Reader(shipped_model, pattern=r"[0-9]f2ec", alternatives=2).read(samples[LABEL])
        assert reading.text[0].isdigit()
        assert reading.alternatives[0].text == reading.text

    def test_for_impossible_constraints_is_refused(self, shipped_model: Path) -> None:
        with pytest.raises(ConstraintError):
            Reader(shipped_model, charset="?")


class TestDictionary:
    def test_has_all_fields(self, shipped_model: Path, samples: dict[str, bytes]) -> None:
        fields = Reader(shipped_model, alternatives=2).read(samples[LABEL]).to_dict()
        assert fields["text"] == LABEL
        assert 0.9 < fields["confidence"] <= 1
        assert [one["character"] for one in fields["characters"]] == [*LABEL]
        assert set(fields["characters"][0]["box"]) == {"left", "top", "right", "bottom"}
        assert fields["alternatives"][0]["text"] == LABEL

    def test_has_no_alternatives_unless_requested(self, reader: Reader, samples: dict[str, bytes]) -> None:
        assert set(reader.read(samples[LABEL]).to_dict()) == {"text", "confidence", "characters"}


class TestElsewhere:
    def test_in_threads(self, reader: Reader, samples: dict[str, bytes]) -> None:
        with ThreadPoolExecutor(4) as pool:
            readings = list(pool.map(reader.read, [samples[LABEL]] * 32))
        assert {reading.text for reading in readings} == {LABEL}

    def test_pickled(self, shipped_model: Path, samples: dict[str, bytes]) -> None:
        reader = Reader(shipped_model, alternatives=2)
        reading = reader.read(samples[LABEL])
        again: Reader = pickle.loads(pickle.dumps(reader))  # noqa: S301
        assert again.read(samples[LABEL]) == reading
        assert pickle.loads(pickle.dumps(reading)) == reading  # noqa: S301

    @pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="the system has no fork")
    def test_after_a_fork(self, repository: Path) -> None:
        script = (
            "import os, numpy as np\n"
            "from app.inference import Reader\n"
            f"reader, picture = Reader('model_store/captcha'), 'samples/{LABEL}.png'\n"
            "large = np.full((2000, 2000, 3), 255, np.uint8)\n"
            "reader.read_many([picture, large])\n"
            "child = os.fork()\n"
            "if not child:\n"
            f"    os._exit(reader.read_many([picture, large])[0].text != '{LABEL}')\n"
            "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        )
        command = [sys.executable, "-c", script]
        assert subprocess.run(command, cwd=repository, timeout=GENEROUS_SECONDS, check=False).returncode == 0
