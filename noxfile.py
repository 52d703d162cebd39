"""The checks of this repository, each on its own: `nox -l` lists them, `nox -s lint types` runs two.

They run with the tools of the environment that `make setup` made from `requirements/dev.txt`, so that every
machine checks with the same versions; nothing is installed here.
"""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "imports", "docs", "tests"]
nox.options.stop_on_first_error = False

SHELL_SCRIPTS = ["tools/*.sh", ".ci/run"]


def glob(session: nox.Session, *patterns: str) -> list[str]:
    """The tracked and new files that match, as git sees them."""
    listed = session.run(
        "git",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        *patterns,
        silent=True,
        external=True,
    )
    return sorted(set(str(listed).split()))


@nox.session(python=False)
def lint(session: nox.Session) -> None:
    """ruff (rules and layout) and shellcheck."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("shellcheck", "-x", *glob(session, *SHELL_SCRIPTS))


@nox.session(python=False)
def types(session: nox.Session) -> None:
    """mypy --strict, with exhaustive matches."""
    session.run("mypy", *session.posargs)


@nox.session(python=False)
def imports(session: nox.Session) -> None:
    """The floors of ARCHITECTURE.md: imports only go down."""
    session.run("lint-imports")


@nox.session(python=False)
def tests(session: nox.Session) -> None:
    """Everything that needs no engine and is not slow."""
    session.run("pytest", "-m", "not engines and not slow", "--ignore=tests/property", *session.posargs)


@nox.session(python=False)
def property(session: nox.Session) -> None:  # noqa: A001  (the session's name)
    """The laws, with hypothesis."""
    session.run("pytest", "tests/property", *session.posargs)


@nox.session(python=False)
def engines(session: nox.Session) -> None:
    """Whatever builds or runs images; skips give their reason, REPROC_REQUIRE_ENGINES makes them failures."""
    session.run("pytest", "-m", "engines", *session.posargs)


@nox.session(python=False)
def reference(session: nox.Session) -> None:
    """Writes docs/reference anew from the schema; the docs session says where it is stale."""
    session.run("python", "tools/reference.py")


@nox.session(python=False)
def docs(session: nox.Session) -> None:
    """The pages: every fenced spec is checked, every link leads somewhere, the reference is up to date."""
    session.run("pytest", "tests/docs", *session.posargs)


@nox.session(python=False)
def wheel(session: nox.Session) -> None:
    """Two builds of the wheel are identical, it holds what it should, and it works when installed alone."""
    session.run("pytest", "tests/packaging", *session.posargs)
