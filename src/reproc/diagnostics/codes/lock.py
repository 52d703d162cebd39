"""The codes of locking, fetching and the lock file: E04xx and W04xx."""

from __future__ import annotations

from reproc.diagnostics.diagnostic import Code

# The network and the sources
NETWORK = Code(
    "E0401",
    "no-network",
    "`{host}` cannot be reached: {reason}",
    help=(
        "locking and fetching need the network; check the connection and the proxy variables, "
        "or name a mirror with `{variable}`",
        "locking and fetching need the network; check the connection and the proxy variables",
    ),
)
NOT_SERVED = Code(
    "E0402",
    "not-served",
    "{what} is not served by {source}: {reason}",
    help=("{advice}", "lock again, or name a mirror that still has it"),
)
DIGEST_MISMATCH = Code(
    "E0403",
    "digest-mismatch",
    "{what} has the sha256 `{found}`, and `{expected}` was expected",
    help=("{source} serves something else; nothing of it was used", "nothing of it was used"),
)
NO_SPACE = Code(
    "E0404",
    "no-space-left",
    "no space is left on the device that holds `{path}`",
    help=("free some space, or set `REPROC_STORE` to a place that has it",),
)
FILE_TROUBLE = Code("E0405", "file-trouble", "`{path}` cannot be used: {reason}")
TOOL_MISSING = Code(
    "E0406", "tool-missing", "{purpose} needs `{tool}`, which is not installed", help=("{advice}",)
)
TOOL_FAILED = Code("E0407", "tool-failed", "`{tool}` failed while {doing}", help=("{advice}",))
PLATFORM = Code(
    "E0408",
    "platform-not-known",
    "packages cannot be locked for the platform `{platform}`",
    help=("known platforms: {known}",),
)

# Distribution packages
UNKNOWN_RELEASE = Code(
    "E0410",
    "release-not-known-here",
    "nothing is known of the release `{release}` of `{distribution}`",
    help=("known releases: {known}",),
)
BAD_SIGNATURE = Code(
    "E0411",
    "bad-signature",
    "the signature of `{suite}` in the archive `{archive}` does not hold",
    help=(
        "{advice}",
        "the archive's keys may be newer than the keyrings of this machine: update the keyring package",
    ),
)
NO_KEYRING = Code(
    "E0412",
    "no-keyring",
    "no keyring of `{distribution}` is on this machine",
    help=("install the package `{package}`, or put `{keyring}` into a folder that `REPROC_KEYRINGS` names",),
)
BAD_INDEX = Code(
    "E0413", "bad-index", "the index of `{suite}` in the archive `{archive}` cannot be read: {reason}"
)
UNKNOWN_PACKAGE = Code(
    "E0414",
    "unknown-package",
    "there is no package `{name}` in {distribution} {release}",
    label="not in the archive",
    help=(
        "did you mean `{suggestion}`?",
        "`{name}` is a virtual package; write one that provides it: {providers}",
    ),
)
UNKNOWN_PACKAGE_VERSION = Code(
    "E0415",
    "unknown-package-version",
    "`{name}` has no version `{version}` in {distribution} {release}",
    label="not in the archive",
    help=("it has {available}",),
)
UNSATISFIABLE = Code(
    "E0416",
    "unsatisfiable-package",
    "`{name}` cannot be installed: {reason}",
    label="asked for here",
    help=("it is wanted by {chain}",),
)
NO_PACKAGE_DATABASE = Code(
    "E0417",
    "no-package-database",
    "the image `{reference}` holds no database of Debian packages",
    help=("packages can be installed only on an image made from Debian or Ubuntu",),
)

# Python packages
BAD_REQUIREMENT = Code(
    "E0420",
    "unreadable-requirement",
    "`{text}` is not a requirement: {reason}",
    help=("write it as in PEP 508, such as `numpy==1.26.4`",),
)
REQUIREMENT_OPTION = Code(
    "E0421",
    "requirements-option",
    "the option `{option}` in a requirements file is not supported",
    help=("{advice}", "leave it out of the file"),
)
DIRECT_REQUIREMENT = Code(
    "E0422",
    "requirement-with-address",
    "`{name}` is asked for by its address",
    help=("declare it as `code {name}` and install it from there in a `build`",),
)
UNKNOWN_REQUIREMENT = Code(
    "E0423",
    "unknown-python-package",
    "there is no Python package `{name}`",
    label="not in the index",
    help=("{advice}",),
)
UNSATISFIABLE_PYTHON = Code(
    "E0424",
    "unsatisfiable-requirements",
    "no set of Python packages satisfies these requirements",
    help=("{reason}",),
)
NO_WHEEL = Code(
    "E0425",
    "no-wheel",
    "`{name}` has no wheel for Python {python} on {platform}",
    help=("ask for a version that has one; packages are not built from source",),
)
WHEEL_DIGEST = Code(
    "E0426",
    "wheel-digest",
    "`{filename}` has none of the digests that `{path}` allows for `{name}`",
    help=("the index serves another file",),
)

