"""Hypothesis strategies for texts: any at all, nearly right ones, and right ones."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_CRUMBS = [
    *"{}[];\"'#\\ \t\n\r,=:a\u00e9\u6f22\U0001f600\u00a0\u200b\u201c\u201d\x00\x1b\u202e\ufeff",
    '"""',
    "{{a}}",
    "{{ a }}",
    "{{",
    "}}",
    "\\{{",
    "\\u{1F600}",
    "\\u{",
    "\\\n",
    " {",
    "\n}",
    "a[b]",
    "a[b",
    ' """\n',
    '\n"""',
    "x=",
    "x:",
    "; python_version < ",
    "\n\n",
    "reproc 1\n",
    "run ",
]

any_text = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(_CRUMBS), max_size=40).map("".join))
"""Anything, with a liking for what means something to the grammar."""

_plain = st.text(
    st.characters(
        exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"],
        exclude_characters="\"'{}[];#,=:\\\u200b\u2060\ufeff\u201c\u201d\u201e\u201f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    ),
    min_size=1,
    max_size=8,
)
words = st.one_of(
    _plain,
    st.tuples(_plain, _plain).map(lambda pair: f"{pair[0]}[{pair[1]}]"),
    st.tuples(_plain, _plain).map(lambda pair: f"{pair[0]}#{pair[1]}"),
    st.sampled_from(
        ["numpy==1.21.6", "https://x/y#z", "a[b[c]]", "sm_70..sm_90", ">=450", "4.9", "x,y", "\\x"]
    ),
)
_pieces = st.one_of(
    st.text(
        st.characters(
            exclude_categories=["Cc", "Cs"],
            exclude_characters='"\\{}\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069',
        ),
        max_size=8,
    ),
    st.sampled_from(["{{a}}", "{{x.y-1}}", "\\{{", "{", "}", "}}", "#", ";", " "]),
)
_escapes = st.sampled_from(['\\"', "\\\\", "\\n", "\\t", "\\u{1F600}", "\\u{202e}", "\\u{1b}"])


def _no_open_hole(text: str) -> bool:
    """Whether every `{{` in it is a constant or escaped, as two pieces may make one together."""
    import re

    return "{{" not in re.sub(r"\\\\|\\\{\{|\{\{[A-Za-z0-9][A-Za-z0-9._-]*\}\}", "~", text)


strings = (
    st.lists(st.one_of(_pieces, _escapes), max_size=5)
    .map("".join)
    .filter(_no_open_hole)
    .map(lambda inside: f'"{inside}"')
)
_text_lines = st.tuples(
    st.sampled_from(["", "  ", "    ", "\t"]), st.lists(_pieces, max_size=4).map("".join)
).map("".join)
texts = (
    st.lists(_text_lines, max_size=4)
    .map("\n".join)
    .filter(_no_open_hole)
    .map(lambda inside: f'"""\n{inside}\n    """')
)
_gaps = st.sampled_from([" ", "  ", "\t"])
_breaks = st.sampled_from([" ", "\n", "\n\n  ", " # c\n", "\n# own\n", "\n\n# apart\n\n# again\n"])


def _list_of(values: SearchStrategy[str]) -> SearchStrategy[str]:
    rows = st.lists(st.tuples(_breaks, values), max_size=4).map(
        lambda rows: "".join(gap + value for gap, value in rows)
    )
    return st.tuples(rows, _breaks).map(lambda pair: f"[{pair[0]}{pair[1]}]")


values = st.recursive(st.one_of(words, strings, texts), _list_of, max_leaves=6)
_ends = st.sampled_from(
    ["\n", "\n\n", "\n\n\n", " ; ", ";", " # behind\n", "\n# above\n", "\n\n# a\n\n# b\n", ";\n"]
)


def _statements(block: SearchStrategy[str]) -> SearchStrategy[str]:
    one = st.builds(
        lambda keyword, rest, block: keyword + "".join(gap + value for gap, value in rest) + block,
        words,
        st.lists(st.tuples(_gaps, values), max_size=3),
        st.one_of(st.just(""), block),
    )
    return st.lists(st.tuples(one, _ends), max_size=4).map(
        lambda rows: "".join(text + end for text, end in rows)
    )


_heads = st.sampled_from([" ", "\n", " # heading\n", "\n\n", "\n# first\n", ""])
blocks = st.recursive(
    st.just(" {}"),
    lambda inner: st.tuples(_heads, _statements(inner)).map(lambda pair: f" {{{pair[0]}{pair[1]}}}"),
    max_leaves=4,
)
right_texts = st.tuples(st.sampled_from(["", "# head\n", "\n\n"]), _statements(blocks)).map("".join)
"""Texts without a mistake."""
