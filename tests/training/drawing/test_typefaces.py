"""Typefaces: search, grouping by family, and drawing."""

import shutil
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont

from training.drawing import typefaces as drawn_typefaces
from training.drawing.texts import ALPHABET
from training.drawing.typefaces import LATIN, SIZES, Typeface, by_family, find_typefaces, glyph

MATPLOTLIBS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@pytest.fixture
def no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide all typefaces but matplotlib's."""
    monkeypatch.setattr(drawn_typefaces, "SYSTEM_FOLDERS", ())


class TestFoundTypefaces:
    def test_include_matplotlibs(self, typefaces: list[Typeface]) -> None:
        assert {Path(face.path).parent for face in typefaces} == {MATPLOTLIBS}
        assert {"DejaVu Sans", "DejaVu Serif"} <= {face.family for face in typefaces}

    def test_have_letters_digits_and_the_characters_they_list(self, typefaces: list[Typeface]) -> None:
        for face in typefaces:
            assert set(LATIN) <= set(face.characters) <= set(ALPHABET)
            with TTFont(face.path, fontNumber=0, lazy=True) as font:
                assert set(map(ord, face.characters)) <= font.getBestCmap().keys()

    def test_are_faces_of_letters_and_not_of_symbols(self, typefaces: list[Typeface]) -> None:
        assert "cmsy10.ttf" not in {Path(face.path).name for face in typefaces}

    @pytest.mark.parametrize("alphabet", ["0123456789", "abcdefgh", "23456789ABCDEFGHKMNP"])
    def test_do_not_draw_symbols_for_the_characters_of_an_alphabet(self, alphabet: str, no_others: None) -> None:
        drawn = {Path(face.path).name for face in find_typefaces(alphabet)}
        assert "cmr10.ttf" in drawn
        assert not drawn & {"cmsy10.ttf", "cmex10.ttf"}

    def test_draw_no_symbols_for_signs(self, no_others: None) -> None:
        drawn = {Path(face.path).name: face.characters for face in find_typefaces("0123456789.")}
        assert drawn["cmr10.ttf"] == "0123456789."
        assert "cmmi10.ttf" not in drawn, "its point is a triangle"
        assert "cmmi10.ttf" in {Path(face.path).name for face in find_typefaces("0123456789")}, "its digits are digits"

    def test_have_all_characters_of_a_non_latin_alphabet(self, no_others: None) -> None:
        cyrillic = find_typefaces("бвгдж")
        assert cyrillic
        assert all(face.characters == "бвгдж" for face in cyrillic)
        assert not find_typefaces("\U00012000")  # a cuneiform letter

    def test_are_limited_in_number_and_reproducible(self, no_others: None) -> None:
        few = find_typefaces("0123456789", limit=3)
        assert len(few) == 3
        assert find_typefaces("0123456789", limit=3) == few

    def test_are_also_searched_in_given_folders(self, no_others: None, tmp_path: Path) -> None:
        (tmp_path / "deeper").mkdir()
        shutil.copyfile(MATPLOTLIBS / "DejaVuSans.ttf", tmp_path / "deeper" / "Copy.TTF")
        paths = {face.path for face in find_typefaces(ALPHABET, [tmp_path])}
        copies = {str(tmp_path / "deeper" / "Copy.TTF"), str(MATPLOTLIBS / "DejaVuSans.ttf")}
        assert len(paths & copies) == 1, "the same shapes count once"

    def test_can_be_drawn(self, no_others: None, tmp_path: Path) -> None:
        without_outlines = TTFont(MATPLOTLIBS / "DejaVuSans.ttf")
        del without_outlines["glyf"], without_outlines["loca"]
        without_outlines.save(tmp_path / "outlines_missing.ttf")
        paths = {face.path for face in find_typefaces("0123456789", [tmp_path])}
        assert paths
        assert str(tmp_path / "outlines_missing.ttf") not in paths

    @pytest.mark.parametrize("content", [b"", b"text", b"\x00\x01\x00\x00 cut off", b"OTTO" + bytes(40), b"ttcf"])
    @pytest.mark.parametrize("suffix", [".ttf", ".ttc"])
    def test_are_found_despite_damaged_files(
        self, content: bytes, suffix: str, no_others: None, typefaces: list[Typeface], tmp_path: Path
    ) -> None:
        (tmp_path / f"damaged{suffix}").write_bytes(content)
        assert [
            face.path for face in find_typefaces("0123456789", [tmp_path], limit=100) if "damaged" in face.path
        ] == []


def test_faces_are_grouped_by_family(typefaces: list[Typeface]) -> None:
    families = by_family(typefaces)
    assert sorted(face for family in families for face in family) == sorted(typefaces)
    assert all(len({face.family for face in family}) == 1 for family in families)
    assert len({family[0].family for family in families}) == len(families)


@pytest.mark.parametrize("size", SIZES)
class TestAGlyph:
    def test_is_as_high_as_its_ink_plus_a_margin_of_one_pixel(self, size: int, typefaces: list[Typeface]) -> None:
        for character in "gI.@":
            mask = glyph(typefaces[0], character, size, smooth=True).mask
            assert mask.dtype == np.uint8
            inked = np.flatnonzero(mask.any(axis=1))
            assert 1 <= inked[0] <= 2
            assert 1 <= mask.shape[0] - 1 - inked[-1] <= 2

    def test_is_black_and_white_unless_smooth(self, size: int, typefaces: list[Typeface]) -> None:
        assert set(np.unique(glyph(typefaces[0], "g", size, smooth=False).mask)) == {0, 255}
        assert len(np.unique(glyph(typefaces[0], "g", size, smooth=True).mask)) > 2

    def test_rests_on_the_baseline_or_descends_below(self, size: int, typefaces: list[Typeface]) -> None:
        upright, below = (glyph(typefaces[0], character, size, smooth=True) for character in "Hg")
        assert upright.top < 0
        assert abs(upright.top + upright.mask.shape[0]) <= 2
        assert below.top + below.mask.shape[0] > 2
        assert 0 < upright.advance < size * 1.5
