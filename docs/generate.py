"""Write `docs/reference/` and the README's settings table from the code: `.venv/bin/python -m docs.generate`."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

import app.commands.cli as app_commands
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
If the package is installed, `captcha-reader COMMAND` runs the commands of both groups. Those of `training` need the
extra `training`. `captcha-reader --version` prints the version.

| exit status | `python -m training` | `python -m app` |
| --- | --- | --- |
| 0 | success | success; also an interrupted `serve` |
| 1 | any error | some images could not be read, or a model could not be loaded |
| 2 | an option is wrong or missing | the command or a setting is wrong; nothing was done |
| 130 | interrupted (Ctrl-C, SIGTERM) | interrupted |

Errors go to standard error. Colours and progress bars appear only on terminals; `NO_COLOR` turns colours off."""
LINE = 118
GENERAL = {"200", "default"}
LAYOUTS_INTRODUCTION = """\
`--data` of `validate`, `train`, `evaluate` and `crossval` takes a folder or a list. The layout is detected; the first
lines of output show what was found and skipped. `--labels-from` sets the layout. `convert` converts any layout to a CSV
file with the columns `path,label`."""
LAYOUTS_RULES = """\
- Lists are in UTF-8, or in UTF-16 with a byte order mark.
- Paths in a list are relative to the list's folder, else to the current folder. Failing that, leading parts are dropped
  until a file matches: `C:\\scans\\sub\\0.png` is found as `sub/0.png`. `--images` sets another folder.
- Folders and lists named `train`, `val` (or `valid`, `dev` …) and `test` define the split: `val` selects the epoch, and
  `evaluate` uses `test`. Without `val`, a tenth of `train` is used.
- Labels are normalised to Unicode NFC and stripped of spaces. Right-to-left text is labelled in typing order.
- Names such as `IMG_0001.png`, consecutive numbers, checksums and times are rejected as labels, unless
  `--labels-from names` is given."""
HTTP_INTRODUCTION = """\
This page is generated from the service's `/openapi.json`. `/docs` shows the same, with requests to try. Every error is
a [problem](#problem). Any call may also get 408 (request arrived too slowly), 503 (retry later) or 504 (timeout). Each
response has the request's id in the header `X-Request-ID`; a request may set it."""


FORMATS_INTRODUCTION = """\
The service and the commands read the same formats. The format is detected from a file's content, never from its name or
media type. The suffixes select the image files in a folder.

- Images may be grey, colour, palette or CMYK. 16-bit channels are reduced to 8 bits.
- EXIF orientation is applied.
- Transparent pixels become white. White text on a transparent background is read from the alpha channel.
- Size, frames, strips and other causes of slow decoding are checked before decoding, so a few unusual files are refused
  that other programs open."""
ANIMATIONS = f"""\
All frames are combined into one image, in the same way for reading and training. If there are more than
{MAX_COMPOSED_FRAMES} frames, or more than {MAX_COMPOSED_PIXELS:,} pixels in total, evenly spaced frames are used. The
method depends on the frames:

| frames | combined image |
| --- | --- |
| hide parts of the text, or show it piece by piece | darkest value of each pixel (lightest if the text is light) |
| show all of the text among changing noise | median of each pixel |
| show moving text | the frame with the most ink |"""


def main() -> None:
    """Write all pages."""
    for path, text in pages().items():
        with write_atomically(path) as file:
            file.write(text)


