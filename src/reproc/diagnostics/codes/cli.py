"""E07xx: calls of the command line that cannot be done."""

from __future__ import annotations

from reproc.diagnostics.diagnostic import Code

UNREADABLE = Code(
    "E0701",
    "unreadable-spec",
    "`{path}` {problem}",
    help=("{hint}", "name the spec, or a folder that holds a `repro.spec`"),
)
NO_LOCK = Code(
    "E0702", "no-lock", "there is no `repro.lock` beside `{path}`", help=("run `reproc lock` first",)
)
STALE_LOCK = Code(
    "E0703",
    "stale-lock",
    "`repro.lock` is not of this spec any more: {targets}",
    help=("run `reproc lock`; only what changed is resolved again",),
)
NO_SUCH_TARGET = Code(
    "E0704",
    "no-such-target",
    "the spec has no target `{name}`",
    help=("did you mean `{suggestion}`?", "it has: {known}"),
)
NOT_WRITABLE = Code("E0705", "not-writable", "`{path}` cannot be written: {problem}")
NO_SUCH_BACKEND = Code(
    "E0706",
    "no-such-backend",
    "no target has a recipe of the kind `{name}`",
    help=(
        "did you mean `{suggestion}`?",
        "the kinds are `docker` and `singularity`, unless a target's `backends` leaves one out",
    ),
)
REPORT_FORM = Code(
    "E0707",
    "unknown-report-form",
    "`{path}` is not a report that this version can write",
    help=("name a file that ends in `.json`, `.html`, `.md`, `.xml` or `.svg`",),
)
BAD_MOMENT = Code(
    "E0708",
    "bad-moment",
    "SOURCE_DATE_EPOCH is `{value}`, which is no moment of the past",
    help=("give it whole seconds since 1970, as `date +%s` prints them, or unset it",),
)
