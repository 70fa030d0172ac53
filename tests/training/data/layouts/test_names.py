"""Which part of a name is the label, and which names are not labels."""

import pytest

from training.data.layouts.names import best_rule, end, look_like_file_names, start, whole


@pytest.mark.parametrize(
    ("stem", "labels"),
    [
        ("2b827", ("2b827", "2b827", "2b827")),
        ("2b827_a1", ("2b827_a1", "2b827", "a1")),
        ("0001_2b827", ("0001_2b827", "0001", "2b827")),
        ("2b827 (2)", ("2b827", "2b827", "2b827")),
        ("2b827 - Copy", ("2b827", "2b827", "2b827")),
        ("_", ("_", "_", "_")),
        ("f(2)", ("f(2)", "f(2)", "f(2)")),
    ],
)
def test_a_label_is_a_part_of_a_name(stem: str, labels: tuple[str, str, str]) -> None:
    assert (whole(stem), start(stem), end(stem)) == labels


@pytest.mark.parametrize(
    ("stems", "rule"),
    [
        (["2b827", "x4k9p"], "names"),
        (["2b827_a1", "x4k9p_a2"], "name-starts"),
        (["2b827_8b8e8f4e", "x4k9p_400db00d", "ef2ec_1757905e"], "name-starts"),
        (["captcha_2b827", "captcha_x4k9p"], "name-ends"),
        (["0001_2b827", "0002_x4k9p", "0003_ef2ec"], "name-ends"),
        (["2b827", "x4k9p", "a_b"], "names"),
        (["2b827_a1"], "name-starts"),
    ],
)
def test_the_part_that_distinguishes_the_images_is_the_label(stems: list[str], rule: str) -> None:
    assert best_rule(stems) == rule


@pytest.mark.parametrize(
    "stems",
    [
        [f"IMG_{number:04}" for number in (3, 70, 912)],
        [f"DSC{number:05}" for number in range(5)],
        [str(number) for number in range(1, 13)],
        [f"page-{number}" for number in range(1, 4)],
        [f"roll a ({number})" for number in range(4)],
        ["5d41402abc4b2a76b9719d911017c592", "7d793037a0760186574b0282f2f435e7"],
        ["123e4567-e89b-12d3-a456-426614174000", "223e4567-e89b-12d3-a456-426614174000"],
        ["Screenshot 2026-11-29 at 07.13.09", "Screenshot 2026-11-29 at 07.14.59"],
        ["IMG_20261129_071309", "IMG_20261129_071544", "IMG_20261130_181200"],
        ["PXL_20261129_071309123", "PXL_20261201_101010456"],
    ],
)
def test_names_by_cameras_and_programs_are_not_labels(stems: list[str]) -> None:
    assert look_like_file_names(stems) is not None


@pytest.mark.parametrize(
    "stems",
    [
        ["2b827", "x4k9p", "ef2ec"],
        ["0421", "1877", "9930", "5512"],
        ["AB1234", "AB9921", "AB4410"],
        ["12"],
        ["Berlin", "Paris"],
    ],
)
def test_texts_are_labels(stems: list[str]) -> None:
    assert look_like_file_names(stems) is None
