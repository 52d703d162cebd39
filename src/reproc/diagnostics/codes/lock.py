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
    "E0413",
    "bad-index",
    "the index of `{suite}` in the archive `{archive}` cannot be read: {reason}",
    help=("a mirror or a proxy may be at fault: try again, or without it",),
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
    help=("{advice}", "its name there may not be the one that programs import"),
)
UNSATISFIABLE_PYTHON = Code(
    "E0424",
    "unsatisfiable-requirements",
    "no set of Python packages satisfies these requirements",
    help=("{reason}",),
)
NOT_EXACT = Code(
    "E0428",
    "not-exact",
    "`{text}` does not name one version, and nothing resolves packages for Python 2",
    label="which version?",
    help=("write all packages as `pip freeze` prints them, `name==version`",),
)
NOT_NAMED = Code(
    "E0429",
    "not-named",
    "`{name} {version}` needs `{needs}`, which is not named, and nothing resolves packages for Python 2",
    label="needs it",
    help=("add `{needs}==VERSION`, as `pip freeze` prints it where the code runs",),
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
    label="what is asked for",
    help=(
        "`{host}` serves another file than the one that is known: look there, or name another mirror",
        "get the right file again, or write the digest that it has now if the change is meant",
    ),
)
SOURCE_SIZE = Code(
    "E0436",
    "source-size",
    "`{source}` has {found} bytes, and {expected} were expected",
    help=("get the right file again, or correct `size` if the change is meant",),
)
SOURCE_CHANGED = Code(
    "E0437",
    "source-changed",
    "`{source}` has changed since it was locked{detail}",
    help=("run `reproc lock`",),
)
GIT_UNKNOWN = Code(
    "E0438", "unknown-git-ref", "`{url}` has no {kind} `{ref}`", help=("did you mean `{suggestion}`?",)
)
GIT_TROUBLE = Code(
    "E0439",
    "git-trouble",
    "`{url}` cannot be read: {reason}",
    help=("your readers need an address that answers without a login",),
)
GIT_CHANGED = Code(
    "E0440",
    "git-tree-changed",
    "commit `{commit}` of `{url}` does not give the tree that was locked",
    help=("run `reproc lock`",),
)
SUBMODULES = Code(
    "W0401",
    "submodules-left-out",
    "`{url}` has submodules, which are not included: {paths}",
    help=("write `submodules` if they belong to it",),
)
BAD_ARCHIVE = Code(
    "E0441", "bad-archive", "`{source}` cannot be unpacked: {reason}", label="what should be unpacked"
)
HOSTILE_ARCHIVE = Code(
    "E0442",
    "hostile-archive",
    "`{source}` holds `{path}`, which {what}",
    label="nothing of it was used",
    help=("ask whoever published it; an archive of code or data has no use for that",),
)
ARCHIVE_TOO_LARGE = Code(
    "E0443",
    "archive-too-large",
    "`{source}` unpacks to more than {limit}",
    label="nothing of it was used",
)
WEB_PAGE = Code(
    "E0444",
    "web-page",
    "`{url}` gives a web page, not a file",
    label="answers with HTML",
    help=("copy the address of the download itself, not of the page that offers it",),
)
RECORD_TROUBLE = Code(
    "E0445", "record-trouble", "the record of `{doi}` cannot be read: {reason}", help=("{advice}",)
)
NO_SUCH_MEMBER = Code(
    "E0446",
    "no-such-record-file",
    "the record of `{doi}` has no file `{name}`",
    label="not in the record",
    help=("did you mean `{suggestion}`?", "it has: {known}"),
)
WEB_CHANGED = Code(
    "E0447",
    "download-changed",
    "`{source}` does not give the tree that was locked",
    help=("run `reproc lock`",),
)
SWH_TROUBLE = Code("E0448", "swh-trouble", "`{swhid}` cannot be fetched: {reason}", help=("{advice}",))
SUBMODULE_ADDRESS = Code(
    "E0449",
    "submodule-address",
    "the submodule `{path}` of `{url}` {reason}",
    help=("declare it as `code` of its own",),
)
LFS_TROUBLE = Code(
    "E0456",
    "lfs-trouble",
    "the Git LFS files of `{url}` cannot be fetched: {reason}",
    label="keeps files with Git LFS",
    help=("ask whoever keeps the repository; without `lfs`, files of text stand in their place",),
)
MIRROR_PASSED_OVER = Code(
    "W0403", "mirror-passed-over", "`{url}` was passed over: {reason}", label="the next address was taken"
)

