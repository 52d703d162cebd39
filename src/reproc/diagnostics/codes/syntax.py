"""E01xx: bytes that are no text, and text that is no tree of statements."""

from __future__ import annotations

from reproc.diagnostics.diagnostic import Code

# ------------------------------------------------------------------------------------ the file's bytes

NOT_UTF8 = Code(
    "E0101",
    "not-utf-8",
    "the file is not UTF-8: the byte {byte} does not belong here",
    label="not UTF-8 from here on",
    help=("it looks like {encoding}; save it as UTF-8", "save the file as UTF-8"),
)
CONTROL_CHARACTER = Code(
    "E0102",
    "control-character",
    "the control character {character} does not belong in a spec",
    label="cannot be seen here",
    help=("remove it; inside a string write `{escape}` if it is meant", "remove it"),
)
BIDI_CHARACTER = Code(
    "E0103",
    "bidirectional-override",
    "{character} changes the order in which the line is shown",
    label="what is read here is not what stands here",
    help=("remove it; inside a string write `{escape}` if it is meant",),
)
TOO_LARGE = Code(
    "E0104",
    "file-too-large",
    "the file is larger than the {limit} bytes that a spec may have",
    help=("split it with `include`, or keep data in files of its own",),
)
TOO_LONG = Code(
    "E0105",
    "file-too-long",
    "the file has more than {limit} words and signs",
    label="not read from here on",
    help=("split it with `include`, or keep lists of that length in files of their own",),
)

# ------------------------------------------------------------------------------------------- structure

UNCLOSED_BLOCK = Code(
    "E0110",
    "unclosed-block",
    "the block is never closed",
    label="opened here",
    help=("write the missing `}}`",),
)
UNCLOSED_LIST = Code(
    "E0111", "unclosed-list", "the list is never closed", label="opened here", help=("write the missing `]`",)
)
UNCLOSED_STRING = Code(
    "E0112",
    "unclosed-string",
    "the string is not closed on its line",
    label="opened here",
    help=('write the missing `"`; a `\\` before a `"` makes it part of the string',),
)
UNCLOSED_TEXT = Code(
    "E0113",
    "unclosed-text",
    "the text is never closed",
    label="opened here",
    help=('write the missing `"""`',),
)
STRAY_BRACE = Code(
    "E0114",
    "stray-brace",
    "`}}` closes nothing",
    label="no block is open here",
    help=("remove it, or write the `{{` that it belongs to",),
)
STRAY_BRACKET = Code(
    "E0115",
    "stray-bracket",
    "`]` closes nothing",
    label="no list is open here",
    help=("remove it, put quotes round a value that holds it, or write the `[` that it belongs to",),
)
TOO_DEEP = Code(
    "E0116",
    "nested-too-deep",
    "blocks and lists nest more than {limit} deep",
    label="one too many opens here",
)
NO_KEYWORD = Code(
    "E0117",
    "no-keyword",
    "a statement begins with a keyword, not with {found}",
    label="a keyword is missing in front of this",
    help=("a statement does not go on in the next line; values over several lines stand in `[` … `]`",),
)
BRACE_ON_NEXT_LINE = Code(
    "E0118",
    "brace-on-next-line",
    "the `{{` of a block belongs on the line of its statement",
    label="belongs at the end of the line above",
    help=("write `{line} {{`", "move it to the end of the line above"),
)
BEHIND_BLOCK = Code(
    "E0119",
    "no-end-of-statement",
    "something stands behind the `}}` of a block",
    label="the block before this ended the statement",
    help=("put it on a line of its own, or write `;` in front of it",),
)
SEMICOLON_IN_LIST = Code(
    "E0120",
    "semicolon-in-list",
    "a `;` cannot stand in a list",
    label="only blanks and new lines separate values",
    help=("leave it out, or put quotes round a value that holds it",),
)
TOO_MANY = Code(
    "E0121",
    "too-many-errors",
    "more than {limit} errors; the rest of the file is not looked at",
    label="stopped here",
)

# ---------------------------------------------------------------------------- inside strings and texts

UNKNOWN_ESCAPE = Code(
    "E0130",
    "unknown-escape",
    "there is no escape `{escape}`",
    label="not an escape",
    help=(
        'write `{double}` for a backslash; known are `\\"` `\\\\` `\\n` `\\t` `\\u{{1F600}}` and `\\{{{{`',
    ),
)
NO_CHARACTER = Code(
    "E0131",
    "no-such-character",
    "`{escape}` is not a character",
    label="{reason}",
    help=("write the number of a Unicode character in hexadecimal, such as `\\u{{e9}}`",),
)
BAD_HOLE = Code(
    "E0132",
    "malformed-constant",
    "`{{{{` begins a constant, but `{found}` names none",
    label="a name and `}}}}` are expected behind the braces",
    help=("write `{{{{{name}}}}}`, without blanks", "write `\\{{{{` for two plain braces"),
)
TEXT_FIRST_LINE = Code(
    "E0133",
    "text-on-first-line",
    'a text begins on the line below its `"""`',
    label="put this on the next line",
    help=('or write one line as a string, between single `"`',),
)

# -------------------------------------------------------------------------------------- frequent slips

LINE_CONTINUATION = Code(
    "E0140",
    "line-continuation",
    "a `\\` does not continue the line",
    label="there is no line continuation",
    help=("put values over several lines into `[` … `]`; a long command goes into a `script` text",),
)
UNQUOTED_HOLE = Code(
    "E0141",
    "unquoted-constant",
    "a constant is put in only inside quotes",
    label="a word takes none",
    help=('write `"{text}"`',),
)
UNQUOTED_MARKER = Code(
    "E0142",
    "unquoted-marker",
    "the `;` before `{marker}` ends the statement",
    label="stands as a statement of its own",
    help=("write `{quoted}`", "put quotes round the whole requirement"),
)
COMMA = Code(
    "E0143",
    "comma-between-values",
    "values are separated by blanks, not by commas",
    label="remove this comma",
    help=("leave it out; only a value that ends in a comma needs quotes",),
)
ASSIGNMENT = Code(
    "E0144",
    "assignment-sign",
    "there is no `{sign}` between `{keyword}` and its value",
    label="remove this",
    help=("write `{statement}`",),
)
GLUED = Code(
    "E0145",
    "no-blank-between-values",
    "a blank is missing between two values",
    label="a new value begins here",
    help=(
        "write `{quoted}` for one value, or put a blank between two",
        "put a blank between them, or quotes round the whole",
    ),
)
BRACKET_IN_WORD = Code(
    "E0146",
    "bracket-in-word",
    "the `[` inside a word is not closed in it",
    label="begins a list here",
    help=("put quotes round the whole value, or a blank before `[` to begin a list",),
)
OTHER_QUOTES = Code(
    "E0147",
    "other-quotes",
    'only `"` quotes a value',
    label="`{quote}` is a plain character",
    help=("write `{quoted}`",),
)
ODD_BLANK = Code(
    "E0148",
    "odd-blank",
    "{character} looks like a blank and is none",
    label="not an ordinary blank",
    help=("write an ordinary blank, or put quotes round the value",),
)
