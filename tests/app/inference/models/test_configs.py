from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.inference.models.configs import MAX_BYTES, KnownTexts, ModelConfigs, read_configs, write_configs
from app.shared.files import FileError

# As the tutorial's `configs.save()` writes it: yaml.dump of the object's attributes.
TUTORIAL: dict[str, Any] = {
    "model_path": "Models/02_captcha_to_text/202212211205",
    "vocab": "n2fy7x5dpw6g8ec4b3m",
    "height": 50,
    "width": 200,
    "max_text_length": 5,
    "batch_size": 64,
    "learning_rate": 0.001,
    "train_epochs": 1000,
    "train_workers": 20,
}

VOCABULARIES = st.lists(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40, unique=True).map("".join)


def write(folder: Path, text: str | bytes) -> Path:
    (folder / "configs.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def write_changed(folder: Path, **changes: Any) -> Path:
    return write(folder, yaml.dump({**TUTORIAL, **changes}))


def message(folder: Path) -> str:
    with pytest.raises(FileError) as caught:
        read_configs(folder)
    assert str(folder) not in str(caught.value)
    return str(caught.value)


def test_the_tutorials_file_is_read(tmp_path: Path) -> None:
    configs = read_configs(write(tmp_path, yaml.dump(TUTORIAL)))
    assert configs.model_dump(exclude_unset=True) == TUTORIAL
    assert configs.blank_index is None
    assert configs.channels is None
    assert configs.time_axis is None
    assert configs.calibration.temperature == 1.0


def test_vocabulary_height_and_width_suffice(tmp_path: Path) -> None:
    configs = read_configs(write(tmp_path, "vocab: abc\nheight: 32\nwidth: 128\n"))
    assert (configs.vocab, configs.height, configs.width) == ("abc", 32, 128)


@pytest.mark.parametrize(
    "vocab",
    [
        "0123456789",
        "äöüß€",
        "日本語",
        "#: ",
        " ab",
        "ab ",
        "\"'",
        "a\\n",
        "true",
        "1.5",
        "~",
        "-",
        "\t\n",
        "a\x85\u2028é",
        "😀é",
    ],
)
def test_written_files_are_readable_and_plain_yaml(tmp_path: Path, vocab: str) -> None:
    configs = ModelConfigs(vocab=vocab, height=50, width=200)
    write_configs(configs, tmp_path)
    assert read_configs(tmp_path) == configs
    values = yaml.safe_load((tmp_path / "configs.yaml").read_text(encoding="utf-8"))
    assert values == {"vocab": vocab, "height": 50, "width": 200, "calibration": {"temperature": 1.0}}


def test_letters_of_other_scripts_are_not_escaped(tmp_path: Path) -> None:
    write_configs(ModelConfigs(vocab="äж日", height=50, width=200), tmp_path)
    assert "vocab: äж日\n" in (tmp_path / "configs.yaml").read_text(encoding="utf-8")


@settings(suppress_health_check=[*settings().suppress_health_check, HealthCheck.function_scoped_fixture])
@given(
    configs=st.builds(
        ModelConfigs,
        vocab=VOCABULARIES,
        height=st.integers(1, 1000),
        width=st.integers(1, 1000),
        max_text_length=st.none() | st.integers(1, 99),
        blank_index=st.sampled_from([None, 0, 1]),
        channels=st.sampled_from([None, 1, 3]),
        time_axis=st.sampled_from([None, "width"]),
        calibration=st.floats(0.01, 100).map(lambda temperature: {"temperature": temperature}),
    )
)
def test_every_configuration_survives_writing_and_reading(tmp_path: Path, configs: ModelConfigs) -> None:
    write_configs(configs, tmp_path)
    assert read_configs(tmp_path) == configs


@settings(suppress_health_check=[*settings().suppress_health_check, HealthCheck.function_scoped_fixture])
@given(vocab=VOCABULARIES, probability=st.floats(0.01, 0.99))
def test_every_lexicon_survives_writing_and_reading(tmp_path: Path, vocab: str, probability: float) -> None:
    known = KnownTexts(texts=sorted({*vocab, vocab}), probability=probability)
    configs = ModelConfigs(vocab=vocab, height=50, width=200, lexicon=known)
    write_configs(configs, tmp_path)
    assert read_configs(tmp_path) == configs


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    assert message(tmp_path) == "configs.yaml cannot be read: No such file or directory"


@pytest.mark.parametrize(
    "text",
    [
        "vocab: [",
        "a: b: c",
        "\tvocab: abc",
        b"vocab: \xff\xfe",
        b"PK\x03\x04\x00\x00",
        "learning_rate: 2026-99-99",
        "width: " + "9" * 5000,
        "[" * 3000,
        "vocab: &a abc\nmodel_path: *b",
    ],
)
def test_invalid_yaml_is_an_error(tmp_path: Path, text: str | bytes) -> None:
    assert message(write(tmp_path, text)) == "configs.yaml is not plain YAML in UTF-8"


@pytest.mark.parametrize("text", ["vocab: abc\n{}vocab: xyz\n", "{}calibration: {{temperature: 1, temperature: 2}}\n"])
def test_a_repeated_key_is_refused(tmp_path: Path, text: str) -> None:
    said = message(write(tmp_path, text.format("height: 10\nwidth: 20\n")))
    assert said in {f"configs.yaml has the key {key!r} twice" for key in ("vocab", "temperature")}


def test_aliases_are_refused(tmp_path: Path) -> None:
    doubled = "".join(f"a{level}: &a{level}\n  <<: [*a{level - 1}, *a{level - 1}]\n" for level in range(1, 60))
    said = message(write(tmp_path, f"a0: &a0 {{x: 1}}\n{doubled}"))
    assert said == "configs.yaml is not plain YAML in UTF-8"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{" * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "- a\n" * 100_000,
        "a: {" * 100_000,
        "[[],[]," * 99_000,
    ],
    ids=["brackets", "braces", "lists", "keys", "items", "mappings", "both"],
)
def test_too_long_or_deep_yaml_is_refused_at_once(tmp_path: Path, text: str) -> None:
    assert message(write(tmp_path, text)) == "configs.yaml is not plain YAML in UTF-8"


