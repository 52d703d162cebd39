"""What no file of the repository may hold, and what every one must."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

# Split, so that this file does not hold what it looks for.
ARCHIVE_HOSTS = tuple(
    ".".join(parts)
    for parts in [
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("ftp", "debian", "org"),
        ("archive", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("security", "ubuntu", "com"),
        ("ports", "ubuntu", "com"),
        ("pypi", "org"),
        ("pypi", "python", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("conda", "anaconda", "org"),
    ]
)
HOSTS = re.compile("|".join(map(re.escape, ARCHIVE_HOSTS)), re.IGNORECASE)
# Paths of a machine that somebody worked on: a reader of the repository has nothing there.
HOST_PATHS = re.compile(r"(?<![\w.~$})\]/-])/(?:work|root)/(?:main|shared|eng|\.library|\.cache|\.venv)\b")


def texts(repository: Path, names: tuple[str, ...]) -> dict[str, str]:
    """The text of every file that is text."""
    found = {}
    for name in names:
        data = (repository / name).read_bytes()
        if b"\0" not in data[:8192]:
            found[name] = data.decode("utf-8", errors="replace")
    return found


@pytest.fixture(scope="module")
def repository_texts(repository: Path, listed_files: tuple[str, ...]) -> dict[str, str]:
    return texts(repository, listed_files)


@pytest.mark.parametrize("pattern", [HOSTS, HOST_PATHS], ids=["archive hosts", "paths of a machine"])
def test_no_file_names(repository_texts: dict[str, str], pattern: re.Pattern[str]) -> None:
    found = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in repository_texts.items()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (HOSTS, "deb http://deb" + ".debian.org/debian bookworm main"),
        (HOSTS, "index-url = https://PyPI" + ".org/simple"),
        (HOST_PATHS, "see /work" + "/main/src"),
        (HOST_PATHS, "`/root" + "/eng/run`"),
    ],
)
def test_the_search_finds_what_it_looks_for(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


@pytest.mark.parametrize(
    "line", ["snapshot.debian.org", "FROM docker.io/library/debian", "workdir /work/paper", "/root/.profile"]
)
def test_the_search_leaves_the_rest_alone(line: str) -> None:
    assert not HOSTS.search(line)
    assert not HOST_PATHS.search(line)


def test_requirements_are_exact_and_hashed(repository: Path) -> None:
    for path in (
        *sorted((repository / "requirements").glob("*.txt")),
        repository / "benchmarks" / "peers.txt",
    ):
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        assert lines, path
        for line in lines:
            assert re.match(r"[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==\S+ ", line), f"{path.name}: {line[:60]}"
            assert "--hash=sha256:" in line, f"{path.name}: {line[:60]}"
        assert "://" not in text, path


def test_requirements_cover_pyproject(repository: Path) -> None:
    with (repository / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    pinned = set(
        re.findall(r"^([a-z0-9._-]+)==", (repository / "requirements" / "runtime.txt").read_text(), re.M)
    )
    wanted = {
        re.split(r"[ <>=\[;]", each, maxsplit=1)[0].lower() for each in project["project"]["dependencies"]
    }
    assert wanted <= pinned


def test_scripts_are_executable(repository: Path) -> None:
    scripts = [".ci/run", *(f"tools/{path.name}" for path in (repository / "tools").glob("*.sh"))]
    for name in scripts:
        path = repository / name
        is_program = path.read_bytes().startswith(b"#!")
        assert bool(path.stat().st_mode & 0o111) == is_program, name


def test_make_without_a_target_lists_the_targets(repository: Path) -> None:
    done = subprocess.run(["make", "--no-print-directory"], cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for target in ("demo", "test", "setup", "engines", "lint", "types", "docs", "bench", "clean"):
        assert f"make {target} " in done.stdout, target
