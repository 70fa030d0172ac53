"""Installed typefaces, grouped by family, and their glyphs as small masks."""

import functools
import logging
import string
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib
import numpy as np
from fontTools.ttLib import TTFont, TTLibError
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

logging.getLogger("fontTools").setLevel(logging.CRITICAL)  # its warnings do not matter here

SYSTEM_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")
"""Font folders of Linux distributions."""
SUFFIXES = {".ttf", ".otf", ".ttc", ".woff"}
PLACEHOLDERS = "LastResort"
"""File name prefix of fonts that draw a box for every character; matplotlib ships one."""
LATIN = string.digits + string.ascii_uppercase + string.ascii_lowercase
SIGNS = "+-=?.,:/#%&@"
PRINTABLE = set(string.printable + "×÷")
"""Characters of Latin texts, of which a typeface needs only the letters and digits."""
SIZES = (18, 28, 44, 68)
"""Pixels per em; a glyph is scaled down from the next larger size, so that it is never sampled too coarsely."""
_TEMPLATE = 16
_MIN_COMPARED = 5
"""With fewer characters, it cannot be decided whether they are symbols."""
_MIN_TYPICAL = 0.45
"""Minimum fraction of letters that must resemble other typefaces' letters; below it, a face consists of symbols."""


class Typeface(NamedTuple):
    """The first face of a font file."""

    path: str
    family: str
    characters: str
    """The characters of the requested alphabet that the face has."""


class Glyph(NamedTuple):
    """One drawn character.

    Attributes:
        mask: uint8 (height, width), 255 for ink; one free pixel around it vertically; its width covers the ink and the
            advance.
        left: left edge of the mask, in pixels from the pen.
        top: top edge of the mask, in pixels below the baseline; negative above it.
        advance: horizontal movement of the pen, in pixels.
    """

    mask: NDArray[np.uint8]
    left: int
    top: int
    advance: float


def find_typefaces(alphabet: str, folders: Iterable[Path] = (), limit: int | None = None) -> list[Typeface]:
    """Find installed typefaces with an alphabet's letters and digits, or all of it if some is not in `PRINTABLE`.

    Faces with the same shapes as an earlier one are skipped, as are those that draw symbols for digits, letters or, if
    the alphabet contains any, signs. The typefaces that come with matplotlib are always available.

    Args:
        alphabet: the characters.
        folders: searched in addition to the system's.
        limit: maximum number of faces; the choice is pseudo-random but reproducible.

    Returns:
        The faces; sorted by path if `limit` is None.
    """
    ours = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    files = {path for folder in (ours, *SYSTEM_FOLDERS, *folders) for path in folder.rglob("*")}
    faces: dict[bytes, Typeface] = {}
    paths = sorted(path for path in files if path.suffix.lower() in SUFFIXES and not path.name.startswith(PLACEHOLDERS))
    if limit is not None:
        paths.sort(key=lambda path: zlib.crc32(path.name.encode()))
    # Whether a face draws symbols for signs can only be decided from many signs.
    signs = SIGNS if set(alphabet) & set(SIGNS) else ""
    for path in paths:
        for face in filter(_can_be_drawn, _faces(path, alphabet, signs)):
            faces.setdefault(_fingerprint(face, alphabet), face)
        if len(faces) == limit:
            break
    found = list(faces.values())
    for kind in (string.digits, string.ascii_letters, signs):
        letters = [character for character in kind if character in alphabet + signs]
        if len(letters) >= _MIN_COMPARED and found:
            found = _without_symbols(found, letters)
    return [face._replace(characters="".join(filter(set(alphabet).__contains__, face.characters))) for face in found]


def by_family(faces: Iterable[Typeface]) -> list[list[Typeface]]:
    """Group faces by family, so that a family with many weights is not drawn more often than others."""
    families: dict[str, list[Typeface]] = defaultdict(list)
    for face in faces:
        families[face.family].append(face)
    return list(families.values())


