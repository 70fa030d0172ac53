"""The drawn families, and the command that measures accuracy on them."""

import json
import secrets
import unicodedata
from pathlib import Path

import captcha.image
import numpy as np
import pytest
from PIL import Image

from benchmarks import families as command
from benchmarks.family_images import FAMILIES, LABELS_FILE, Family, draw_family, random_labels
from training.data.dataset import read_image, vocabulary_of
from training.data.layouts import read_samples

each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)

MODES_AND_SIZES = {
    "captcha-package": ("RGB", {(160, 60)}),
    "serial-numbers": ("RGB", {(320, 48)}),
    "meter-readings": ("RGB", {(width, height) for width in range(120, 181) for height in range(36, 45)}),
    "cyrillic-stickers": ("RGBA", {(240, 64)}),
    "web-captcha": ("L", {(200, 50)}),
}


class TestFamilies:
    @each_family
    def test_labels_are_of_the_alphabet_and_of_all_lengths(self, family: Family) -> None:
        labels = random_labels(family, 600)
        assert len(set(labels)) == 600
        assert set("".join(labels)) == set(family.alphabet)
        assert {len(label) for label in labels} == set(range(family.shortest, family.longest + 1))

    @each_family
    def test_alphabet_has_each_character_once_and_normalised(self, family: Family) -> None:
        assert len(set(family.alphabet)) == len(family.alphabet)
        assert unicodedata.is_normalized("NFC", family.alphabet)

    def test_alphabets_are_small_large_and_beyond_ascii(self) -> None:
        sizes = [len(family.alphabet) for family in FAMILIES.values()]
        assert (min(sizes), max(sizes)) == (10, 62)
        assert not FAMILIES["cyrillic-stickers"].alphabet.isascii()

    @each_family
    def test_images_have_the_promised_sizes_and_colours(self, family: Family) -> None:
        mode, sizes = MODES_AND_SIZES[family.name]
        images = [family.draw(label, 0) for label in random_labels(family, 10)]
        assert {image.mode for image in images} == {mode}
        assert {image.size for image in images} <= sizes

    def test_meter_readings_differ_in_size(self) -> None:
        family = FAMILIES["meter-readings"]
        assert len({family.draw(label, 0).size for label in random_labels(family, 10)}) > 5

    @each_family
    def test_same_text_and_seed_give_the_same_image(self, family: Family) -> None:
        text, other = random_labels(family, 2)
        image = family.draw(text, 3)
        assert image.tobytes() == family.draw(text, 3).tobytes()
        assert image.tobytes() != family.draw(text, 4).tobytes()
        assert image.tobytes() != family.draw(other, 3).tobytes()

    @each_family
    def test_the_longest_and_widest_texts_fit(self, family: Family) -> None:
        for character in family.alphabet:
            if family.name == "web-captcha" and character in "mw":
                continue  # six of these are rejected; labels of the benchmark are never like that
            family.draw(character * family.longest, 0)

    def test_stickers_are_transparent_around_their_letters(self) -> None:
        opacity = np.asarray(FAMILIES["cyrillic-stickers"].draw("ЩЩЩЩЩЩЩ", 0).getchannel("A"))
        assert not opacity[:, [0, -1]].any()
        assert not opacity[[0, -1]].any()
        assert 0.05 < (opacity == 255).mean() < 0.5

    def test_the_module_secrets_is_unchanged(self) -> None:
        FAMILIES["captcha-package"].draw("23ab", 0)
        assert captcha.image.secrets is secrets  # type: ignore[attr-defined]
        assert secrets.randbits.__self__ is secrets._sysrand  # type: ignore[attr-defined]


