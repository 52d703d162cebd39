"""Codes of what goes wrong with engines, images and tests: E06xx."""

from __future__ import annotations

from reproc.diagnostics.diagnostic import Code

BUILD_FAILED = Code(
    "E0601",
    "build-failed",
    "building `{target}` with {engine} fails: {failure}",
    label="this asks for the step that fails",
    help=("{hint}", "the whole output is in `{log}`"),
)
ENGINE_MISSING = Code(
    "E0602",
    "engine-missing",
    "{engine} was asked for and cannot be used here: {reason}",
    help=("{advice}",),
)
NO_ENGINE = Code(
    "E0603",
    "no-engine",
    "no container engine can be used here, so nothing was built or tested",
    help=("`reproc doctor` says how to get one",),
)
ENGINE_LOST = Code(
    "E0604",
    "engine-lost",
    "{engine} stopped answering while {doing}",
    help=("start it again and repeat the command; what was built is reused",),
)
NO_SPACE = Code(
    "E0605",
    "no-space",
    "there is no space left on the disk while {doing} with {engine}",
    label="this asks for the step that needs more",
    help=("make room in `{place}`, then repeat the command",),
)
ENGINE_FAILED = Code(
    "E0606",
    "engine-failed",
    "{engine} fails while {doing}: {reason}",
    help=("the whole output is in `{log}`", "`reproc doctor` says what this machine's engines can do"),
)
BROKEN_IMAGE = Code(
    "E0607",
    "broken-image",
    "the image `{image}` is damaged: it {reason}",
    help=("build it again with `reproc build`",),
)
TEST_FAILED = Code(
    "E0608",
    "test-failed",
    "test `{test}` fails for `{target}` in {engine}: {reason}",
    label="this test",
)
TEST_FLAKY = Code(
    "E0630",
    "test-flaky",
    "test `{test}` is flaky for `{target}` in {engine}: {reason}",
    label="this test holds only sometimes",
    help=("look for a race, a time-out that is too short, or a random number without a seed",),
)
REQUIREMENT_MISSING = Code(
    "E0609",
    "requirement-missing",
    "test `{test}` needs {what}, which was required and is not here",
    label="needed here",
    help=("leave out `--require {word}` to skip such tests",),
)
AUDIT_FAILED = Code(
    "E0616",
    "audit-failed",
    "audit `{audit}` of `{target}` in {engine} fails: {reason}",
    label="this keeps it",
    help=("`.reproc/report.json` has all that it found",),
)
TREES_DIFFER = Code(
    "E0617",
    "engines-differ",
    "the images of `{target}` in {first} and {second} do not hold the same files",
    help=("`reproc verify --rebuild 2` shows whether one engine alone gives the same twice",),
)
LEVEL_MISSED = Code(
    "E0618",
    "level-missed",
    "`{target}` in {engine} reaches {level}, and {wanted} was required",
    help=("the report has what differs between the two builds",),
)
CONVERSION_DIFFERS = Code(
    "E0640",
    "conversion-differs",
    "the SIF that Apptainer makes out of docker's image of `{target}` ({way}) does not hold the same files",
    help=("build the SIF from its own def: `reproc build -e singularity`",),
)