@functools.lru_cache(maxsize=200_000)
def glyph(face: Typeface, character: str, size: int, *, smooth: bool) -> Glyph:
    """Draw a character at a size in pixels per em, anti-aliased if `smooth`."""
    font = _font(face.path, size)
    left, top, right, bottom = font.getbbox(character, anchor="ls")
    width, height = max(1, int(right - left)), max(1, int(bottom - top))
    image = Image.new("L" if smooth else "1", (width + 2, height + 2))
    ImageDraw.Draw(image).text((1 - left, 1 - top), character, fill=255 if smooth else 1, font=font, anchor="ls")
    mask = np.asarray(image.convert("L"))
    return Glyph(mask, int(left) - 1, int(top) - 1, float(font.getlength(character)))


@functools.lru_cache(maxsize=4_096)
def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    # Every build of Pillow has the basic layout, so glyphs are the same everywhere.
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def _faces(path: Path, alphabet: str, signs: str) -> Iterator[Typeface]:
    needed = set(map(ord, alphabet if set(alphabet) - PRINTABLE else set(alphabet) & set(LATIN)))
    try:
        # Opened here because fontTools leaves unreadable files open.
        with path.open("rb") as file:
            font = TTFont(file, fontNumber=0, lazy=True)
            there = (font.getBestCmap() or {}).keys()
            characters = "".join(character for character in dict.fromkeys(alphabet + signs) if ord(character) in there)
            if needed <= there and characters:
                yield Typeface(str(path), _family(font), characters)
    except (TTLibError, OSError, AssertionError, KeyError, ValueError):
        return  # skip damaged files and old formats


def _can_be_drawn(face: Typeface) -> bool:
    """Return whether the face can draw its characters in all sizes; bitmap fonts cannot."""
    try:
        for size in SIZES:
            glyph(face, face.characters[0], size, smooth=True)
        for character in face.characters:
            glyph(face, character, SIZES[1], smooth=True)
    except OSError:
        return False
    return True


def _family(font: TTFont) -> str:
    """Return the first one or two words of the family: Noto Sans Mono and Noto Sans Bengali share their letters."""
    name = font["name"].getBestFamilyName() or ""
    return " ".join(name.split()[:2])


def _fingerprint(face: Typeface, alphabet: str) -> bytes:
    """Return the rendering of the first four characters and of four from the middle."""
    letters = alphabet[:4] + alphabet[len(alphabet) // 2 : len(alphabet) // 2 + 4]
    return b"".join(glyph(face, c, 28, smooth=True).mask.tobytes() for c in letters if c in face.characters)


def _without_symbols(faces: list[Typeface], letters: list[str]) -> list[Typeface]:
    """Remove faces whose letters are symbols: few of them resemble the same letter of most other faces."""
    drawn = [{letter: _shape(face, letter) for letter in letters if letter in face.characters} for face in faces]
    typical = {letter: _median([shapes[letter] for shapes in drawn if letter in shapes]) for letter in letters}
    templates, names = np.stack(list(typical.values())), [letter.lower() for letter in letters]
    kept = []
    for face, shapes in zip(faces, drawn, strict=True):
        resembled = [names[(templates @ shape).argmax()] == letter.lower() for letter, shape in shapes.items()]
        if not resembled or np.mean(resembled) >= _MIN_TYPICAL:
            kept.append(face)
    return kept


def _median(shapes: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the median of unit vectors as a unit vector; zero without vectors."""
    middle = np.median(shapes, axis=0) if shapes else np.zeros(_TEMPLATE**2)
    return np.asarray(middle / max(1e-6, float(np.linalg.norm(middle))), np.float32)


def _shape(face: Typeface, character: str) -> NDArray[np.float32]:
    """Return a character, scaled to one size, as a vector of unit length."""
    mask = glyph(face, character, 28, smooth=True).mask
    small = cv2.resize(mask, (_TEMPLATE, _TEMPLATE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    return np.asarray(small / max(1e-6, float(np.linalg.norm(small))), np.float32)