# Code and data
MISSING_SOURCE = Code(
    "E0430",
    "missing-source",
    "there is no file or folder `{source}`",
    help=("the path is relative to the spec's folder",),
)
EMPTY_SOURCE = Code("E0431", "empty-source", "`{source}` holds no file that is not ignored")
OUTSIDE_LINK = Code(
    "E0432",
    "link-leads-outside",
    "the symbolic link `{path}` leads out of `{source}`, to `{link}`",
    help=("leave it out with `exclude`, or put a copy there",),
)
SPECIAL_FILE = Code(
    "E0433",
    "special-file",
    "`{path}` is neither a file, a folder nor a symbolic link",
    help=("leave it out with `exclude`",),
)
BAD_FILE_NAME = Code(
    "E0434",
    "bad-file-name",
    "the file name {path} holds {what}",
    help=("rename it, or leave it out with `exclude`",),
)
SOURCE_DIGEST = Code(
    "E0435",
    "source-digest",
    "`{source}` has the sha256 `{found}`, and `{expected}` was expected",
    label="what the spec says",
)
SOURCE_SIZE = Code("E0436", "source-size", "`{source}` has {found} bytes, and {expected} were expected")
SOURCE_CHANGED = Code(
    "E0437",
    "source-changed",
    "`{source}` has changed since it was locked{detail}",
    help=("run `reproc lock`",),
)
GIT_UNKNOWN = Code(
    "E0438", "unknown-git-ref", "`{url}` has no {kind} `{ref}`", help=("did you mean `{suggestion}`?",)
)
GIT_TROUBLE = Code("E0439", "git-trouble", "`{url}` cannot be read: {reason}")
GIT_CHANGED = Code(
    "E0440",
    "git-tree-changed",
    "commit `{commit}` of `{url}` does not give the tree that was locked",
    help=("run `reproc lock`",),
)
SUBMODULES = Code("W0401", "submodules-left-out", "`{url}` has submodules, which are not included: {paths}")

# Images and base file systems
BAD_REFERENCE = Code(
    "E0450", "unreadable-image-reference", "`{reference}` is not an image reference: {reason}"
)
UNKNOWN_IMAGE = Code(
    "E0451", "unknown-image", "the registry `{registry}` has no image `{reference}`", help=("{advice}",)
)
REGISTRY_REFUSED = Code(
    "E0452",
    "registry-refused",
    "the registry `{registry}` refuses `{reference}`: {reason}",
    help=("log in with `docker login {registry}`",),
)
REGISTRY_TROUBLE = Code(
    "E0453", "registry-trouble", "the registry `{registry}` gives no sound answer for `{reference}`: {reason}"
)
NO_IMAGE_PLATFORM = Code(
    "E0454",
    "image-lacks-platform",
    "the image `{reference}` is not there for `{platform}`",
    help=("it is there for {available}",),
)
BASE_DIFFERS = Code(
    "E0455",
    "base-differs",
    "the root file system came out as `{found}`, and the lock says `{expected}`",
    help=("it was locked with {tool}, and made here with {here}; make it with the same version",),
)

# The lock file and the store
LOCK_UNREADABLE = Code(
    "E0460", "lock-unreadable", "the lock cannot be read: {reason}", help=("run `reproc lock`",)
)
LOCK_TAMPERED = Code(
    "E0461",
    "lock-tampered",
    "the lock was changed after it was written: its digest does not match",
    help=("take it from version control again, or run `reproc lock --update-all`",),
)
LOCK_VERSION = Code(
    "E0462",
    "lock-version",
    "the lock has the format {found}, and this version of reproc reads {known}",
    help=("run `reproc lock`",),
)
STORE_LACKS = Code("E0463", "store-lacks", "the store does not hold {what}", help=("run `reproc fetch`",))
STORE_DAMAGED = Code(
    "W0402", "store-damaged", "the store held a damaged copy of {what}; it was set aside and fetched again"
)

UNREACHABLE: frozenset[Code] = frozenset({NETWORK, TOOL_MISSING, NO_KEYRING, NO_SPACE})
"""What the machine lacks or cannot reach: exit code 3."""
