"""Writes `docs/reference/` and the settings in the README from the code: `.venv/bin/python -m docs.generate`."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

import app.__main__ as app_commands
import training.__main__ as training_commands
from app.inference.images.formats import FORMATS
from app.inference.images.formats.gif import MAX_COMPOSED_FRAMES, MAX_COMPOSED_PIXELS
from app.inference.images.formats.refused import REFUSED, SVG
from app.serving.application import create_app
from app.settings import Settings, descriptions, variable
from app.shared.files import write_atomically
from training.data.layouts import LAYOUTS

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
GENERATED = "<!-- Written by `python -m docs.generate`; change the code instead. -->"
BEGIN, END = "<!-- settings: written by `python -m docs.generate` -->", "<!-- end of settings -->"

STATUSES = """\
Where the package is installed, `captcha-reader COMMAND` runs the commands of both groups; those of `training` need the
extra of that name. `--version` before a command prints the version.

All commands end with status 0 if all went well and 130 if they were interrupted (Ctrl-C, SIGTERM). Those of
`python -m training` end with 1 on any error and with 2 where an option is wrong or missing; those of `python -m app`
with 2 where the command or a setting is wrong and nothing was done, and with 1 if some images could not be read or a
model could not be loaded. An interrupted `serve` has ended well (0). Errors go to standard error; colours and progress
bars only to terminals, and no colours where `NO_COLOR` is set."""
LINE = 118
GENERAL = {"200", "default"}
LAYOUTS_INTRODUCTION = """\
`--data` of `validate`, `train`, `evaluate` and `crossval` takes a folder or a list. The layout is recognised, and the
first lines say what was found and what was passed over; `--labels-from` says otherwise. `convert` writes any of them as
a CSV file with the columns `path,label`."""
LAYOUTS_RULES = """\
- Lists are in UTF-8, or UTF-16 with its mark. The paths in a list are looked for beside it, then below the current
  folder, then beside it by as many of their last parts as lead to a file: `C:\\scans\\sub\\0.png` is found as
  `sub/0.png`. `--images` names another folder.
- Folders and lists that are called `train`, `val` (or `valid`, `dev` …) and `test` divide the images: `train` is learnt
  from, `val` chooses the epoch, `test` is left for `evaluate`. Without `val`, a tenth of `train` is drawn.
