"""E02xx: statements, values and blocks that do not have the language's form."""

from __future__ import annotations

from reproc.diagnostics.diagnostic import Code

UNKNOWN_STATEMENT = Code(
    "E0201",
    "unknown-statement",
    "there is no statement `{keyword}` {place}",
    label="not a statement {place}",
    help=(
        "{advice}",
        "did you mean `{suggestion}`?",
        "`{keyword}` stands {elsewhere}",
        "{place} may stand: {known}",
    ),
)
NOT_SUPPORTED_YET = Code(
    "E0202",
    "not-supported-yet",
    "`{keyword}` {place} is not supported yet",
    label="this version cannot build it",
    help=("it belongs to the language, but reproc {version} does not build it",),
)
NOT_IN_THIS_VERSION = Code(
    "E0203",
    "reserved-statement",
    "`{keyword}` is not in this version of the language",
    label="kept for a later version",
)
MISSING_VALUE = Code(
    "E0204",
    "missing-value",
    "`{keyword}` needs {what}",
    label="{type} is missing behind this",
    help=("did you mean `{suggestion}`?", "for example: `{example}`"),
)
EXTRA_VALUE = Code(
    "E0205", "extra-value", "`{keyword}` takes no further value", label="one value too many", help=("{hint}",)
)
WRONG_VALUE = Code(
    "E0206",
    "wrong-value",
    "`{value}` {problem}",
    label="expected {type}",
    help=("did you mean `{suggestion}`?", "{advice}", "for example: `{example}`"),
)
NO_LIST_HERE = Code(
    "E0207",
    "no-list-here",
    "`{keyword}` does not take a list here",
    label="expected {type}",
    help=("write the value without `[` and `]`",),
)
NO_TEXT_HERE = Code(
    "E0208",
    "no-text-here",
    "`{keyword}` does not take a text of several lines",
    label="expected {type}",
    help=('write it on one line, between `"`',),
)
NO_BLOCK_HERE = Code(
    "E0209", "no-block-here", "`{keyword}` takes no block", label="this block has no meaning here"
)
DUPLICATE_STATEMENT = Code(
    "E0210",
    "duplicate-statement",
    "`{keyword}` stands twice {place}",
    label="the second one",
    help=("keep one of the two",),
)
DUPLICATE_NAME = Code(
    "E0211",
    "duplicate-name",
    "there are two `{keyword} {name}`",
    label="the second one",
    help=("give one of them another name",),
)
MISSING_STATEMENT = Code(
    "E0212",
    "missing-statement",
    "{place} needs a statement `{keyword}`",
    label="`{keyword}` is missing here",
    help=("for example: `{example}`",),
)
UNKNOWN_LET = Code(
    "E0213",
    "unknown-constant",
    "there is no `let {name}`",
    label="nothing has this name",
    help=("did you mean `{{{{{suggestion}}}}}`?", "write `let {name} …` above, or `\\{{{{` for plain braces"),
)
JOBS_ELSEWHERE = Code(
    "E0214",
    "jobs-outside-shell",
    "`{{{{jobs}}}}` is known only while building",
    label="it has no value here",
    help=("use it in `run` and `script`",),
)
NO_VERSION = Code(
    "E0215",
    "no-language-version",
    "a spec starts with the language's version",
    label="`reproc 1` is missing here",
    help=("write `reproc 1` as the first statement",),
)
UNKNOWN_VERSION = Code(
    "E0216",
    "unknown-language-version",
    "this reproc reads version 1 of the language, not `{number}`",
    label="unknown version",
    help=("write `reproc 1`, or get the reproc that the spec was written for",),
)
RESERVED_NAME = Code(
    "E0217",
    "reserved-name",
    "`{name}` is predefined",
    label="this name is taken",
    help=("choose another name; `{{{{{name}}}}}` is the number of build jobs",),
)
SECOND_VERSION = Code(
    "E0218",
    "second-language-version",
    "an included file does not say the language's version again",
    label="stands in the file that includes this one",
    help=("leave this line out",),
)
MISSING_BLOCK = Code(
    "E0219",
    "missing-block",
    "`{keyword}` needs a block",
    label="`{{ … }}` is missing behind this",
)
NAME_IN_USE = Code(
    "E0220",
    "name-in-use",
    "`{name}` is already the name of a `let` or of an `each` around this one",
    label="choose another name",
)
NOT_IN_EACH = Code(
    "E0221",
    "not-in-each",
    "`{keyword}` cannot stand in `each`",
    label="only at the top",
    help=("write it outside of `each`",),
)
TOO_MANY_STATEMENTS = Code(
    "E0222",
    "too-many-statements",
    "`each` makes more than {limit} statements of this spec",
    label="stopped here",
    help=("a spec of that size is a mistake, or a job for several specs",),
)
SAME_IN_EACH = Code(
    "E0226",
    "same-in-each",
    "`each` makes more than one `{keyword} {name}`",
    label="the same for every value",
    help=('put the value into its name, between `"`',),
)
LET_CYCLE = Code(
    "E0227",
    "constant-cycle",
    "constants need each other in a circle: {chain}",
    label="part of the circle",
    help=("write one of them out",),
)
TOO_MUCH_TEXT = Code(
    "E0228",
    "too-much-text",
    "constants make this spec longer than {limit} characters",
    label="stopped here",
    help=("a text of that size belongs into a file beside the spec",),
)
INCLUDE_CYCLE = Code(
    "E0223",
    "include-cycle",
    "files include each other in a circle: {chain}",
    label="the circle closes here",
    help=("take one `include` of the circle out",),
)
INCLUDED_TWICE = Code(
    "E0224",
    "included-twice",
    "`{path}` is included a second time",
    label="its statements are there already",
    help=("leave this line out",),
)
INCLUDED_TOO_DEEP = Code(
    "E0229",
    "included-too-deep",
    "files include each other more than {limit} deep",
    label="stopped here",
    help=("include what is shared from the spec itself",),
)