def pages() -> dict[Path, str]:
    """Return all generated pages, and the README with its generated table, by path."""
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
    """Return a Markdown table."""
    escaped = [[cell.replace("|", r"\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *escaped])


def page(title: str, *parts: str) -> str:
    """Return a Markdown page."""
    return "\n\n".join([f"# {title}", GENERATED, *parts]) + "\n"


def with_settings(readme: str) -> str:
    """Return the README with the settings table between its markers replaced."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{settings_table()}\n{END}{after}"


def settings_table() -> str:
    """Return the table of all settings with default and meaning."""
    meanings = descriptions()
    rows = (
        (f"`{variable(name)}`", "" if field.default is None else f"`{field.default}`", _escaped(meanings[name]))
        for name, field in Settings.model_fields.items()
    )
    return table(("variable", "default", "meaning"), rows)


def settings_page() -> str:
    """Return the page about settings."""
    return page(
        "Settings",
        "The service and `python -m app read` take their settings from the environment, then from `.env` in the "
        "working directory. Empty variables count as unset. An invalid value stops the start and names the variable. "
        "For unknown `OCR_…` variables, the service logs a warning with the most similar setting; `read` prints it.",
        settings_table(),
        "Accepted values:",
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
    """Return the page about the commands of both packages."""
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
    """Yield each command with its full name, subcommands included."""
    for name, command in group.commands.items():
        yield f"{before}{name}", command
        yield from _all_commands(command, f"{before}{name} ") if hasattr(command, "commands") else ()


def _options(command: TyperCommand, name: str) -> list[tuple[str, str]]:
    context = command.make_context(name, [], resilient_parsing=True)
    records = (parameter.get_help_record(context) for parameter in command.get_params(context))
    return [(f"`{names}`", _plain(text)) for names, text in filter(None, records) if names != "--help"]


def _plain(text: str) -> str:
    """Remove the parentheses that typer puts around textual defaults."""
    return re.sub(r"default: \((.*?)\)", r"default: \1", _escaped(text)).replace("  [", " [")


def _escaped(text: str) -> str:
    """Escape what Markdown would take for HTML."""
    return text.replace("<", r"\<")


def layouts_page() -> str:
    """Return the page about layouts of labelled images."""
    lists = ((f"`{name}`", layout.description) for name, layout in LAYOUTS.items() if layout.read)
    names = ((f"`{name}`", layout.description) for name, layout in LAYOUTS.items() if layout.label_of)
    header = ("`--labels-from`", "layout")
    return page(
        "Layouts of labelled images",
        LAYOUTS_INTRODUCTION,
        "Labels in a list; a list takes precedence over file names:",
        table(header, lists),
        "Labels in file names, in a folder and its subfolders:",
        table(header, names),
        LAYOUTS_RULES,
    )


def http_page() -> str:
    """Return the page about the HTTP API."""
    document = create_app(Settings(_env_file=None, model_store=ROOT / "model_store")).openapi()
    calls = [
        call_section(method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    schemas = [_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return page("HTTP", HTTP_INTRODUCTION, *calls, "## Documents", *schemas)


def call_section(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """Return the section about a call of the OpenAPI document."""
    parts = [f"## {method} {path}", operation.get("description") or f"{operation['summary']}."]
    if "security" in operation and "403" not in operation["responses"]:  # those ask for the admin key, and say so
        parts.append("Needs an API key if keys are set.")
    if parameters := operation.get("parameters"):
        rows = ((f"`{one['name']}`", _type(one["schema"]), one.get("description", "")) for one in parameters)
        parts.append(table(("parameter", "type", "meaning"), rows))
    if body := operation.get("requestBody"):
        parts.append("Bodies: " + ", ".join(f"`{kind}`" for kind in body["content"]) + ".")
    answers = operation["responses"]
    parts.append(table(("status", "response", ""), (_answer(code, answers[code]) for code in sorted(answers))))
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
    # Not the descriptions of errors, which depend on the Python version.
    examples = [content["example"]["detail"] for content in answer["content"].values() if code not in GENERAL]
    return code.replace("default", "other"), " or ".join(kinds), " ".join(examples) or answer["description"]


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    needed = schema.get("required", [])
    rows = (
        (f"`{key}`", _type(value), "" if key in needed else "optional", value.get("description", ""))
        for key, value in schema["properties"].items()
    )
    return f"### {name}\n\n{schema.get('description', '')}\n\n{table(('field', 'type', '', 'meaning'), rows)}"


def formats_page() -> str:
    """Return the page about supported and refused image formats."""
    read = (
        (one.name, ", ".join(f"`{suffix}`" for suffix in one.suffixes), f"`{one.media_type}`", one.kinds)
        for one in FORMATS
    )
    refused = [(one.name, f"{one.why}.") for one in REFUSED] + [("SVG", SVG.removeprefix("SVG "))]
    return page(
        "Formats of images",
        FORMATS_INTRODUCTION,
        table(("format", "suffixes", "media type", "variants"), read),
        "## Animated GIF",
        ANIMATIONS,
        "## Recognised and refused",
        "For these formats the error says what to do instead. For all others it lists the supported formats.",
        table(("format", "error"), ((name, f"{why[0].upper()}{why[1:]}") for name, why in refused)),
    )


def _folded(value: Any, indent: str = "") -> str:
    """Return JSON that puts a value on one line if it fits."""
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
    """Return the type of a value in words, with bounds and default."""
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    default = f", default {schema['default']}" if schema.get("default") not in {None, ""} else ""
    return " ".join(filter(None, [schema.get("type", "any"), _bounds(schema)])) + default


def _bounds(schema: Mapping[str, Any]) -> str:
    """Return the bounds of a number in words."""
    kinds = {"minimum": "at least", "exclusiveMinimum": "over", "maximum": "at most"}
    return ", ".join(f"{words} {schema[key]:.16g}" for key, words in kinds.items() if key in schema)


if __name__ == "__main__":
    main()
