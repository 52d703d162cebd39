"""Codes of what a recipe cannot say, and of what is missing to make one: E05xx."""

from __future__ import annotations

from reproc.diagnostics.diagnostic import Code

UNSAYABLE_TEXT = Code(
    "E0501",
    "unsayable-text",
    "{what} holds {found}, which no recipe can hold",
    label="this cannot be written in a Dockerfile or a def",
    help=("remove it, or write it from a script with `printf`",),
)
UNSAYABLE_NAME = Code(
    "E0502",
    "unsayable-name",
    "`{name}` cannot be the name of {what}",
    label="no recipe can hold this name",
    help=("{allowed}",),
)
UNSAYABLE_FILE = Code(
    "E0503",
    "unsayable-file-name",
    "the file {name} cannot be copied into an image: its name holds {found}",
    label="this asks for the file",
    help=("rename the file, or leave it out with `exclude`",),
)
BAD_IMAGE_PATH = Code(
    "E0504",
    "bad-image-path",
    "`{path}` is no place in the image for {what}",
    label="asked for here",
    help=("write an absolute path without `..` that is not `/`",),
)
BAD_CONTEXT_PATH = Code(
    "E0505",
    "bad-context-path",
    "`{path}` is no place below the folder of the spec",
    label="asked for here",
    help=("write a relative path without `..`",),
)
GIT_ADDRESS = Code(
    "E0506",
    "unsayable-git-address",
    "a Dockerfile cannot fetch the commit `{commit}` from `{url}`",
    label="this address",
    help=("write an `https://…` address that ends in `.git`, without a user name or a query",),
)
BAD_COMMIT = Code(
    "E0507",
    "bad-commit",
    "a recipe needs a full commit id, and `{commit}` is none",
    label="asked for here",
    help=("run `reproc lock`, which pins the commit, or write all 40 (or 64) hexadecimal digits",),
)
TOO_MANY_LAYERS = Code(
    "E0508",
    "too-many-layers",
    "too many stages stand on one another: the image would need more than {limit} layers",
    label="the image is this deep",
    help=("let fewer builds stand on one another",),
)
BAD_IMAGE_REFERENCE = Code(
    "E0509",
    "bad-image-reference",
    "`{reference}` is not the reference of an image",
    label="asked for here",
    help=("write `REGISTRY/NAME:TAG`, such as `docker.io/library/debian:bookworm-slim`",),
)
BAD_SHELL = Code(
    "E0510",
    "bad-shell",
    "`{shell}` cannot run a script",
    label="asked for here",
    help=("write the absolute path of a POSIX shell or of bash, without blanks",),
)
BACKEND_UNKNOWN = Code(
    "E0511",
    "unknown-backend",
    "there is no back end `{name}`",
    help=("did you mean `{suggestion}`?", "there are: {known}"),
)
BACKEND_BROKEN = Code(
    "E0512",
    "broken-backend",
    "the back end `{name}` cannot be loaded: {reason}",
    help=("install it again, or remove the package that brings it",),
)
DOI_WITHOUT_LOCK = Code(
    "E0513",
    "doi-without-lock",
    "which files the DOI of `{what}` stands for is known only to a lock",
    label="has to be looked up",
    help=("run `reproc lock`",),
)
CONDA_WITHOUT_LOCK = Code(
    "E0526",
    "channel-without-lock",
    "which packages of a channel `{what}` takes is known only to a lock",
    label="has to be looked up",
    help=("run `reproc lock`",),
)
ONLY_VENDORED = Code(
    "E0514",
    "only-vendored",
    "`{what}` {reason}, which no recipe can fetch by itself",
    label="asked for here",
    help=("run `reproc compile --vendored`, which puts it beside the recipe",),
)
GIT_WITHOUT_LOCK = Code(
    "E0515",
    "git-without-lock",
    "what belongs to `{what}` beside its commit is known only to a lock",
    label="has to be looked up",
    help=("run `reproc lock`",),
)
PYTHON_WITHOUT_LOCK = Code(
    "E0519",
    "project-without-lock",
    "which packages `{what}` leads to is known only to a lock",
    label="has to be looked up",
    help=("run `reproc lock`",),
)
SOURCE_WITHOUT_LOCK = Code(
    "E0520",
    "source-without-lock",
    "what a third-party archive holds is known only to a lock",
    label="has to be looked up",
    help=("run `reproc lock`",),
)
SNAPSHOT_WITHOUT_LOCK = Code(
    "E0521",
    "snapshot-without-lock",
    "packages of {releases} are in snapshots alone, and only a lock checks these",
    label="brings them",
    help=("run `reproc lock`",),
)
NOTHING_KEPT = Code(
    "E0522",
    "kept-nothing",
    "`{path}` is to be kept, and no command of the build has made it",
    label="this path",
    help=("look where the build installs to: for `configure` that is `--prefix={path}`",),
)
LINK_KEPT = Code(
    "E0523",
    "kept-link",
    "`{path}` is to be kept, and is a symbolic link",
    label="this path",
    help=("keep what it points at: `{aim}`",),
)
NOTHING_REWRITTEN = Code(
    "E0524",
    "rewrites-nothing",
    "no text file of `{root}` holds `{old}`",
    label="this is to be replaced",
    help=("leave the line out if the path is gone in this version; letter case and a trailing `/` count",),
)
OTHER_VERSION = Code(
    "E0525",
    "other-version",
    "`{tool}` should be {wanted}, and says that it is {said}",
    label="this tool chain",
    help=("write the version that it has, or name another archive",),
)