@pytest.mark.parametrize(("height", "width"), [(100_000, 100_000), (1, 1_000_001)])
def test_a_very_large_input_size_is_refused(tmp_path: Path, height: int, width: int) -> None:
    said = message(write_changed(tmp_path, height=height, width=width))
    assert said.endswith("height times width must be at most 1,000,000 pixels")


@pytest.mark.parametrize("text", ["", "- vocab\n- height\n", "abc", "3", "null"])
def test_a_document_other_than_a_mapping_is_an_error(tmp_path: Path, text: str) -> None:
    assert message(write(tmp_path, text)) == "configs.yaml must contain keys and values such as 'width: 200'"


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system [echo]",
        "!!python/name:os.system",
        "!!python/object:pathlib.Path {}",
        "!Local {}",
    ],
)
def test_python_objects_are_refused(tmp_path: Path, tag: str) -> None:
    assert "not plain YAML" in message(write(tmp_path, f"vocab: {tag}\nheight: 50\nwidth: 200\n"))


def test_an_oversized_file_is_refused(tmp_path: Path) -> None:
    filled = yaml.dump(TUTORIAL) + "#" * MAX_BYTES
    assert message(write(tmp_path, filled)) == "configs.yaml is over 1,000,000 bytes"
    assert read_configs(write(tmp_path, filled[:MAX_BYTES])).width == 200


