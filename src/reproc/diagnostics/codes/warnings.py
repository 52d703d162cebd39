"""W03xx: what is right today and bites later; `# reproc: allow W03xx REASON` silences each of them."""

from __future__ import annotations

from reproc.diagnostics.diagnostic import Code

FLOATING_PACKAGES = Code(
    "W0301",
    "floating-packages",
    "nothing in the spec pins `{name}`: it has no version, and there is no `as-of`",
    label="the newest on the day of locking",
    help=("write `as-of 2024-06-01` at the top, with a day of yours, or a version: `{name}{example}`",),
)
MOVING_BRANCH = Code(
    "W0302",
    "moving-branch",
    "branch `{branch}` moves: without this lock nobody knows which commit was meant",
    label="another commit tomorrow",
    help=("write `commit` and the full id of the one that the paper used",),
)
LATEST = Code(
    "W0303",
    "latest",
    "`{reference}` means something else from day to day",
    label="{what}",
    help=("name a version: `{example}`", "name the version that the paper used"),
)
DATA_WITHOUT_SIZE = Code(
    "W0304",
    "data-without-size",
    "nobody can tell how large `data {name}` is before fetching it",
    label="no `size`",
    help=("add `size`, such as `size 2GiB`",),
)
UNPROTECTED_ADDRESS = Code(
    "W0305",
    "unprotected-address",
    "`{scheme}://` lets anyone on the way change what comes back, and no digest would tell",
    label="neither encrypted nor compared with a digest",
    help=("write `https://`, or add `{digest}`", "write `https://`"),
)
UNTESTED_SPEC = Code(
    "W0306",
    "no-tests",
    "the spec has no test: nobody will see when its environment no longer works",
    label="no `test` in this spec",
    help=('add for example `test "starts" {{ run "python --version" }}`',),
)
UNTESTED_TARGET = Code(
    "W0307",
    "target-without-test",
    "no test looks at target `{target}`",
    label="nothing here is tested",
    help=("add a `test` to the target, or name it behind `on` of one",),
)
ROOT_SERVICE = Code(
    "W0308",
    "service-as-root",
    "`app {name}` answers on a port as root",
    label="reachable from outside",
    help=("give the image a user: `user {name} {{ uid 1000 }}`",),
)
UNUSED_TOOLCHAIN = Code(
    "W0310",
    "unused-toolchain",
    "no build uses `toolchain {name} {version}`, and yet {effect}",
    label="used by no build",
    help=("add `using {name} {version}` to a build, or `at run` if the image is to have it, or take it out",),
)
UNUSED_INPUT = Code(
    "W0311",
    "unused-input",
    "nothing in the spec names `{kind} {name}` or {place}, where it lies",
    label="used by nothing that the spec says",
    help=("take it out, or say with `into` where a program expects it",),
)
UNUSED_CONSTANT = Code(
    "W0312",
    "unused-constant",
    "nothing uses `let {name}`",
    label="in no string as {hole}",
    help=("take it out; only strings and texts have constants put in, words have not",),
)
UNUSED_TARGET = Code(
    "W0313",
    "unused-target",
    "nothing extends the abstract target `{target}`",
    label="never built and never extended",
    help=("write `extends {target}` in a target, or take it out",),
)
LARGE_DATA = Code(
    "W0314",
    "large-data",
    "`data {name}` puts {size} into every image",
    label="over 100 MB",
    help=("add `at run`: it is then mounted when the image runs",),
)
PACKAGE_TWICE = Code(
    "W0315",
    "package-twice",
    "`{name}` stands in one block twice; only the last one counts",
    label="this one counts",
    help=("keep one of them",),
)
PATH_REPLACED = Code(
    "W0316",
    "path-replaced",
    "this takes every other directory off PATH",
    label="no command of the base is found any more",
    help=("write `prepend PATH {value}`",),
)
UNUSED_EXCLUDE = Code(
    "W0317",
    "unused-exclude",
    "nothing in `{source}` matches `exclude {pattern}`",
    label="leaves out nothing",
    help=("write it as in `.gitignore`, relative to `{source}`, or take it out",),
)
NO_NETWORK = Code(
    "W0320",
    "command-without-network",
    "`{command}` needs the network, and a {place} has none",
    label="will fail",
    help=("{instead}",),
)
UNPINNED_DOWNLOAD = Code(
    "W0321",
    "unpinned-download",
    "what `{command}` fetches is in no lock",
    label="something else tomorrow, or nothing",
    help=("{instead}",),
)
SUDO = Code(
    "W0322",
    "sudo",
    "`sudo` is not in the image, and {reason}",
    label="not needed",
    help=("leave it out",),
)
NATIVE_CODE = Code(
    "W0323",
    "native-code",
    "`{flag}` makes programs for the machine that builds, which others may not run",
    label="the building machine's processor",
    help=("name a level that all readers have: `{instead}`",),
)
HOME_PATH = Code(
    "W0324",
    "home-path",
    "`{path}` is a home directory of one machine",
    label="not in the image",
    help=("bring what lies there with `code` or `data`, and write where it is in the image",),
)
LOST_STATE = Code(
    "W0325",
    "lost-state",
    "every `run` has a shell of its own: this `{command}` has no effect on the next one",
    label="ends with this line",
    help=("{instead}",),
)
NOT_POSIX = Code(
    "W0326",
    "not-posix",
    "`{command}` is a word of bash; this runs in `sh`",
    label="not in POSIX sh",
    help=("write `{instead}`, or `shell bash` in the build", "write `{instead}`", "write it for POSIX sh"),
)
IDLE_FLAGS = Code(
    "W0330",
    "idle-flags",
    "`flags {what}` tells compilers nothing: no target has a `{statement}`",
    label="no variable is set",
    help=("add for example `{example}`",),
)
ALLOW_WITHOUT_REASON = Code(
    "W0390",
    "allow-without-reason",
    "`allow` needs a reason behind its codes, and does nothing without one",
    label="why is this all right?",
    help=("write `# reproc: allow {codes} REASON`",),
)
ALLOW_UNKNOWN = Code(
    "W0391",
    "allow-of-unknown-code",
    "there is no diagnostic `{id}`",
    label="silences nothing",
    help=("did you mean `{suggestion}`?", "write the code as the diagnostic shows it, such as `W0302`"),
)
ALLOW_REFUSED = Code(
    "W0392",
    "allow-of-this-code",
    "`{id}` cannot be allowed",
    label="silences nothing",
    help=("only warnings W03xx and `E0370` can be",),
)
ALLOW_UNUSED = Code(
    "W0393",
    "unused-allow",
    "there is no `{id}` to allow here",
    label="silences nothing",
    help=("take it out; it holds for the statement below it, or above `reproc` for the whole spec",),
)
UNKNOWN_REMARK = Code(
    "W0394",
    "unknown-remark",
    "`# reproc:` is followed by `allow` and codes, not by `{word}`",
    label="silences nothing",
    help=("did you mean `{suggestion}`?", "write `# reproc: allow W0302 REASON`"),
)
