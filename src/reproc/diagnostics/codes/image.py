"""E038x and E039x: what an image cannot hold or say of itself, and hardware that there is not."""

from __future__ import annotations

from reproc.diagnostics.diagnostic import Code

RESERVED_PLACE = Code(
    "E0380",
    "reserved-place",
    "`{path}` is no place for {what}: {why}",
    label="asked for here",
    help=("choose a place of its own, such as `/opt/{name}`",),
)
OWN_DIRECTORY = Code(
    "E0381",
    "shared-directory",
    "`{keyword}` would reach what is not of `{kind} {name}`: `{path}` belongs to the base",
    label="lies in a directory of the base",
    help=("write `into /opt/{name}`, a directory of its own",),
)
RESERVED_LABEL = Code(
    "E0382",
    "reserved-label",
    "the label `{name}` is set by {owner}",
    label="cannot be set here",
    help=("{instead}",),
)
BAD_LABEL = Code(
    "E0383",
    "bad-label-value",
    "{what} holds a control character",
    label="no recipe can hold it",
    help=("write plain text",),
)
SYSTEM_USER = Code(
    "E0384",
    "system-user",
    "`{name}` is a user of the base",
    label="cannot be the image's own user",
    help=("{instead}",),
)
LOW_UID = Code(
    "E0385",
    "system-uid",
    "`uid {uid}` is a number of the system's own users",
    label="the user",
    help=("write a number from 1000 on: packages take those below as they are installed",),
)
BAD_HOME = Code(
    "E0386",
    "bad-home",
    "`{home}` cannot be the home of `{name}`: {why}",
    label="the user",
    help=("leave `home` out: it is then `/home/{name}`",),
)
UNKNOWN_OWNER = Code(
    "E0387",
    "unknown-owner",
    "there is no user `{name}`",
    label="owned by nobody",
    help=(
        "did you mean `{suggestion}`?",
        "declare it with `user {name}`, or write `root` or a number",
    ),
)
BAD_REWRITE = Code(
    "E0388",
    "useless-rewrite",
    "`rewrite` {problem}",
    label="changes nothing",
    help=('write `rewrite "what stands there" "what is to stand there"`',),
)
PROGRAM_OUTSIDE = Code(
    "E0389",
    "program-outside",
    "`{path}` does not lie in the place of `code {name}`, `{place}`",
    label="cannot be linked",
    help=("write it relative to that place, such as `bin/{program}`",),
)
PROGRAM_TWICE = Code(
    "E0390",
    "program-twice",
    "`{program}` would be on PATH twice",
    label="the second one",
    help=("leave one of them out; PATH finds a name once",),
)
UNKNOWN_LEVEL = Code(
    "E0391",
    "unknown-processor",
    "there is no processor level `{name}`",
    label="unknown",
    help=("did you mean `{suggestion}`?", "the general ones are: {known}"),
)
FOREIGN_LEVEL = Code(
    "E0392",
    "foreign-processor",
    "`{name}` is a level of {family} processors, and `{platform}` runs on {other}",
    label="of another family",
    help=("choose a level of {other}, such as {known}",),
)
UNKNOWN_FEATURE = Code(
    "E0393",
    "unknown-feature",
    "no {family} processor has a feature `{name}`",
    label="unknown",
    help=("did you mean `{suggestion}`?", "write the name that `/proc/cpuinfo` shows, such as `avx2`"),
)
CUDA_LATER = Code(
    "E0394",
    "cuda-not-supported-yet",
    "{what} is not supported yet on this base",
    label="this version cannot install CUDA",
    help=(
        "take an image that holds it: `{image}`",
        'take an image that holds it as the base: `base image "docker.io/nvidia/cuda:…"`',
    ),
)
UNKNOWN_CUDA = Code(
    "E0395",
    "unknown-cuda",
    "there is no CUDA {version}",
    label="unknown",
    help=("take {nearest}",),
)
CUDA_ARCH = Code(
    "E0396",
    "cuda-architecture",
    "CUDA {version} does not compile for `{arch}`",
    label="not one of its",
    help=("CUDA {others} can", "write one of {able}"),
)
CUDA_GCC = Code(
    "E0397",
    "cuda-gcc",
    "CUDA {version} does not work with GCC {gcc}",
    label="too new for it",
    help=("use GCC {newest} or older, or CUDA {others}", "use GCC {newest} or older"),
)
CUDA_DRIVER = Code(
    "E0398",
    "cuda-driver",
    "CUDA {version} does not run on every driver {driver}",
    label="asks for too little",
    help=("write `driver >={oldest}` or newer",),
)
