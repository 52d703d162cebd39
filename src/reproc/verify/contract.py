"""The one contract under which tests run, the same in every engine.

A fresh container each; user 1000 with a passwd entry; the image read-only; the home, /tmp and /var/tmp empty,
in memory, writable; no network unless the test needs it; no variable of the host; the same limits; empty
standard input. What engines do differently by themselves is undone here, in a few lines of shell before the
command, so that a test cannot tell them apart by it.
"""

from __future__ import annotations

from collections.abc import Iterable

from reproc import model
from reproc.model import Jobs
from reproc.target.quoting import quote
from reproc.verify.engines.base import Command
from reproc.verify.look import NO_LOOK, Look
from reproc.verify.plan import Mount

UID = GID = 1000
USER = "researcher"
HOME = f"/home/{USER}"
HOSTNAME = "localhost"
"""Resolves in every image, which launchers of parallel programs rely on."""
TMPFS = {HOME: 0o700, "/tmp": 0o1777, "/var/tmp": 0o1777}
TMPFS_SIZE = "1g"
OPEN_FILES = (1024, 4096)
"""The limit of open files, and what a program may raise it to."""
OUTPUT_LIMIT = 1 << 20
"""Bytes that are kept of each stream; the rest is read and thrown away."""

PASSWD_ENTRY = f"{USER}:x:{UID}:{GID}::{HOME}:/bin/sh\n"
GROUP_ENTRY = f"{USER}:x:{GID}:\n"

_ENGINES_OWN = "HOSTNAME TERM PS1 PROMPT_COMMAND container " + " ".join(
    f"{prefix}_{name}"
    for prefix in ("APPTAINER", "SINGULARITY")
    for name in ("APPNAME", "BIND", "COMMAND", "CONTAINER", "ENVIRONMENT", "NAME")
)
# Limits are set here because engines refuse some where they lack a capability.
# Apptainer appends a folder of its own to LD_LIBRARY_PATH (/.singularity.d/env/99-base.sh in every image)
_PRELUDE = f"""\
unset {_ENGINES_OWN}
case ${{LD_LIBRARY_PATH-}} in
/.singularity.d/libs) unset LD_LIBRARY_PATH ;;
*:/.singularity.d/libs) LD_LIBRARY_PATH=${{LD_LIBRARY_PATH%:/.singularity.d/libs}} ;;
esac
ulimit -c 0
ulimit -Sn {OPEN_FILES[0]}
ulimit -Hn {OPEN_FILES[1]} 2>/dev/null || :
export HOME={HOME} USER={USER} TMPDIR=/tmp
"""


def _assignments(environment: model.Environment | None) -> Iterable[str]:
    for entry in environment.entries if environment else ():
        name, value = entry.name, quote(entry.value)
        match entry.action:
            case "prepend":
                yield f'{name}={value}"${{{name}:+:${name}}}"'
            case "append":
                yield f'{name}="${{{name}:+${name}:}}"{value}'
            case _:
                yield f"{name}={value}"
        yield f"export {name}"


def _text(text: model.ShellText, jobs: int) -> str:
    return "".join(str(jobs) if isinstance(part, Jobs) else part for part in text)


def argv(test: model.Test, jobs: int = 1) -> tuple[str, ...]:
    """The command of a test, as the test's author means it."""
    if test.script is not None:
        return ("/bin/sh", "-euc", _text(test.script.text, jobs))
    if test.app is not None:
        return (test.app.name.text, *test.app.arguments)
    return ("/bin/sh", "-c", _text(test.run.text, jobs) if test.run is not None else "")


def command(
    test: model.Test,
    workdir: str,
    look: Look = NO_LOOK,
    *,
    entry: tuple[str, ...] = (),
    jobs: int = 1,
    mounts: tuple[Mount, ...] = (),
    gpu: str = "nvidia",
) -> Command:
    """What an engine runs for a test: the image's entry, the prelude, the test's own command, looks at files.

    The command is a child of that shell, never a container's first process, to whom Linux delivers no signal
    that it has not asked for (pid_namespaces(7)): a test that kills itself must not come out as passed.
    """
    ending = f'{look.after()}exit "$reproc_status"'
    lines = (*_assignments(test.env), f'{look.before()}"$@"', "reproc_status=$?", ending, "")
    needs = {need.what for need in test.needs}
    return Command(
        (*entry, "/bin/sh", "-c", _PRELUDE + "\n".join(lines), "reproc", *argv(test, jobs)),
        workdir,
        test.timeout,
        network="network" in needs,
        gpu=gpu if "gpu" in needs else None,
        mounts=mounts,
    )
