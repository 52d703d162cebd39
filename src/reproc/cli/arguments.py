"""What several commands have in common: the SPEC argument, targets, the project behind them."""

from __future__ import annotations

import argparse
from pathlib import Path

from reproc.cli.console import Console
from reproc.cli.exits import WRONG_CALL
from reproc.diagnostics import error
from reproc.diagnostics.codes import cli as codes
from reproc.diagnostics.suggest import nearest
from reproc.lock.requests import TargetRequest
from reproc.pipeline import Project, project


class _Help(argparse.HelpFormatter):
    """Help of a fixed width: to ask the terminal for its own costs an import at every start."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=96)


class Parser(argparse.ArgumentParser):
    """A command's arguments; wrong ones exit with 2, in our words."""

    def __init__(self, command: str, summary: str) -> None:
        super().__init__(
            prog=f"reproc {command}",
            description=summary[0].upper() + summary[1:] + ".",
            allow_abbrev=False,
            formatter_class=_Help,
        )

    def spec(self) -> None:
        self.add_argument(
            "spec",
            metavar="SPEC",
            nargs="?",
            default="repro.spec",
            help="a file, or a folder that holds repro.spec",
        )

    def targets(self) -> None:
        self.add_argument(
            "-t", "--target", metavar="TARGET", action="append", default=[], help="only this target (repeat)"
        )


def spec_path(name: str) -> Path:
    """The spec's file: a folder means the repro.spec in it."""
    path = Path(name)
    return path / "repro.spec" if path.is_dir() else path


def load(name: str, console: Console, *, need_lock: bool = False) -> Project | int:
    """The project behind SPEC; what is wrong with it is shown, and the exit code returned."""
    path = spec_path(name)
    outcome = project(path, path.as_posix(), need_lock=need_lock)
    console.show(outcome.diagnostics)
    return WRONG_CALL if outcome.value is None else outcome.value


def chosen(project: Project, names: list[str], console: Console) -> tuple[TargetRequest, ...] | int:
    """The targets that `-t` names, all of them without."""
    known = {request.name: request for request in project.requests}
    unknown = [name for name in names if name not in known]
    for name in unknown:
        listed = ", ".join(f"`{each}`" for each in known)
        console.show(
            (
                error(
                    codes.NO_SUCH_TARGET,
                    None,
                    name=name,
                    suggestion=nearest(name, tuple(known)),
                    known=listed,
                ),
            )
        )
    if unknown:
        return WRONG_CALL
    return tuple(known[name] for name in dict.fromkeys(names)) or project.requests