FROM_HERITAGE = Code(
    "W0405",
    "taken-from-software-heritage",
    "`{url}` does not give commit `{commit}` any more; Software Heritage does",
    help=("everything is as it was; who locks this anew needs an address that works",),
)

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
    help=("{advice}", "log in with `docker login {registry}`"),
)
REGISTRY_LIMIT = Code(
    "E0457",
    "registry-limit",
    "the registry `{registry}` answers no more requests from here for now: `{reference}` has to wait",
    help=(
        "try again in {wait}; {advice}",
        "try again in {wait}, or name a mirror of the registry",
        "try again later; {advice}",
        "try again later, or name a mirror of the registry",
    ),
)
REGISTRY_TROUBLE = Code(
    "E0453",
    "registry-trouble",
    "the registry `{registry}` gives no sound answer for `{reference}`: {reason}",
    help=("try again later; a proxy may be answering in its place",),
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
    "E0460",
    "lock-unreadable",
    "the lock cannot be read: {reason}",
    help=("take it from version control again, or run `reproc lock --update-all`",),
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
    help=("take the version of reproc that wrote it, or run `reproc lock --update-all`",),
)
STORE_LACKS = Code("E0463", "store-lacks", "the store does not hold {what}", help=("run `reproc fetch`",))
STALE_SECTION = Code(
    "E0464",
    "stale-section",
    "the lock does not answer {what} any more: {reason}",
    help=("run `reproc lock`; only what changed is resolved again",),
)
UNKNOWN_UPDATE = Code(
    "E0465",
    "unknown-update",
    "the lock holds nothing that is called `{name}`",
    help=(
        "did you mean `{suggestion}`?",
        "name a package, or a section: `base`, `system`, `python main`, `code model`",
    ),
)
NOT_LOCKED = Code(
    "E0466",
    "not-locked",
    "no package in the lock is called `{name}`",
    help=("did you mean `{suggestion}`?", "`reproc tree` shows what there is"),
)
DATA_ABSENT = Code(
    "W0404",
    "data-absent",
    "`data {name}` is not here: {reason}",
    label="mounted when the image runs",
    help=("tests that say `needs data {name}` are skipped; `--require data` makes that a failure",),
)
STORE_DAMAGED = Code(
    "W0402", "store-damaged", "the store held a damaged copy of {what}; it was set aside and fetched again"
)
STORE_BUSY = Code(
    "E0467",
    "store-busy",
    "nothing can be removed from `{path}`: it is used by a process that cannot say what it needs",
    help=("try again later; a user who may only read the store runs reproc",),
)
BAD_CONFIGURATION = Code(
    "E0468",
    "unreadable-configuration",
    "the configuration cannot be read: {reason}",
    help=("{advice}",),
)
UNKNOWN_SETTING = Code(
    "E0469",
    "unknown-setting",
    "the configuration has no setting `{name}`",
    label="not a setting",
    help=("did you mean `{suggestion}`?", "it has: {known}"),
)

# Locks and projects of other Python tools
FOREIGN_LOCK = Code(
    "E0480",
    "unreadable-foreign-lock",
    "`{path}` cannot be read as a lock: {reason}",
    help=("`lock` takes a `uv.lock`, `pylock.toml`, `Pipfile.lock` or `poetry.lock`",),
)
FOREIGN_PYTHON = Code(
    "E0481",
    "lock-for-other-python",
    "`{path}` is for Python {wanted}, and the environment has {python}",
    help=("choose a base with a Python that it is for, or make it anew with Python {python}",),
)
FOREIGN_PLATFORM = Code(
    "E0482",
    "lock-for-other-platform",
    "`{path}` was not made for {platform}",
    help=("make it anew for this platform too",),
)
BAD_PROJECT = Code("E0483", "unreadable-project", "`{path}` cannot be read: {reason}")
HIDDEN_DEPENDENCIES = Code(
    "E0484",
    "hidden-dependencies",
    "`{path}` does not say what the project needs: that is known only when it is built",
    help=("write what it needs as `packages`, or name a file with it as `requirements`",),
)
NO_PROJECT = Code(
    "E0485",
    "no-python-project",
    "`code {name}` is no Python project: it has neither a `pyproject.toml` nor a `setup.py`",
    label="cannot be installed",
    help=("build it with a `build` statement",),
)
HIDDEN_NEEDS = Code(
    "W0484",
    "hidden-needs",
    "`code {name}` says what it needs only when it is built: nothing of that is locked",
    label="installed without its dependencies",
    help=("write what it needs as `packages`, or name a file with it as `requirements`",),
)
NO_SOURCE_ARCHIVE = Code(
    "E0486",
    "no-source-archive",
    "`{name}` has no source archive in the index",
    help=("leave it out of `binary no`: its wheel is taken then",),
)

