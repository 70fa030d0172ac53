"""What stands in the pages of the documentation."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / name
    for name in (
        "README.md",
        "SECURITY.md",
        "docs/README.md",
        "docs/tutorial.md",
        *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "how-to").glob("*.md")),
        "docs/accuracy.md",
        "docs/ctc.md",
    )
]
"""All but docs/reference, which tests/docs compares with the code, and docs/performance.md, which is a report."""


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a language, such as sh."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def block_with(page: Path, word: str, language: str) -> str:
    """The one block of a language that has a word in it."""
    (block,) = (block for block in blocks(page, language) if word in block)
    return block


def commands(page: Path) -> list[str]:
    """The lines of the blocks of shell, without comments."""
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", "").splitlines()]
    return [re.sub(r"\s+# .*", "", line) for line in lines]


def scripts(page: Path) -> dict[str, str]:
    """The programs in Python, by the file name in their first line."""
    return {re.match(r"# (\S+\.py)\n", block)[1]: block for block in blocks(page, "python")}  # type: ignore[index]


def links(page: Path) -> list[str]:
    """Where links and pictures lead within the repository."""
    return re.findall(r"\]\((?!http)([^)]+)\)", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """What links into a page may name: its headings as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
