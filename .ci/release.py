"""Steps of a release: `release.py version X.Y.Z`, `release.py build`, `release.py sums`."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path

VERSION_FILE, CHANGELOG, DIST = Path("app/__init__.py"), Path("CHANGELOG.md"), Path("dist")
VERSION_LINE = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)
VERSION = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")
UNRELEASED = "## [Unreleased]"
SUMS = "SHA256SUMS"


class ReleaseError(Exception):
    """A step that cannot be done; the message says what to do first."""


def main() -> None:
    """Run the step given on the command line."""
    try:
        match sys.argv[1:]:
            case "version", version:
                set_version(version)
            case ["build"]:
                build()
            case ["sums"]:
                write_sums()
            case _:
                raise ReleaseError("the steps are: version 1.2.3, build, sums")
    except (ReleaseError, OSError) as error:
        sys.exit(f"error: {error}")


def set_version(version: str) -> None:
    """Set the package's version, and move the changelog's unreleased section under it with today's date."""
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"{version!r} is not a version; make version VERSION=1.2.3")
    changelog = CHANGELOG.read_text(encoding="utf-8")
    if section(changelog, version) is not None:
        raise ReleaseError(f"{CHANGELOG} already has a section {version}")
    if not section(changelog, "Unreleased"):
        raise ReleaseError(f"{CHANGELOG} has no changes under {UNRELEASED}")
    heading = f"{UNRELEASED}\n\n## [{version}] - {datetime.now(UTC):%Y-%m-%d}"
    CHANGELOG.write_text(changelog.replace(UNRELEASED, heading, 1), encoding="utf-8")
    source = VERSION_FILE.read_text(encoding="utf-8")
    VERSION_FILE.write_text(VERSION_LINE.sub(f'__version__ = "{version}"', source), encoding="utf-8")
    print(f"version {version}; commit it, tag it v{version}, and make release")


def build() -> None:
    """Build sdist and wheel from the last commit, twice; raise ReleaseError unless both builds are identical.

    Uncommitted changes are refused: the notes, the SBOM and the test of the wheel come from the working tree.
    """
    if _git("status", "--porcelain", "--untracked-files=no"):
        raise ReleaseError("there are uncommitted changes; commit them first, or git stash")
    version = current_version()
    tags = _git("tag", "--points-at", "HEAD", "v*").split()
    if tags and f"v{version}" not in tags:
        raise ReleaseError(f"the commit has the tag {tags[0]}, but its version is {version}")
    notes = section(CHANGELOG.read_text(encoding="utf-8"), version) if CHANGELOG.exists() else None
    if notes is None:
        raise ReleaseError(f"{CHANGELOG} has no section {version}; make version VERSION={version} writes it")
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    with tempfile.TemporaryDirectory() as again:
        _build_into(DIST)
        _build_into(Path(again))
        for file in sorted(DIST.iterdir()):
            if file.read_bytes() != (Path(again) / file.name).read_bytes():
                raise ReleaseError(f"{file} differs between two builds")
            print(f"{file}: two builds are identical")
    (DIST / "RELEASE_NOTES.md").write_text(notes, encoding="utf-8")


def write_sums() -> None:
    """Write `SHA256SUMS` over all files to publish."""
    names = sorted(path.name for path in DIST.iterdir() if path.name != SUMS)
    lines = [f"{hashlib.sha256((DIST / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (DIST / SUMS).write_text("".join(lines), encoding="utf-8")
    print("".join(lines), end="")


def current_version() -> str:
    """Return the version of the package."""
    match = VERSION_LINE.search(VERSION_FILE.read_text(encoding="utf-8"))
    if match is None:
        raise ReleaseError(f"{VERSION_FILE} has no line __version__")
    return match[1]


def section(changelog: str, name: str) -> str | None:
    """Return the text of a version's section in a changelog (keepachangelog.com); None if there is no such section."""
    match = re.search(rf"^## \[{re.escape(name)}\].*?\n(.*?)(?=^## \[|^\[|\Z)", changelog, re.MULTILINE | re.DOTALL)
    return match and f"{match[1].strip()}\n".lstrip("\n")


def _build_into(folder: Path) -> None:
    """Build the files of the last commit, regardless of the working tree."""
    files = subprocess.run(["git", "archive", "HEAD"], check=True, capture_output=True).stdout
    environment = os.environ | {"SOURCE_DATE_EPOCH": _git("log", "-1", "--format=%ct")}
    with tempfile.TemporaryDirectory() as source:
        with tarfile.open(fileobj=io.BytesIO(files)) as archive:
            archive.extractall(source, filter="data")
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder.absolute()), source]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