- Labels are composed (Unicode's NFC), without spaces around them. Text from right to left is labelled as people type
  it.
- Names such as `IMG_0001.png`, numbers that count, checksums and times are refused as labels, unless
  `--labels-from names` says that they are."""
HTTP_INTRODUCTION = """\
The service describes itself at `/openapi.json`, from which this page is made, and at `/docs`, where requests can be
tried. Every error is a [problem](#problem); any call may also be told that it came too slowly (408), must come back
later (503) or waited too long (504). An answer has the request's id in the header `X-Request-ID`; a request may
bring its own."""


FORMATS_INTRODUCTION = """\
All of these are read over HTTP, by `read`, `label`, `validate` and `train` alike. The content of a file decides what it
is, never its name or its media type: the suffixes say which files of a folder are taken for images.

Pictures may be grey, in colour, of a palette or CMYK. 16 bits a channel become 8, EXIF data turn the picture upright,
and transparency is laid on white; white ink on a transparent ground is read from its opacity. Size, frames, strips and
whatever else makes decoding slow are counted before any pixel is decoded, so some rare files are refused that other
programs open."""
ANIMATIONS = f"""\
One picture is composed of the frames, the same for every reading and for training. Of more than
{MAX_COMPOSED_FRAMES} frames, or more than {MAX_COMPOSED_PIXELS:,} pixels together, some at even distances are taken.
What the frames have in common decides:

| frames | picture |
| --- | --- |
| hide parts of the text, or show it piece by piece | the darkest of each pixel; the lightest where the text is light |
| show all of the text among noise that changes | the median of each pixel |
| show a text that moves | the frame with the most ink |"""


def main() -> None:
    """Write all pages."""
    for path, text in pages().items():
        with write_atomically(path) as file:
            file.write(text)


def pages() -> dict[Path, str]:
    """The pages that are made from the code, and the README with its part."""
    readme = ROOT / "README.md"
    return {
        REFERENCE / "settings.md": settings_page(),
        REFERENCE / "commands.md": commands_page(),
        REFERENCE / "http.md": http_page(),
        REFERENCE / "formats.md": formats_page(),
        REFERENCE / "layouts.md": layouts_page(),
        readme: with_settings(readme.read_text(encoding="utf-8")),
    }


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    escaped = [[cell.replace("|", r"\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *escaped])


def page(title: str, *parts: str) -> str:
    """A page in Markdown."""
    return "\n\n".join([f"# {title}", GENERATED, *parts]) + "\n"


def with_settings(readme: str) -> str:
    """The README with the table of settings between its marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{settings_table()}\n{END}{after}"


def settings_table() -> str:
    """Each variable with its default and meaning."""
    meanings = descriptions()
    rows = (
        (f"`{variable(name)}`", "" if field.default is None else f"`{field.default}`", _escaped(meanings[name]))
        for name, field in Settings.model_fields.items()
    )
    return table(("variable", "default", "meaning"), rows)


def settings_page() -> str:
    """The settings of the service."""
    return page(
        "Settings",
        "The service and `python -m app read` take their settings from the environment and from `.env` in the working "
        "directory; the environment overrides. A variable that is empty is not set. A wrong value stops the start with "
        "a line that names the variable; an unknown variable that begins with `OCR_` is named in the log, by `read` on "
        "standard error, with the setting that may be meant.",
        settings_table(),
        "What is accepted beyond that:",
        table(("variable", "values"), _accepted_values()),
    )


def _accepted_values() -> Iterable[tuple[str, str]]:
    for name, schema in Settings.model_json_schema()["properties"].items():
        kinds = schema.get("anyOf", [schema])
        values = kinds[0]
        if "enum" in values:
            yield f"`{variable(name)}`", ", ".join(f"`{value}`" for value in values["enum"])
        elif bounds := _bounds(values):
            yield f"`{variable(name)}`", f"{values['type']} {bounds}"


def commands_page() -> str:
    """The commands of both packages."""
    training = {
        command.__name__: [f"{training_commands.PROGRAM} {line}" for line in lines]
        for command, lines in training_commands.EXAMPLES.items()
    }
    service = {
        "serve": app_commands.SERVE_EXAMPLES,
        "read": app_commands.READ_EXAMPLES,
        "models": app_commands.MODELS_EXAMPLES,
        "models pull": app_commands.PULL_EXAMPLES,
    }
    return page(
        "Commands",
        STATUSES,
        *_group(training_commands.PROGRAM, training_commands.app, training),
        *_group(app_commands.PROGRAM, app_commands.app, service),
    )


def _group(program: str, group: typer.Typer, examples: Mapping[str, Sequence[str]]) -> Iterable[str]:
    commands: Any = get_command(group)
    yield f"## {program}"
    yield commands.help
    for name, command in _all_commands(commands):
        yield f"### {program} {name}"
        yield command.help
        if options := _options(command, name):
            yield table(("option", "meaning"), options)
        yield "\n".join(["```sh", *(f".venv/bin/{line}" for line in examples[name] if line.startswith(program)), "```"])


def _all_commands(group: Any, before: str = "") -> Iterable[tuple[str, Any]]:
    """Each command with its full name, those of groups of commands included."""
    for name, command in group.commands.items():
        yield f"{before}{name}", command
        yield from _all_commands(command, f"{before}{name} ") if hasattr(command, "commands") else ()


def _options(command: TyperCommand, name: str) -> list[tuple[str, str]]:
    context = command.make_context(name, [], resilient_parsing=True)
    records = (parameter.get_help_record(context) for parameter in command.get_params(context))
    return [(f"`{names}`", _plain(text)) for names, text in filter(None, records) if names != "--help"]


def _plain(text: str) -> str:
    """A help text without the parentheses that typer puts around defaults in words."""
    return re.sub(r"default: \((.*?)\)", r"default: \1", _escaped(text)).replace("  [", " [")


def _escaped(text: str) -> str:
    """A text of which Markdown takes nothing for HTML."""
    return text.replace("<", r"\<")


def layouts_page() -> str:
    """The layouts of labelled images that are recognised."""
    lists = ((f"`{name}`", layout.description) for name, layout in LAYOUTS.items() if layout.read)
    names = ((f"`{name}`", layout.description) for name, layout in LAYOUTS.items() if layout.label_of)
    header = ("`--labels-from`", "where the labels stand")
    return page(
        "Layouts of labelled images",
        LAYOUTS_INTRODUCTION,
        "In a list, which counts before the names of a folder's images:",
        table(header, lists),
        "In the names of images, in a folder and the folders within it:",
        table(header, names),
        LAYOUTS_RULES,
    )


def http_page() -> str:
    """The calls of the service, and what it answers."""
    document = create_app(Settings(_env_file=None, model_store=ROOT / "model_store")).openapi()
    calls = [
        call_section(method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    schemas = [_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return page("HTTP", HTTP_INTRODUCTION, *calls, "## Documents", *schemas)


def call_section(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """What the OpenAPI document says of a call."""
    parts = [f"## {method} {path}", operation.get("description") or f"{operation['summary']}."]
    if "security" in operation and "403" not in operation["responses"]:  # those ask for the admin key, and say so
        parts.append("Asks for a key where keys are set.")
    if parameters := operation.get("parameters"):
        rows = ((f"`{one['name']}`", _type(one["schema"]), one.get("description", "")) for one in parameters)
        parts.append(table(("parameter", "type", "meaning"), rows))
    if body := operation.get("requestBody"):
        parts.append("Bodies: " + ", ".join(f"`{kind}`" for kind in body["content"]) + ".")
    answers = operation["responses"]
    parts.append(table(("status", "answer", ""), (_answer(code, answers[code]) for code in sorted(answers))))
    parts += [
        f"```json\n{_folded(content['example'])}\n```"
        for content in answers["200"]["content"].values()
        if "example" in content
    ]
    return "\n\n".join(parts)


def _answer(code: str, answer: Mapping[str, Any]) -> tuple[str, str, str]:
    kinds = [
        _type(content["schema"]) if "$ref" in content["schema"] else f"`{kind}`"
        for kind, content in answer["content"].items()
    ]
    # Not the descriptions of errors: the words for a status are those of the Python that runs this.
    examples = [content["example"]["detail"] for content in answer["content"].values() if code not in GENERAL]
    return code.replace("default", "other"), " or ".join(kinds), " ".join(examples) or answer["description"]


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    needed = schema.get("required", [])
    rows = (
        (f"`{key}`", _type(value), "" if key in needed else "not always there", value.get("description", ""))
        for key, value in schema["properties"].items()
    )
    return f"### {name}\n\n{schema.get('description', '')}\n\n{table(('field', 'type', '', 'meaning'), rows)}"


def formats_page() -> str:
    """The formats that are read, and those that are refused with what to do instead."""
    read = (
        (one.name, ", ".join(f"`{suffix}`" for suffix in one.suffixes), f"`{one.media_type}`", one.kinds)
        for one in FORMATS
    )
    refused = [(one.name, f"{one.why}.") for one in REFUSED] + [("SVG", SVG.removeprefix("SVG "))]
    return page(
        "Formats of images",
        FORMATS_INTRODUCTION,
        table(("format", "suffixes", "media type", "what is read"), read),
        "## Animated GIF",
        ANIMATIONS,
        "## Recognised and refused",
        "Whoever sends one of these is told what to do instead; of anything else, which formats are read.",
        table(("format", "answer"), ((name, f"{why[0].upper()}{why[1:]}") for name, why in refused)),
    )


def _folded(value: Any, indent: str = "") -> str:
    """JSON with what fits on a line on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent + line) <= LINE or not isinstance(value, dict | list):
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_folded(item, inner)}" for key, item in value.items()]
    else:
        items = [_folded(item, inner) for item in value]
    joined = f",\n{inner}".join(items)
    return f"{line[0]}\n{inner}{joined}\n{indent}{line[-1]}"


def _type(schema: Mapping[str, Any]) -> str:
    """The type of a value in words, with its bounds and default."""
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    default = f", {schema['default']} if not given" if schema.get("default") not in {None, ""} else ""
    return " ".join(filter(None, [schema.get("type", "any"), _bounds(schema)])) + default


def _bounds(schema: Mapping[str, Any]) -> str:
    """What a number may be, in words."""
    kinds = {"minimum": "at least", "exclusiveMinimum": "over", "maximum": "at most"}
    return ", ".join(f"{words} {schema[key]:.16g}" for key, words in kinds.items() if key in schema)


if __name__ == "__main__":
    main()
