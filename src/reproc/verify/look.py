"""What a container itself says of a test: where its output begins, and what `expect file` asks for.

It comes back in the error output, in lines that begin with a word that nobody else knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from reproc import model
from reproc.record import record, replace
from reproc.target.quoting import words
from reproc.verify.engines.base import Captured

ABSENT, THERE, NO_FILE, UNREADABLE = "absent", "there", "no-file", "unreadable"
HELD, NOT_HELD = "held", "not-held"

# busybox has all of these too; another file than a regular one could be a pipe that nobody writes to
_FUNCTION = """\
reproc_look() {
    if [ ! -e "$2" ] && [ ! -L "$2" ]; then set -- "$1" absent
    elif [ "$3" = exists ] || [ "$3" = absent ]; then set -- "$1" there
    elif [ ! -f "$2" ]; then set -- "$1" no-file
    elif [ ! -r "$2" ]; then set -- "$1" unreadable
    elif [ "$3" = sha256 ]; then set -- "$1" "$(sha256sum < "$2")"
    elif grep -Fq -e "$4" -- "$2"; then set -- "$1" held
    else set -- "$1" not-held
    fi
    echo "$reproc_mark $1 ${2%% *}"
}
"""


@record
class Look:
    """What a test's container is to say."""

    mark: str
    """A word of letters and digits that no output holds by chance."""
    expected: tuple[model.Expectation, ...] = ()
    """What is expected of files."""
    entered: bool = False
    """Whether the image's entry runs before the test, whose own words are no part of the test's output."""

    def before(self) -> str:
        """Shell lines for before the command."""
        return f"echo {self.mark} begins >&2\n" if self.entered else ""

    def after(self) -> str:
        """Shell lines that look, for after the command."""
        if not self.expected:
            return ""
        calls = [
            f"reproc_look {number} {words(*expectation.words)}"
            for number, expectation in enumerate(self.expected)
        ]
        setting = f"PATH=/usr/bin:/bin LC_ALL=C reproc_mark={self.mark}"
        return "\n".join((_FUNCTION + "{", f"{setting}; echo", *calls, "} >&2", ""))


NO_LOOK = Look("")
"""Nothing is to be said."""

Seen: TypeAlias = Mapping[int, str]
"""What was seen of each expected file, by its number."""


def look(test: model.Test, mark: str, entry: tuple[str, ...]) -> Look:
    """What is to be said of a test."""
    return Look(mark, tuple(each for each in test.expect if each.subject == "file"), bool(entry))


def seen(wanted: Look, output: Captured) -> tuple[Seen, Captured]:
    """What was seen, and the test's own error output."""
    line = rf"{wanted.mark} ([0-9]+) (\S*)\n"
    found = {int(number): said for number, said in re.findall(line, output.text + output.tail)}
    _, begins, rest = output.text.partition(f"{wanted.mark} begins\n")
    text = re.sub(rf"\n?(?:{line})+", "", rest if begins else output.text)
    cut = len(output.text.encode()) - len(text.encode())
    return found, replace(output, text=text, size=output.size - cut)


def missed(wanted: Look, found: Seen) -> str | None:
    """Why the files are not as expected, in words that follow a colon; None if they are."""
    for number, expectation in enumerate(wanted.expected):
        if reason := _missed(expectation, found.get(number)):
            return reason
    return None


def _missed(expectation: model.Expectation, said: str | None) -> str | None:
    path, relation, *values = expectation.words
    other = {
        None: "was not looked at, since the test ended what was to do so",
        NO_FILE: "is no regular file",
        UNREADABLE: "cannot be read by the test's user",
    }
    if said in other:
        return f"the file `{path}` {other[said]}"
    if relation == "absent":
        return None if said == ABSENT else f"the file `{path}` is there"
    if said == ABSENT:
        return f"the file `{path}` is not there"
    if relation == "contains":
        return None if said == HELD else f"the file `{path}` does not contain `{values[0]}`"
    if relation == "sha256":
        wanted = values[0].removeprefix("sha256:")
        return None if said == wanted else f"the file `{path}` has the sha256 {said}, expected {wanted}"
    return None
