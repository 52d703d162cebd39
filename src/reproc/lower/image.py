"""What a finished image says of itself: its labels and its apps."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from reproc import model
from reproc.graph import APPS, App, Runtime, Variable, WriteFile
from reproc.lock.model import ImageBase
from reproc.lower.environment import apply
from reproc.lower.plan import Plan
from reproc.target import quote

_ARGUMENT = re.compile(r"\$([@*#1-9]|\{[@*#1-9])")


def shell_text(parts: model.ShellText) -> str:
    """The author's shell text; the number of jobs is found out while building."""
    return "".join("$(nproc)" if isinstance(part, model.Jobs) else part for part in parts)


def app_files(plan: Plan) -> tuple[WriteFile, ...]:
    """A script for each app, under its own name."""
    return tuple(
        WriteFile(f"app {app.name}", f"{APPS}/{app.name}", _app_script(app), 0o755, app.origin)
        for app in plan.target.apps
    )


def _app_script(app: model.App) -> str:
    text = shell_text(app.run.text).rstrip("\n")
    arguments = "" if _ARGUMENT.search(text) else ' "$@"'
    exports = apply(app.env.entries if app.env else (), ("both", "run"), {})
    return "\n".join(
        (
            "#!/bin/sh",
            *(f"export {name}={quote(value)}" for name, value in exports.items()),
            f"cd {quote(app.workdir or '/')}",
            f"{text}{arguments}",
            "",
        )
    )


def runtime(plan: Plan, environment: dict[str, str]) -> Runtime:
    """Environment, labels and apps of the finished image."""
    return Runtime(
        environment=tuple(Variable(name, value) for name, value in sorted(environment.items())),
        labels=tuple(sorted(_labels(plan).items())),
        apps=tuple(App(app.name, app.help, app.origin) for app in plan.target.apps),
    )


def _labels(plan: Plan) -> dict[str, str]:
    """The pre-defined keys of the OCI image specification, as far as the spec knows them."""
    paper = plan.paper
    base = plan.locked.base if plan.locked else None
    known: dict[str, str | None] = {"ref.name": plan.target.name}
    if plan.locked:
        known["created"] = f"{datetime.fromtimestamp(plan.epoch, UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(base, ImageBase):
        known |= {"base.name": base.reference, "base.digest": base.digest}
    if paper:
        known |= {
            "title": paper.title,
            "authors": ", ".join(_author(author) for author in paper.authors) or None,
            "url": paper.url.text if paper.url else None,
            "version": paper.version,
            "licenses": paper.license,
            "documentation": f"https://doi.org/{paper.doi}" if paper.doi else None,
            "description": " ".join(paper.abstract.split()) if paper.abstract else None,
        }
    return {f"org.opencontainers.image.{key}": value for key, value in known.items() if value}


def _author(author: model.Author) -> str:
    return f"{author.name} <{author.email}>" if author.email else author.name