@pytest.mark.parametrize("key", ["vocab", "height", "width"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    values = {name: value for name, value in TUTORIAL.items() if name != key}
    assert message(write(tmp_path, yaml.dump(values))) == f"configs.yaml: the key '{key}' is missing"


def test_an_unknown_key_is_named_with_the_known_ones(tmp_path: Path) -> None:
    said = message(write_changed(tmp_path, blank=19))
    assert said.startswith("configs.yaml: unknown key 'blank'; known keys: model_path, vocab, height, width")
    assert "blank_index" in said


def test_an_unknown_key_of_the_calibration_is_named(tmp_path: Path) -> None:
    assert "calibration.temprature" in message(write_changed(tmp_path, calibration={"temprature": 2}))


def test_unquoted_digits_are_not_a_vocabulary(tmp_path: Path) -> None:
    write(tmp_path, "vocab: 123456789\nheight: 50\nwidth: 200\n")
    assert message(tmp_path) == "configs.yaml: vocab must be a string; put digits in quotes"


def test_a_repeated_character_is_an_error(tmp_path: Path) -> None:
    assert "vocab contains a character twice" in message(write_changed(tmp_path, vocab="abca"))


def test_the_blank_must_be_one_of_the_classes(tmp_path: Path) -> None:
    size = len(TUTORIAL["vocab"])
    assert f"blank_index must be from 0 to {size}" in message(write_changed(tmp_path, blank_index=size + 1))
    assert "blank_index" in message(write_changed(tmp_path, blank_index=-1))
    for blank_index in (0, size):
        assert read_configs(write_changed(tmp_path, blank_index=blank_index)).blank_index == blank_index


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vocab", ""),
        ("height", 0),
        ("width", -1),
        ("width", "wide"),
        ("width", 1.5),
        ("max_text_length", 0),
        ("channels", 2),
        ("time_axis", "height"),
        ("calibration", {"temperature": 0}),
        ("calibration", {"temperature": 1e-300}),
        ("calibration", {"temperature": 0.009}),
        ("calibration", {"temperature": 101}),
        ("calibration", {"temperature": float("inf")}),
        ("calibration", {"temperature": float("nan")}),
        ("calibration", 3),
        ("lexicon", {"texts": [], "probability": 0.5}),
        ("lexicon", {"texts": [""], "probability": 0.5}),
        ("lexicon", {"texts": ["2b"], "probability": 0}),
        ("lexicon", {"texts": ["2b"], "probability": 1}),
        ("lexicon", {"texts": [2], "probability": 0.5}),
        ("lexicon", ["2b"]),
        ("shapes", {}),
        ("shapes", {"": 0.5}),
        ("shapes", {"0a": 0}),
        ("shapes", {"0a": 1}),
        ("shapes", ["0a"]),
    ],
)
def test_an_invalid_value_is_an_error_that_names_its_key(tmp_path: Path, key: str, value: Any) -> None:
    assert message(write_changed(tmp_path, **{key: value})).startswith(f"configs.yaml: {key}")


def test_texts_of_a_lexicon_are_unique_and_in_the_vocabulary(tmp_path: Path) -> None:
    assert "contains a text twice" in message(
        write_changed(tmp_path, lexicon={"texts": ["2b", "2b"], "probability": 0.5})
    )
    assert "not in vocab" in message(write_changed(tmp_path, lexicon={"texts": ["2b", "Ж"], "probability": 0.5}))


def test_the_maximum_of_known_texts_survives(tmp_path: Path) -> None:
    vocab = "".join(chr(0x4E00 + number) for number in range(3_000))
    configs = ModelConfigs(vocab=vocab, height=50, width=200, lexicon=KnownTexts(texts=list(vocab), probability=0.5))
    write_configs(configs, tmp_path)
    assert read_configs(tmp_path) == configs


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shapes": {"0a": 0.6, "00": 0.6}}, "sum to at most 1"),
        ({"shapes": {"0a": 0.6}, "lexicon": {"texts": ["2b"], "probability": 0.5}}, "exclude a lexicon"),
        ({"shapes": {"0" * 401: 0.6}}, "too large"),
        ({"shapes": {"0" * length: 0.01 for length in range(1, 22)}}, "too large"),
        ({"lexicon": {"texts": ["2" * 3001], "probability": 0.5}}, "too large"),
        (
            {"lexicon": {"texts": [f"{n:b}".translate({48: "2", 49: "b"}) for n in range(900)], "probability": 0.5}},
            "too",
        ),
    ],
)
def test_lexicon_and_shapes_are_limited(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    assert said in message(write_changed(tmp_path, **changes))


def test_all_invalid_keys_are_named_at_once(tmp_path: Path) -> None:
    said = message(write_changed(tmp_path, height=0, width=0, colour="red"))
    assert all(key in said for key in ("height", "width", "colour"))
