"""`.ci/release.py`: the version, the changelog, and reproducible builds."""

import hashlib
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

CHANGELOG = """\
# Changelog

## [Unreleased]

### Added

- A wheel.

## [0.1.0] - 2026-11-01

### Added

- A service.

[0.1.0]: https://example.com
"""


@pytest.fixture
def project(tmp_path: Path, repository: Path) -> Path:
    """A small project of the same layout, committed."""
    folder = tmp_path / "project"
    for name in ("app", "training"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text('"""."""\n\n__version__ = "0.1.0"\n')
    (folder / "model_store" / "captcha" / "1").mkdir(parents=True)
    (folder / "model_store" / "captcha" / "1" / "model.onnx").write_text("network")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repository / name, folder)
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Someone", "-c", "user.email=someone@example.com")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A state")


def release(folder: Path, repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / ".ci" / "release.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


class TestVersion:
    def test_it_is_written_and_the_unreleased_changes_get_it(self, project: Path, repository: Path) -> None:
        assert release(project, repository, "version", "0.2.0").returncode == 0
        assert '__version__ = "0.2.0"\n' in (project / "app" / "__init__.py").read_text()
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        heading = f"## [Unreleased]\n\n## [0.2.0] - {today}\n\n### Added\n\n- A wheel.\n"
        assert heading in (project / "CHANGELOG.md").read_text()

    @pytest.mark.parametrize(
        ("version", "complaint"),
        [
            ("new", "is not a version"),
            ("", "is not a version; make version VERSION=1.2.3"),
            ("0.1.0", "already has a section 0.1.0"),
        ],
    )
    def test_another_is_refused(self, project: Path, repository: Path, version: str, complaint: str) -> None:
        done = release(project, repository, "version", version)
        assert done.returncode == 1
        assert complaint in done.stderr
        assert (project / "CHANGELOG.md").read_text() == CHANGELOG

    def test_without_changes_there_is_none(self, project: Path, repository: Path) -> None:
        (project / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-11-01\n")
        done = release(project, repository, "version", "0.2.0")
        assert "has no changes under ## [Unreleased]" in done.stderr


class TestBuild:
    def test_it_is_the_commit_with_notes_and_sums(self, project: Path, repository: Path) -> None:
        (project / "model_store" / "mine").mkdir()
        (project / "model_store" / "mine" / "secret.onnx").write_text("not committed")
        done = release(project, repository, "build")
        assert done.returncode == 0, done.stderr
        assert release(project, repository, "sums").returncode == 0
        dist = project / "dist"
        (wheel,) = dist.glob("*.whl")
        content = wheel.read_bytes()
        assert b"app/model_store/captcha/1/model.onnx" in content
        assert b"secret" not in content
        assert (dist / "RELEASE_NOTES.md").read_text() == "### Added\n\n- A service.\n"
        sums = dict(line.split("  ")[::-1] for line in (dist / "SHA256SUMS").read_text().splitlines())
        assert sums[wheel.name] == hashlib.sha256(content).hexdigest()
        assert set(sums) == {path.name for path in dist.iterdir()} - {"SHA256SUMS"}

    def test_a_version_that_the_changelog_does_not_have_is_none(self, project: Path, repository: Path) -> None:
        source = project / "app" / "__init__.py"
        source.write_text(source.read_text().replace("0.1.0", "0.3.0"))
        commit(project)
        done = release(project, repository, "build")
        assert done.returncode == 1
        assert "make version VERSION=0.3.0" in done.stderr

    def test_uncommitted_changes_are_refused(self, project: Path, repository: Path) -> None:
        """Otherwise the notes of the next version would be published with the last one."""
        assert release(project, repository, "version", "0.2.0").returncode == 0
        done = release(project, repository, "build")
        assert (done.returncode, done.stderr.startswith("error: there are uncommitted changes")) == (1, True)
        assert not (project / "dist").exists()

    def test_a_tag_of_another_version_is_refused(self, project: Path, repository: Path) -> None:
        git(project, "tag", "v0.2.0")
        done = release(project, repository, "build")
        assert (done.returncode, done.stderr) == (1, "error: the commit has the tag v0.2.0, but its version is 0.1.0\n")


@pytest.mark.parametrize("arguments", [(), ("version",), ("biuld",), ("build", "now")])
def test_another_step_is_refused_with_those_that_exist(
    project: Path, repository: Path, arguments: tuple[str, ...]
) -> None:
    done = release(project, repository, *arguments)
    assert (done.returncode, done.stderr) == (1, "error: the steps are: version 1.2.3, build, sums\n")
