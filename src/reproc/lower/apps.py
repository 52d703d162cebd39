"""The scripts of an image: its apps, and what `activate` makes of the environment before them."""

from __future__ import annotations

import hashlib
import re

from reproc import model
from reproc.check import Target
from reproc.graph import ACTIVATION, APPS, ENTER, Activation, WriteFile
from reproc.lower.environment import apply
from reproc.target import quote
from reproc.target.shell import activate

_ARGUMENT = re.compile(r"\$([@*#1-9]|\{[@*#1-9])")
_LINES = "/opt/reproc/activate"
"""A file a line of `activate`, so that no line can reach into another."""


def shell_text(parts: model.ShellText) -> str:
    """The author's shell text; the number of jobs is found out while building."""
    return "".join("$(nproc)" if isinstance(part, model.Jobs) else part for part in parts)


def app_files(target: Target) -> tuple[WriteFile, ...]:
    """A script for each app, under its own name."""
    entered = activation(target)
    return tuple(
        WriteFile(
            f"app {app.name}", f"{APPS}/{app.name}", _app_script(app, target, entered), 0o755, app.origin
        )
        for app in target.apps
    )


def _app_script(app: model.App, target: Target, entered: Activation | None) -> str:
    text = shell_text(app.run.text).rstrip("\n")
    arguments = "" if _ARGUMENT.search(text) else ' "$@"'
    exports = apply(app.env.entries if app.env else (), ("both", "run"), {})
    first = ["#!/bin/sh"]
    if entered:  # an engine can start the app past the image's entry, as `docker exec` does
        there = f'[ "${{{entered.variable}-}}" = {entered.mark} ]'
        first.append(f'{there} || exec {ENTER} {quote(f"{APPS}/{app.name}")} "$@"')
    return "\n".join(
        (
            *first,
            *(f"export {name}={quote(value)}" for name, value in exports.items()),
            f"cd {quote(app.workdir or target.workdir)}",
            f"{text}{arguments}",
            "",
        )
    )


def activation(target: Target) -> Activation | None:
    """How an activated environment is told from others; None if nothing is to be activated."""
    lines = [shell_text(each.text) for each in target.activate]
    return Activation(hashlib.sha256("\0".join(lines).encode()).hexdigest()[:16]) if lines else None


def activation_files(target: Target) -> tuple[WriteFile, ...]:
    """The lines of `activate`, the script that runs them, and the one that starts commands behind it."""
    made = activation(target)
    if made is None:
        return ()
    files = [
        WriteFile("activation", f"{_LINES}/{number}.sh", f"{shell_text(each.text)}\n", 0o644, each.origin)
        for number, each in enumerate(target.activate, 1)
    ]
    listed = " ".join(file.path for file in files)
    origin = target.activate[0].origin
    scripts = ((ACTIVATION, _SCRIPT.replace("FILES", listed)), (ENTER, _enter(made)))
    return (*files, *(WriteFile("activation", path, text, 0o755, origin) for path, text in scripts))


def _enter(made: Activation) -> str:
    return "\n".join(
        (
            "#!/bin/sh",
            "# Runs a command in the environment that the lines of `activate` make.",
            *activate(made, "exit"),
            'exec "$@"',
            "",
        )
    )


# Only variables pass from here to what is started, in every engine: a Docker container begins with ENTER, and
# Apptainer reads the output of ACTIVATION in an interpreter of its own that is no POSIX shell.
# PWD belongs to whoever reads this, and Apptainer's own variables are read-only there.
_SCRIPT = """\
#!/bin/sh
# Prints, as shell commands, what the lines of `activate` make of the environment.
_reproc_before=$(export -p)
_reproc_source() { . "$_reproc_file"; }
for _reproc_file in FILES; do
    _reproc_source >&2 || {
        echo "reproc: $_reproc_file, a line of \\`activate\\`, fails with status $?" >&2
        exit 1
    }
done
set +eu
unset PWD OLDPWD
while IFS= read -r _reproc_line; do
    case $_reproc_line in
        export\\ *) _reproc_name=${_reproc_line#export } ;;
        *) continue ;;
    esac
    _reproc_name=${_reproc_name%%=*}
    case $_reproc_name in
        '' | [0-9]* | *[!A-Za-z0-9_]* | PWD | OLDPWD) ;;
        APPTAINER_* | SINGULARITY_*) unset "$_reproc_name" ;;
        *) eval "[ \\"\\${$_reproc_name+set}\\" ]" || echo "unset $_reproc_name" ;;
    esac
done <<END
$_reproc_before
END
unset _reproc_before _reproc_file _reproc_line _reproc_name
export -p
"""
