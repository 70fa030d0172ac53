"""The form parser finds the same files as python-multipart's."""

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from python_multipart.multipart import FormParser

from app.api.forms import MAX_HEAD_BYTES, FormError, OtherFieldError, form_files

TYPE = "multipart/form-data; boundary=x"
HEAD = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'

# Many delimiters of forms, so that files look like parts of a form.
contents = st.lists(
    st.sampled_from([b"\r\n", b"--", b"x", b"\r\n--", b"\r\n--x", b"\r", b"\n", b"-", b"\r\n\r\n", b'"', b"\xff"]),
    max_size=8,
).map(b"".join)
names = st.text(max_size=8)


def files_of_library(content_type: str, body: bytes) -> list[bytes]:
    files: list[bytes] = []

    def keep(file: object) -> None:
        stream = file.file_object  # type: ignore[attr-defined]
        stream.seek(0)
        files.append(stream.read())

    boundary = content_type.partition("boundary=")[2].encode()
    parser = FormParser("multipart/form-data", lambda _: None, keep, boundary=boundary)
    parser.write(body)
    parser.finalize()
    return files


@given(st.lists(st.tuples(names.filter(bool), contents), max_size=4))
def test_files_are_extracted_unchanged(files: list[tuple[str, bytes]]) -> None:
    request = httpx.Request("POST", "http://localhost", files=[("files", file) for file in files] or {"files": b""})
    content_type, body = request.headers["content-type"], request.read()
    found = list(form_files(content_type, body, "files"))
    assert found == files_of_library(content_type, body)
    assert found == ([content for _, content in files] or [b""])


@given(contents, contents)
@example(b"1", b"--x\r\n")
@example(b"1\r\n--x", b"")
@example(b"1\r\n--x--", b"epilogue")
def test_ambiguous_forms_are_parsed_like_by_the_library(content: bytes, rest: bytes) -> None:
    body = HEAD + content + b"\r\n--x--\r\n" + rest
    try:
        found = list(form_files(TYPE, body, "files"))
    except (FormError, OtherFieldError):
        return
    assert found == files_of_library(TYPE, body)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data;boundary=x",
        "multipart/form-data; charset=utf-8; boundary=x",
        'Multipart/Form-Data; boundary="x"',
        "multipart/form-data ; Boundary=x",
    ],
)
def test_all_spellings_of_the_boundary_are_understood(content_type: str) -> None:
    assert list(form_files(content_type, HEAD + b"1\r\n--x--", "files")) == [b"1"]


@pytest.mark.parametrize(
    "disposition",
    [
        b'form-data; name="files"; filename="a"',
        b'form-data; filename="a"; name="files"',
        b"form-data; name=files; filename=a",
        b'form-data; name="files"; filename="a \\"b\\" c"',
        b'form-data; name="files"; filename="a"; filename*=UTF-8\'\'%e2%82%ac',
        b'form-data;name="files";filename=""',
        b"form-data; name=\"files\"; filename*=UTF-8''%e2%82%ac.png",
        b"form-data; FileName*=utf-8'en'a; name=files",
        b'form-data; name="files"; filename*0="a"; filename*1=".png"',
        b"form-data; name=\"files\"; filename*0*=UTF-8''a",
    ],
)
def test_all_spellings_of_a_field_are_understood(disposition: bytes) -> None:
    head = b"--x \t\r\nContent-Type: image/png\r\ncontent-disposition:" + disposition + b"\r\n\r\n"
    assert list(form_files(TYPE, b"preamble\r\n" + head + b"1\r\n--x--epilogue", "files")) == [b"1"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (HEAD + b"1", "truncated"),
        (b"--", "truncated"),
        (HEAD + b"1\r\n--xy\r\n" + HEAD + b"1\r\n--x--", "not a form"),
        (b"--x\r\n" + b"a" * MAX_HEAD_BYTES + HEAD[3:] + b"1\r\n--x--", "no headers"),
        (b"--x\r\n\r\n1\r\n--x--", "no headers"),
        (b"--x\r\n folded\r\n\r\n1\r\n--x--", "invalid headers"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--", "no name"),
        (b"--x\r\nContent-Disposition: form-data" + b";a=b" * 101 + b"\r\n\r\n1\r\n--x--", "over 100 parameters"),
    ],
)
def test_an_invalid_form_is_refused_with_the_reason(body: bytes, words: str) -> None:
    with pytest.raises(FormError, match=words):
        list(form_files(TYPE, body, "files"))


def test_a_content_type_of_very_many_parameters_is_refused() -> None:
    with pytest.raises(FormError, match="over 100 parameters"):
        list(form_files(TYPE + ";a=b" * 101, HEAD + b"1\r\n--x--", "files"))


@pytest.mark.parametrize("disposition", [b"", b'; about="a; filename*=b"', b"; xfilename*=b", b"; filename-*=b"])
def test_a_part_without_a_file_name_is_not_a_file(disposition: bytes) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="files"' + disposition + b"\r\n\r\n"
    with pytest.raises(OtherFieldError):
        list(form_files(TYPE, head + b"1\r\n--x--", "files"))


def test_files_before_an_error_are_yielded() -> None:
    files = form_files(TYPE, HEAD + b"1\r\n" + HEAD + b"2", "files")
    assert next(files) == b"1"
    with pytest.raises(FormError):
        next(files)
