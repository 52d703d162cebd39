"""The literal types of the language: how a word becomes a value."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from reproc.record import record, replace


class Unfit(ValueError):
    """A word does not have a literal's form; its text says what is wrong, in words that follow "it"."""


@record
class Literal:
    """A type of value."""

    name: str
    """As it stands in messages: "a version"."""
    example: str
    parse: Callable[[str], Any]
    """Raises Unfit."""
    shell: bool = False
    """The author's shell text: may hold `{{jobs}}`."""
    multiline: bool = False
    """Whether a text block may stand here."""
    located: bool = False
    """Whether the value keeps its place (an Item)."""
    choices: tuple[str, ...] = ()
    named: Callable[[str], str] = str
    """What a value is the same thing by, whatever else it says of it: a package without its version."""
    beside: bool = False
    """A path relative to the folder of the file it stands in."""


def _matching(pattern: str, otherwise: str, limit: int | None = None) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise Unfit(otherwise)
        if limit is not None and len(text) > limit:
            raise Unfit(f"is longer than {limit} characters")
        return text

    return parse


def choice(*words: str) -> Literal:
    """One of a few words."""

    listed = ", ".join(f"`{word}`" for word in words)
    name = f"one of {listed}" if len(words) > 1 else listed

    def parse(text: str) -> str:
        if text not in words:
            raise Unfit(f"is not {name}")
        return text

    return Literal(name, words[0], parse, choices=words)


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise Unfit("does not start with `/`")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Unfit("holds `..`")
    _no_line_breaks(text)
    return "/" + "/".join(parts)


def _place(text: str) -> str:
    """A path whose final `/`, if it has one, is kept: it says that a directory is meant."""
    path = _path(text)
    return f"{path}/" if text.endswith("/") and path != "/" else path


def _file(text: str) -> str:
    if text.startswith(("/", "~")) or re.match(r"[A-Za-z]:[\\/]", text) or "\\" in text:
        raise Unfit("is not a path relative to the spec, with `/` between its parts")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Unfit("leaves the spec's folder")
    _no_line_breaks(text)
    return "/".join(parts) or "."


def _inside(text: str) -> str:
    if text.startswith("/") or not re.fullmatch(r"[A-Za-z0-9._+/@-]+", text) or ".." in text.split("/"):
        raise Unfit("is not a path inside of the archive, such as `usr/bin`")
    return "/".join(part for part in text.split("/") if part not in ("", ".")) or "."


def _no_line_breaks(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise Unfit("holds a line break")
    return text


def _variable_value(text: str) -> str:
    _no_line_breaks(text)
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        raise Unfit("holds a control character, which no recipe can hold")
    return text


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise Unfit(f"is not a whole number from {low} to {high}")
        return int(text)

    return parse


def project_name(requirement: str) -> str:
    """The normalised name that a requirement starts with (PyPA specification "names and normalization")."""
    match = re.match(r"\s*([A-Za-z0-9._-]+)", requirement)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else requirement


_SIZES = {
    "": 1,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


def _size(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,15})([KMGT]i?|)B", text)
    if not match:
        raise Unfit("is not a size such as `512MB` or `2GiB`")
    return int(match[1]) * _SIZES[match[2]]


def _duration(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,7})([smh])", text)
    if not match or int(match[1]) == 0:
        raise Unfit("is not a duration such as `90s`, `5m` or `2h`")
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def _date(text: str) -> int:
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp())
        except ValueError:
            continue
    raise Unfit("is not a date such as `2024-06-01` or `2024-06-01T12:00:00Z`")


def _digest(text: str) -> str:
    """A sha256 as its 64 digits alone, a sha512 with `sha512:` before its 128."""
    match = re.fullmatch(r"(?:sha256:)?([0-9a-f]{64})|(sha512:[0-9a-f]{128})", text)
    if not match:
        raise Unfit("is not a sha256 digest of 64 hexadecimal digits")
    return match[1] or match[2]


def _yes_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise Unfit("is not `yes` or `no`")
    return text == "yes"