class TestFolders:
    @each_family
    def test_are_read_from_their_list(self, family: Family, tmp_path: Path) -> None:
        samples = draw_family(family, tmp_path / "new" / "folder", 12)
        assert samples == read_samples(tmp_path / "new" / "folder" / LABELS_FILE)
        assert [sample.label for sample in samples] == random_labels(family, 12)
        for sample in samples:
            pixels = read_image(sample.path)
            assert pixels.std() > 10
            assert int(pixels.max()) - int(pixels.min()) > 50

    def test_start_with_the_same_images_whatever_the_count(self, tmp_path: Path) -> None:
        family = FAMILIES["captcha-package"]
        few, many = (draw_family(family, tmp_path / str(count), count) for count in (3, 6))
        assert [sample.label for sample in few] == [sample.label for sample in many[:3]]
        assert [sample.path.read_bytes() for sample in few] == [sample.path.read_bytes() for sample in many[:3]]

    def test_are_not_drawn_twice(self, tmp_path: Path) -> None:
        family = FAMILIES["web-captcha"]
        first = draw_family(family, tmp_path, 3)
        first[0].path.write_bytes(b"another")
        assert draw_family(family, tmp_path, 3) == first
        assert first[0].path.read_bytes() == b"another"

    def test_incomplete_ones_are_drawn_again(self, tmp_path: Path) -> None:
        family = FAMILIES["web-captcha"]
        first = draw_family(family, tmp_path, 3)
        first[0].path.write_bytes(b"half of it")
        (tmp_path / LABELS_FILE).unlink()
        draw_family(family, tmp_path, 3)
        with Image.open(first[0].path) as image:
            image.load()


class TestTheCommand:
    def test_trains_reads_reports_and_resumes(
        self,
        in_this_process: None,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        family = FAMILIES["serial-numbers"]
        settings = {"architecture": "conv_ctc", "width": 96, "height": 32, "epochs": 1}
        (row,) = command.measure([family], tmp_path, labels=12, unseen=4, jobs=1, settings=settings)
        assert (row["labels"], row["images"]) == (12, 4)
        place = tmp_path / "serial-numbers-12-4"
        samples = read_samples(place / "images" / LABELS_FILE)
        state = json.loads((place / "run" / "run.json").read_text())
        assert state["vocab"] == vocabulary_of(samples)
        known = read_samples(place / "run" / "train.csv") + read_samples(place / "run" / "val.csv")
        assert sorted(known) == sorted(samples[:12])
        readings = json.loads((place / "readings.json").read_text())
        assert [line["label"] for line in readings["lines"]] == [sample.label for sample in samples[12:]]

        trained = (place / "model" / "model.onnx").stat().st_mtime_ns
        again = command.measure([family], tmp_path, labels=12, unseen=4, jobs=1, settings=settings)
        assert (place / "model" / "model.onnx").stat().st_mtime_ns == trained
        assert again == [row]

        options = ["--families", "serial-numbers", "--labels", "12", "--unseen", "4", "--jobs", "1"]
        with pytest.raises(SystemExit, match="other settings"):
            command.main([*options, "--folder", str(tmp_path)])
        monkeypatch.setattr(command, "measure", lambda *_, **__: again)
        command.main([*options, "--folder", str(tmp_path), "--json", str(tmp_path / "report.json")])
        report = json.loads((tmp_path / "report.json").read_text())
        assert report["families"] == [json.loads(json.dumps(row))]
        assert {"captcha", "pillow", "keras"} <= set(report["versions"])
        assert report["cpus"] >= 1
        table = capsys.readouterr().out
        assert f"| serial-numbers | 320×48 | 62 | 4–10 | 12 | {row['words_right']} of 4 (" in table

    @pytest.mark.parametrize(
        "options", [["--families", "no-such"], ["--labels", "2"], ["--unseen", "0"], ["--jobs", "0"]]
    )
    def test_refuses_wrong_options(self, options: list[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            command.main(options)
        assert ended.value.code == 2

    def test_sizes_of_images_are_one_or_a_range(self, tmp_path: Path) -> None:
        assert command.size_of(draw_family(FAMILIES["cyrillic-stickers"], tmp_path / "same", 2)) == "240×64"
        widths, heights = command.size_of(draw_family(FAMILIES["meter-readings"], tmp_path / "other", 20)).split("×")
        assert "–" in widths
        assert "–" in heights