# Third-party archives, and the archives as of a day
BAD_KEY = Code(
    "E0487",
    "unreadable-key",
    "the key of `{address}` holds no OpenPGP public key",
    label="signed by this key",
    help=("`key` names the file that the archive's own instructions put into `/etc/apt/keyrings`",),
)
AS_OF_TOO_EARLY = Code(
    "E0488",
    "as-of-too-early",
    "`{archive}` cannot be had as of {date}: its snapshots begin on {first}",
    help=("write `as-of {first}` or later",),
)
AS_OF_LATER = Code("E0489", "as-of-in-the-future", "`as-of` lies in the future: {date}")
AS_OF_CHANGED = Code(
    "E0490",
    "as-of-without-history",
    "`{archive}` cannot be had as of {date}: it changed on {changed} and keeps no history",
    label="holds only what it holds now",
    help=("name a mirror that stands as of that day, or take the packages as `data`",),
)
AS_OF_MIRROR = Code(
    "E0491",
    "as-of-needs-snapshots",
    "`{archive}` as of {date} is kept by `{host}` alone, which does not serve it: {reason}",
    help=(
        "a live mirror holds only what is there today; `{variable}` names a mirror of the snapshot service",
    ),
)
AS_OF_INDEX = Code(
    "E0492",
    "as-of-without-upload-times",
    "the package index does not say when `{name}` was published, and `as-of` needs that",
    help=("take an index that gives upload times (PEP 700), or leave out `as-of` and pin the versions",),
)
AS_OF_IMAGE = Code(
    "W0488",
    "as-of-image",
    "`as-of` does not reach the image `{reference}`: a registry keeps no history",
    label="pinned as it is today",
    help=("name it by its digest, or write `from bootstrap`",),
)
OTHER_ARCHITECTURE = Code(
    "E0493",
    "other-architecture",
    "a base for `{platform}` cannot be made on this machine, which runs no programs of `{architecture}`",
    label="made of packages here",
    help=("install the packages `qemu-user-static` and `binfmt-support`, or lock on such a machine",),
)
NO_REGISTRY = Code(
    "E0496",
    "no-registry",
    "nothing on this machine says where the registry of `{registry}` is",
    label="comes from there",
    help=("set `{variable}` to its address, or install `{registry}`",),
)
NOT_IN_REGISTRY = Code(
    "E0497",
    "not-in-registry",
    "`{purl}` cannot be had: {reason}",
    label="not found",
    help=("write it as `pkg:npm/%40scope/name@1.0.0` or `pkg:pypi/name@1.0.0`",),
)
IMAGE_TOO_NEW = Code(
    "E0498",
    "image-too-new",
    "the programs of `{reference}` need glibc {needed}, and the base has {libc}",
    label="they would not start here",
    help=("take a tag that is built on an older release, or a newer base",),
)
NO_IMAGE_FOLDER = Code(
    "E0409",
    "no-image-folder",
    "`{reference}` has nothing at `{folder}`",
    label="should lie there",
    help=("this image is not the official one, or is built in another way than those before it",),
)
CONDA_LACKS = Code(
    "E0470",
    "channel-lacks-package",
    "`{channel}` has no `{package}` for `{platform}`",
    label="not there",
    help=(
        "as of {day}; of other versions it had {known}",
        "of other versions it has {known}",
        "as of {day}; of other versions it had none",
        "it has no version of it: take another provider",
    ),
)
CONDA_UNSOLVABLE = Code(
    "E0471",
    "channel-unsolvable",
    "{packages} of `{channel}` cannot be installed together on a base with glibc {libc}",
    label="no set of packages has all that they need",
    help=(
        "as of {day}: take a later day, another version, or another provider",
        "take another version, or another provider",
    ),
)
CONDA_PACKAGE = Code(
    "E0472",
    "package-not-unpacked",
    "the package `{package}` cannot be installed by unpacking it: {reason}",
    label="needs it",
    help=("take another version, or another provider",),
)
PROVIDER_GONE = Code(
    "E0499",
    "provider-gone",
    "`{name} {version}` cannot be had from `provider {provider}` now",
    label="there is another way",
    help=("the next is `provider {next}`: {what}",),
)

UNREACHABLE: frozenset[Code] = frozenset(
    {NO_REGISTRY, NETWORK, TOOL_MISSING, NO_KEYRING, NO_SPACE, AS_OF_MIRROR, OTHER_ARCHITECTURE}
)
"""What the machine lacks or cannot reach: exit code 3."""