def _mode(text: str) -> int:
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise Unfit("is not a file mode of three octal digits")
    return int(text, 8)


def _compute_capabilities(text: str) -> str:
    match = re.fullmatch(r"sm_([0-9]{2,3})(?:[af]|\.\.sm_([0-9]{2,3}))?", text)
    if not match:
        raise Unfit("is not a compute capability such as `sm_70`, or a range such as `sm_70..sm_90`")
    if match[2] and int(match[1]) > int(match[2]):
        raise Unfit("is a range that ends before it starts")
    return text


def _tolerance(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})?(e-?[0-9]{1,3})?", text):
        raise Unfit("is not a tolerance such as `1e-3`")
    return float(text)


_name = _matching(
    r"[A-Za-z0-9][A-Za-z0-9._-]*",
    "has characters other than letters, digits, `.`, `_` and `-`, or starts with one of those",
    64,
)

HARDWARE = replace(choice("cpu", "gpu"), located=True)
NAME = Literal("a name", "sptk", _name)
LOCATED_NAME = Literal("a name", "sptk", _name, located=True)
STRING = Literal("a string", '"…"', _no_line_breaks)
TEXT = Literal("a text", '"""…"""', str, multiline=True)
SHELL = Literal("a shell command", '"make install"', str, shell=True, multiline=True)
VERSION = Literal(
    "a version", "12.2.0", _matching(r"[0-9]+(\.[0-9]+)*", "is not a version such as `9` or `12.2.0`", 32)
)
PATH = Literal("an absolute path", "/opt/model", _path)
PLACE = Literal("an absolute path", "/opt/model", _place)
LOCATED_PATH = Literal("an absolute path", "/opt/model", _path, located=True)
FILE = Literal("a file beside the spec", '"data/x.csv"', _file, located=True, beside=True)
INSIDE = Literal("a relative path", "usr/bin", _inside, located=True)
SIZE = Literal("a size", "2GiB", _size)
DURATION = Literal("a duration", "90s", _duration)
DATE = Literal("a date", "2024-06-01", _date)
DIGEST = Literal("a sha256 digest", "9f86d081…", _digest, located=True)
COMMIT = Literal(
    "a full git commit",
    "64d6bd1b…",
    _matching(r"[0-9a-f]{40}|[0-9a-f]{64}", "is not a full commit id of 40 or 64 hexadecimal digits"),
    located=True,
)
GIT_REF = Literal(
    "a tag or branch",
    "v1.2",
    _matching(
        r"(?!-)(?!.*(\.\.|@\{|//|\.lock$))[^\s~^:?*\[\\\x00-\x1f\x7f]+", "is not a name that git allows", 200
    ),
    located=True,
)
URL = Literal(
    "an address",
    "https://…",
    _matching(
        r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>\\^`{|}\x00-\x1f]+|[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:[^\s\"'<>\\^`{|}\x00-\x1f-][^\s\"'<>\\^`{|}\x00-\x1f]*",
        "is not an address such as `https://example.org/x.git`",
    ),
    located=True,
)
PACKAGE = Literal(
    "a distribution package",
    "libfftw3-dev",
    _matching(
        r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[A-Za-z0-9][A-Za-z0-9.+:~-]*)?",
        "is not a package name, `name` or `name=version`",
    ),
    located=True,
    named=lambda text: text.partition("=")[0],
)
REQUIREMENT = Literal(
    "a Python requirement", "numpy==1.26.4", _no_line_breaks, located=True, named=project_name
)
IMAGE = Literal(
    "an image reference",
    '"debian:bookworm-slim"',
    _matching(
        r"[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]+)?(/[A-Za-z0-9][A-Za-z0-9._-]*)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?",
        "is not an image reference such as `debian:bookworm-slim`",
        255,
    ),
    located=True,
)
WORD = Literal("a word", "debian", _no_line_breaks, located=True)
VARIABLE = Literal(
    "an environment variable",
    "OMP_NUM_THREADS",
    _matching(
        r"[A-Za-z_][A-Za-z0-9_]*",
        "is not a variable name: letters, digits and `_`, not starting with a digit",
    ),
)
VARIABLE_VALUE = Literal("a value", "1", _variable_value)
EXIT_CODE = Literal("an exit code", "0", _number(0, 255))
ORCID = Literal(
    "an ORCID",
    "0000-0001-2345-6789",
    _matching(
        r"(https://orcid\.org/)?[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X]",
        "is not an ORCID such as `0000-0001-2345-6789`",
    ),
)
DOI = Literal(
    "a DOI",
    "10.5281/zenodo.1",
    _matching(r"10\.[0-9]{4,9}/\S+", "is not a DOI such as `10.5281/zenodo.1234567`"),
)
LOCATED_DOI = replace(DOI, located=True)
LOCATED_STRING = replace(STRING, located=True)
SCOPE = choice("build", "run")
NOTHING = Literal("nothing", "", str)
"""For a keyword that stands alone."""
YES_NO = Literal("`yes` or `no`", "yes", _yes_no, choices=("yes", "no"))
COUNT = Literal("a number", "1", _number(0, 999_999_999))
POSITIVE = Literal("a number", "1", _number(1, 999_999_999))
PORT = Literal("a port", "8080", _number(1, 65535))
UID = Literal("a user's number", "1000", _number(1, 60_000))
MODE = Literal("a file mode", "0644", _mode)
TOLERANCE = Literal("a tolerance", "1e-3", _tolerance)
OWNER = Literal(
    "an owner",
    "root",
    _matching(r"[a-z_][a-z0-9_-]{0,31}|[0-9]{1,9}", "is not a user's name or number"),
)
USER = Literal(
    "a user's name",
    "researcher",
    _matching(r"[a-z_][a-z0-9_-]{0,31}", "is not a user's name: lower-case letters, digits, `_` and `-`"),
)
LABEL = Literal(
    "a label's name",
    "org.example.version",
    _matching(r"[A-Za-z0-9][A-Za-z0-9._/-]*", "is not a label's name such as `org.example.version`", 128),
)
SWHID = Literal(
    "a Software Heritage identifier",
    "swh:1:rev:…",
    _matching(
        r"swh:1:(rev|dir|rel|snp|cnt):[0-9a-f]{40}(;[a-z]+=[^\s;]+)*",
        "is not an identifier such as `swh:1:rev:…`",
    ),
    located=True,
)
LOCATED_URL = Literal(
    "an address",
    '"https://example.org/x.tar.gz"',
    _matching(
        r"(https?|ftp|file)://[^\s\"'<>\\^`{|}\x00-\x1f]+|pkg:[a-z]+/[A-Za-z0-9@%._~:/+?=&-]+",
        "is not an address such as `https://example.org/x.tar.gz`",
        2000,
    ),
    located=True,
)
CPU_LEVEL = Literal(
    "a processor level",
    "x86-64-v2",
    _matching(r"[a-z0-9][a-z0-9_.-]*", "is not a processor level such as `x86-64-v2`", 40),
    located=True,
)
CPU_FEATURE = Literal(
    "a processor feature",
    "avx2",
    _matching(r"[a-z0-9][a-z0-9_.-]*", "is not a processor feature such as `avx2`", 40),
    located=True,
)
SM_RANGE = Literal("a compute capability", "sm_70..sm_90", _compute_capabilities, located=True)
DRIVER = Literal(
    "a driver's version",
    ">=450",
    _matching(r">=[0-9]+(\.[0-9]+)*", "is not a lower bound such as `>=450`", 32),
    located=True,
)
COMPONENT = Literal(
    "a component",
    "cudnn=8.6",
    _matching(
        r"[a-z][a-z0-9_-]*(=[0-9]+(\.[0-9]+)*)?", "is not a component such as `nccl` or `cudnn=8.6`", 64
    ),
)
DISTRIBUTIONS = ("debian", "ubuntu", "rocky", "centos", "alpine")
