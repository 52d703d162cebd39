"""E03xx: statements that are well formed and yet cannot be meant."""

from __future__ import annotations

from reproc.diagnostics.diagnostic import Code

NO_BASE = Code(
    "E0301",
    "no-base",
    "target `{target}` has no base",
    label="nothing to stand on",
    help=("write for example `base debian bookworm`",),
)
NO_TARGET = Code(
    "E0302",
    "no-target",
    "every target is abstract",
    label="nothing can be built from this",
    help=("leave out `abstract` in one of them",),
)
UNKNOWN_TARGET = Code(
    "E0303",
    "unknown-target",
    "there is no target `{name}`",
    label="not a target of this spec",
    help=("did you mean `{suggestion}`?", "there is: {known}"),
)
EXTENDS_CYCLE = Code(
    "E0304",
    "extends-cycle",
    "targets extend each other in a circle: {chain}",
    label="the circle closes here",
    help=("put what they share into an `abstract` target, and let each extend that one",),
)
UNKNOWN_RELEASE = Code(
    "E0305",
    "unknown-release",
    "`{distribution}` has no release `{name}` that this version knows",
    label="unknown release",
    help=("did you mean `{suggestion}`?", "known: {known}"),
)
FROM_WITHOUT_RELEASE = Code(
    "E0306",
    "bootstrap-of-image",
    "`from bootstrap` makes a distribution's root file system, not an image's",
    label="cannot be bootstrapped",
    help=("write `base debian bookworm {{ from bootstrap }}`",),
)
BOOTSTRAP_UBUNTU = Code(
    "E0307",
    "bootstrap-not-supported",
    "`from bootstrap` of `{distribution}` is not supported yet",
    label="only Debian for now",
    help=("leave out `from bootstrap`: the base is then the official image, pinned by its digest",),
)
IS_UNKNOWN = Code(
    "E0308",
    "unknown-content",
    "reproc cannot know which distribution the image holds",
    label="packages are asked for in target `{target}`",
    help=('say it: `base image "{image}" {{ is DISTRIBUTION RELEASE }}`, such as `is ubuntu 22.04`',),
)
IS_NEEDLESS = Code(
    "E0309",
    "needless-is",
    "a distribution's base needs no `is`",
    label="only an image's content has to be told",
    help=("leave it out",),
)
NO_SOURCE = Code(
    "E0310",
    "no-source",
    "`{kind} {name}` has no source",
    label="where does it come from?",
    help=("add {choices}",),
)
TWO_SOURCES = Code(
    "E0311",
    "two-sources",
    "`{kind} {name}` has more than one source",
    label="the second one",
    help=("keep one",),
)
NO_REVISION = Code(
    "E0312",
    "no-revision",
    "`code {name}` does not say which revision",
    label="which commit?",
    help=("add `commit`, or `tag` or `branch`: the lock then pins the commit",),
)
TWO_REVISIONS = Code(
    "E0313",
    "two-revisions",
    "`code {name}` names more than one revision",
    label="the second one",
    help=("keep one",),
)
WITHOUT_GIT = Code(
    "E0314",
    "revision-without-git",
    "`{keyword}` has a meaning only beside `git`",
    label="there is no `git` here",
    help=("leave it out, or name the repository with `git`",),
)
EXCLUDE_WITHOUT_LOCAL = Code(
    "E0315",
    "exclude-without-local",
    "`exclude` has a meaning only beside `local`",
    label="there is no `local` here",
    help=("leave it out",),
)
ONLY_BESIDE = Code(
    "E0325",
    "only-beside",
    "`{keyword}` has a meaning only beside `{other}`",
    label="there is no `{other}` here",
    help=("leave it out",),
)
BAD_ADDRESS = Code(
    "E0326",
    "unsupported-address",
    "nothing is fetched from an address that begins with `{scheme}:`",
    label="not `https://`",
    help=("{advice}",),
)
SAME_PLACE = Code(
    "E0316",
    "same-place",
    "`{first}` and `{second}` both lie at `{path}`",
    label="the same place",
    help=("give one of them another `into`",),
)
NO_SUCH_FILE = Code(
    "E0317",
    "no-such-file",
    "there is no `{path}` beside the spec",
    label="not found",
    help=("did you mean `{suggestion}`?", "write its path from the folder of the spec"),
)
UNREADABLE_FILE = Code("E0318", "unreadable-file", "`{path}` {problem}", label="cannot be used")
NOTHING_TO_DROP = Code(
    "E0319",
    "nothing-to-drop",
    "there is no {kind} `{name}` to drop",
    label="not inherited from the top or from what the target extends",
    help=("did you mean `{suggestion}`?", "there is: {known}"),
)
UNKNOWN_TOOLCHAIN = Code(
    "E0320",
    "unknown-toolchain",
    "`{name}` is not a tool chain that this version can provide",
    label="unknown tool chain",
    help=("did you mean `{suggestion}`?", "known: {known}"),
)
UNKNOWN_TOOLCHAIN_VERSION = Code(
    "E0321",
    "unknown-toolchain-version",
    "nothing provides `{name} {version}` for {release}",
    label="not known for this base",
    help=(
        "`{compiled}` compiles it, which takes hours",
        "{codename} packages it, for a `{other}`; the nearest here is `{nearest}`; there is: {known}",
        "the nearest is `{nearest}`; there is: {known}",
        "name a binary archive of it: `archive`, `sha256`, `bin`",
    ),
)
TOOLCHAIN_TOO_NEW = Code(
    "E0327",
    "toolchain-too-new",
    "{what} needs glibc {needed}, and {base} has {libc}",
    label="its programs would not start here",
    help=("write `{nearest}`, or choose {newer} as base", "choose {newer} as base"),
)
PROVIDER_LACKS = Code(
    "E0357",
    "provider-lacks-version",
    "`provider {provider}` has no `{name} {version}` for {release}",
    label="nothing of this version there",
    help=("the nearest that it has is `{nearest}`", "there is {others}", "leave `provider` out"),
)
NO_RECIPE = Code(
    "E0363",
    "no-build-recipe",
    "nobody has said how `{name}` is compiled",
    label="its source would be fetched for nothing",
    help=("reproc compiles {known}; of others take a binary archive, or compile the code in a `build`",),
)
TOOLCHAIN_PLATFORM = Code(
    "E0365",
    "toolchain-platform",
    "`{name} {version}` is of {release}, which was not made for {platform}",
    label="no packages for this platform",
    help=("the nearest that has some is `{nearest}`", "choose `platform linux/amd64`"),
)
PROVIDER_DISAGREES = Code(
    "E0329",
    "two-providers",
    "`provider {provider}` and `archive` are two ways to get one tool chain",
    label="not with an archive",
    help=("keep one of them",),
)
TOOLCHAIN_BIN = Code(
    "E0337",
    "archive-without-bin",
    "`toolchain {name} {version}` does not say where the archive's programs lie",
    label="no `bin`",
    help=("write `bin` and the folder in the archive that holds them, such as `bin usr/bin`",),
)
TOOLCHAIN_NO_ARCHIVE = Code(
    "E0338",
    "provider-without-archive",
    "`provider archive` names no archive",
    label="which one?",
    help=('add `archive "ADDRESS"`, `sha256` and `bin`',),
)
MARCH_UNKNOWN = Code(
    "E0339",
    "march-unknown-to-compiler",
    "{compiler} does not know `-march={name}`",
    label="known since GCC {since}",
    help=("write `{flags}`, which means the same to it", "use GCC {since} or newer"),
)
TWO_DEFAULTS = Code(
    "E0322",
    "two-defaults",
    "two tool chains are the default for {language}",
    label="the second one",
    help=("keep one `default`",),
)
NOT_DECLARED = Code(
    "E0323",
    "undeclared-toolchain",
    "there is no `toolchain {name} {version}`",
    label="used here but not declared",
    help=("did you mean `{suggestion}`?", "add `toolchain {name} {version}` at the top"),
)
SAME_TOOL_TWICE = Code(
    "E0324",
    "two-versions-in-one-build",
    "a build works with one version of `{name}`",
    label="the second one",
    help=("keep one, and give what needs the other a build of its own",),
)
PYTHON_VERSION_MISSING = Code(
    "E0330",
    "no-python-version",
    "`python` names no version",
    label="which Python?",
    help=("write `python {version}`",),
)
PYTHON_NOT_IN_RELEASE = Code(
    "E0331",
    "python-not-in-release",
    "{release} packages Python {known}, not {version}",
    label="not in this release",
    help=(
        "say `{held}` if that is what the base image holds, or `provider archive` for an archive of {archive}",
        "say `{held}` if that is what the base image holds, or write `python {known}`",
        "leave `provider` out for an archive of {archive}, or choose {others}, whose release packages {version}",
        "leave `provider` out for an archive of {archive}",
        "choose {others}, whose release packages {version}",
        "archives for {platform} are known of {archives}; or take `{image}` and `provider image`",
        "write `python {known}`; archives for {platform} are known of {archives}",
        "write `python {known}`",
    ),
)
BAD_REQUIREMENT = Code(
    "E0332",
    "bad-requirement",
    "`{text}` is not a Python requirement: {problem}",
    label="cannot be read",
    help=("did you mean `{suggestion}`?", "{advice}", "write it as in PEP 508: `numpy==1.26.4`"),
)
DIRECT_REQUIREMENT = Code(
    "E0333",
    "direct-requirement",
    "`{text}` is fetched from an address, not from the index",
    label="nothing pins what is there",
    help=("declare it as `code NAME {{ git …; commit … }}`, and write `install NAME` here",),
)
UNKNOWN_CODE = Code(
    "E0334",
    "unknown-code",
    "there is no code `{name}` that could be installed",
    label="unknown",
    help=("did you mean `{suggestion}`?", "there is: {known}", "declare it: `code {name} {{ … }}`"),
)
PYTHON_PROVIDER = Code(
    "E0335",
    "python-provider",
    "Python {version} cannot come from `provider {provider}`: {problem}",
    label="not from there",
    help=(
        "archives are known of {archives}",
        "write `{image}` and `provider image`",
        "{advice}",
        "leave `provider` out, or choose a base whose release packages this Python",
    ),
)
PYTHON2_STATEMENT = Code(
    "E0368",
    "not-for-python-2",
    "`{keyword}` is not there for Python 2",
    label="needs what no longer exists",
    help=("name every package with its version, as `pip freeze` prints them: `packages` or `requirements`",),
)
BINARY_WORDS = Code(
    "E0336",
    "binary-words",
    "`binary {words}` is neither `yes`, nor `no`, nor `no` and the names of packages",
    label="cannot be understood",
    help=("write `binary no mpi4py` to build `mpi4py` from source, and take wheels of everything else",),
)
UNKNOWN_INPUT = Code(
    "E0340",
    "unknown-input",
    "there is no code or data `{name}`",
    label="unknown",
    help=("did you mean `{suggestion}`?", "there is: {known}"),
)
UNKNOWN_BUILD = Code(
    "E0341",
    "unknown-build",
    "there is no build `{name}`",
    label="unknown",
    help=("did you mean `{suggestion}`?", "there is: {known}"),
)
BUILD_CYCLE = Code(
    "E0342",
    "build-cycle",
    "builds wait for each other in a circle: {chain}",
    label="the circle closes here",
    help=("take one `after` of the circle out",),
)
AFTER_KEEPS_NOTHING = Code(
    "E0343",
    "after-keeps-nothing",
    "`build {name}` keeps nothing that could be there after it",
    label="has no `keep`",
    help=("add `keep /path` to `build {name}`",),
)
NO_COMMANDS = Code(
    "E0344",
    "empty-build",
    "`build {name}` runs nothing",
    label="no `run`, no `script`",
    help=('add a command, such as `run "make"`',),
)
NO_PLACE = Code(
    "E0345",
    "no-place",
    "`build {name}` does not say where it runs",
    label="no code has this name",
    help=("add `in /opt/src/…`",),
)
KEEP_TOO_MUCH = Code(
    "E0346",
    "keep-too-much",
    "`{path}` cannot be kept: it belongs to the base",
    label="kept here",
    help=("keep a directory of its own, such as `/opt/{name}`",),
)
TAKEN_APP_NAME = Code(
    "E0350",
    "taken-app-name",
    "an app must not be called `{name}`",
    label="the name of what runs it",
    help=("choose another name",),
)
UNKNOWN_APP = Code(
    "E0351",
    "unknown-app",
    "there is no app `{name}`",
    label="unknown",
    help=("did you mean `{suggestion}`?", "there is: {known}"),
)
NO_TEST_COMMAND = Code(
    "E0352",
    "empty-test",
    "the {what} runs nothing",
    label="no `run`, no `script`, no `app`",
    help=('add a command, such as `run "python --version"`',),
)
TWO_TEST_COMMANDS = Code(
    "E0353",
    "two-test-commands",
    "the {what} runs more than one thing",
    label="the second one",
    help=("keep one of `run`, `script`, `app`",),
)
BAD_EXPECTATION = Code(
    "E0354",
    "bad-expectation",
    "`expect {text}` {problem}",
    label="cannot be checked",
    help=('write `expect exit 0`, `expect stdout contains "…"` or `expect file PATH exists`',),
)
ON_WITHOUT_KEEP = Code(
    "E0347",
    "on-without-keep",
    "`build {name}` stands on another base, and nothing of it reaches the image",
    label="has no `keep`",
    help=("add `keep` and the paths that the image needs",),
)
MOUNTED_INPUT = Code(
    "E0348",
    "mounted-input",
    "a build cannot see `data {name}`: it is mounted when the image runs",
    label="not there yet",
    help=("leave `at run` out, or give the build data of its own",),
)
HIDDEN_BY_MOUNT = Code(
    "E0349",
    "hidden-by-mount",
    "nobody would see `{what}` at `{path}`: `data {data}` is mounted over it",
    label="put here",
    help=("put one of the two somewhere else with `into`",),
)
OWNER_AT_RUN = Code(
    "E0355",
    "owner-of-mounted-data",
    "`data {name}` cannot have an `owner`: what is mounted keeps the one that it has outside",
    label="is mounted",
    help=("leave `owner` out, and open it for all with `mode 0644` where that is needed",),
)
NEEDS_DATA_NAME = Code(
    "E0356",
    "needs-data",
    "`needs data` does not say which data",
    label="which?",
    help=("write `needs data` and the name of a `data` statement",),
)
OUTPUT_UNJUDGED = Code(
    "E0358",
    "output-unjudged",
    "nothing says what `{path}` must come out as",
    label="no `sha256`, no `like`, no `contains`",
    help=('write for example `output {path} {{ like "expected/{path}" within 1e-3 }}`',),
)
NO_TOLERANCE = Code(
    "E0359",
    "no-tolerance",
    "`within` is followed by no tolerance",
    label="how far apart may the numbers be?",
    help=("write for example `within 1e-3`, or `within 1e-3 relative`",),
)
SELF_REFERENCE = Code(
    "E0360",
    "expanding-value",
    "`${reference}` in `{name}` is not expanded",
    label="would stay as it is written",
    help=(
        "write `prepend {name} {rest}` or `append {name} {rest}`",
        "spell the value out: nothing but `{{{{name}}}}` is replaced",
    ),
)
FLAGS_UNKNOWN = Code(
    "E0361",
    "unknown-flags",
    "no flags{compilers} are known that say `{level}`",
    label="asked for here",
    help=(
        "use GCC {since} or newer",
        'take `cpu` out of `flags`, and set them yourself: `env {{ CFLAGS "…" }}`',
    ),
)
FLAGS_WITHOUT_GPU = Code(
    "E0362",
    "flags-without-gpu",
    "`cuda {version}` names no GPU that programs could be made for",
    label="asked for here",
    help=("name them: `cuda {version} {{ arch sm_70..sm_90 }}`",),
)
SECRET = Code(
    "E0370",
    "secret",
    "this looks like {kind}",
    label="whoever has the spec or an image has it too",
    help=(
        "take it out, revoke it where it was issued, and hand the new one over when it is needed; "
        "if it is none, write `# reproc: allow E0370 REASON` on the line above",
    ),
)
