"""What looks like a key or a token in a text, and texts without it.

The forms are those that the issuers publish and that gitleaks' and detect-secrets' rules describe. A place is
looked at only where a marker stands that few other texts hold, and every pattern is bounded, so that the time is
linear in the text whatever it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from math import log2
from typing import TYPE_CHECKING

from reproc.record import record, replace
from reproc.source import SourceFile

if TYPE_CHECKING:
    import re

    from reproc.diagnostics.diagnostic import Diagnostic

MASK = "•"
_QUOTED = 6
"""Shorter secrets are masked only where they stand: they may be words of their own elsewhere."""
_MOST_QUOTED = 200
"""So many different ones are looked for elsewhere; a spec that holds more has other worries."""


@record
class Secret:
    """What looks like a secret: a half-open range of a text, and what it seems to be."""

    kind: str
    """In words, with an article."""
    start: int
    end: int


_FORMS: tuple[tuple[str, str, str], ...] = (
    # GitHub, "behind GitHub's new authentication token formats"
    ("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{36,255}"),
    ("a GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{36,255}"),
    (
        "a GitLab token",
        "glpat- glptt- gldt- glrt- glcbt- glsoat- glimt- glft- glagent- gloas-",
        r"gl(?:pat|ptt|dt|rt|cbt|soat|imt|ft|agent|oas)-[A-Za-z0-9_-]{20,300}(?:\.[A-Za-z0-9.]{2,40})?",
    ),
    ("an AWS access key", "AKIA ASIA ABIA ACCA", r"A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}"),
    ("a Slack token", "xox", r"xox[abeoprs][-.][A-Za-z0-9.-]{20,300}"),
    ("a Slack token", "xapp-", r"xapp-[0-9]-[A-Za-z0-9]{8,20}-[0-9]{8,20}-[a-z0-9]{32,128}"),
    ("a Slack webhook", "hooks.slack.com/", r"hooks\.slack\.com/[a-z]{6,12}/[A-Za-z0-9+/]{40,80}"),
    ("a Google API key", "AIza", r"AIza[A-Za-z0-9_-]{35}"),
    ("a Google client secret", "GOCSPX-", r"GOCSPX-[A-Za-z0-9_-]{28}"),
    ("an Anthropic API key", "sk-ant-", r"sk-ant-[a-z]{3,10}[0-9]{2}-[A-Za-z0-9_-]{40,200}"),
    # `T3BlbkFJ` is "OpenAI" in Base64
    ("an OpenAI API key", "sk-", r"sk-[A-Za-z0-9_-]{16,120}?T3BlbkFJ[A-Za-z0-9_-]{16,120}"),
    ("an API key", "sk-", r"sk-(?:or-v1-[0-9a-f]{64}|[0-9a-f]{32})"),
    ("a Hugging Face token", "hf_", r"hf_[A-Za-z0-9]{34,40}"),
    ("a Hugging Face token", "api_org_", r"api_org_[A-Za-z0-9]{34,40}"),
    ("a Replicate token", "r8_", r"r8_[A-Za-z0-9]{37}"),
    ("a Groq API key", "gsk_", r"gsk_[A-Za-z0-9]{52}"),
    ("a Perplexity API key", "pplx-", r"pplx-[A-Za-z0-9]{48}"),
    ("a PyPI token", "pypi-AgE", r"pypi-AgE[A-Za-z0-9_-]{50,1000}"),
    ("an npm token", "npm_", r"npm_[A-Za-z0-9]{36}"),
    ("a RubyGems key", "rubygems_", r"rubygems_[0-9a-f]{48}"),
    ("a Docker Hub token", "dckr_", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,64}"),
    ("a Stripe key", "k_live_ k_test_ k_prod_", r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{16,128}"),
    ("a SendGrid key", "SG.", r"SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{39,50}"),
    ("a DigitalOcean token", "_v1_", r"do[opr]_v1_[0-9a-f]{64}"),
    ("a Databricks token", "dapi", r"dapi[0-9a-f]{32}(?:-[0-9])?"),
    ("a Vault token", "hvs.", r"hvs\.[A-Za-z0-9_-]{24,200}"),
    ("an Atlassian token", "ATATT3", r"ATATT3[A-Za-z0-9_=-]{150,250}"),
    ("an age key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    ("an Azure storage key", "AccountKey=", r"AccountKey=[A-Za-z0-9+/]{86}=="),
    (
        "an Anaconda token",
        "/t/",
        r"/t/[a-z]{2}-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    ),
    # RFC 7519: two JSON objects (`eyJ` is `{"` in Base64) and a signature
    (
        "a JSON Web Token",
        "eyJ",
        r"eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{20,2000}",
    ),
)
"""Kind, markers, and the form at the place where a marker begins (a letter before it for `k_live_`, two for `_v1_`)."""

_LEAD = {"k_live_": 1, "k_test_": 1, "k_prod_": 1, "_v1_": 3}
"""How many characters of a form stand before its marker."""

_KEY_BEGINS = "-----BEGIN "
_PRIVATE_KEY = (
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:\\n|\s){0,200}"
    r"(?:[A-Za-z-]{1,40}: [^\n]{0,200}\n\s{0,200}){0,4}[A-Za-z0-9+/=]{40}"
)
_IN_ADDRESS = r"://([^\s/\"'<>@:]{1,100}):([^\s/\"'<>@]{3,300})@([A-Za-z0-9.-]{1,255})"
_NO_HOSTS = ("localhost", "127.0.0.1", "0.0.0.0", "db", "sha256", "sha512")
"""What stands behind the `@` of an address where no secret is told: services of the same machine, digests."""
_BEARER = r"(?:[Bb]earer|Authorization: *[Tt]oken|PRIVATE-TOKEN:) +([A-Za-z0-9._~+/=-]{20,2000})"
_NAMED = (
    r"(?ai:passw(?:or)?d|passphrase|secret|token|(?:api|access|private|secret|auth|encryption)_?key|credentials?)"
    r"(?P<sign>[\"']?[ \t]*[=:][ \t]*|[ \t]+)[\"']?(?P<value>[^\s\"']{12,300})"
)
_NAMES = ("pass", "secret", "token", "key", "credential")
_PLACEHOLDER = (
    r"(?i)example|changeme|change_me|placeholder|dummy|your|xxxx|\*\*\*|fake|redacted|sample|insert|12345678|"
    r"abcdefgh|password|token|secret"
)
_WORDS = r"[A-Za-z]*[0-9]{0,4}(?:[-_.:/@+=][A-Za-z]*[0-9]{0,4})*"
_STATEMENT_HEAD = (
    r"(?:^|[\n{;])[ \t]*(?:let[ \t]+|at[ \t]+(?:build|run)[ \t]+|(?:pre|ap)pend[ \t]+)*"
    r"[A-Za-z_][A-Za-z0-9_]*\Z"
)
_OPTION = r"(?:^|[\s\"'])--?[A-Za-z][A-Za-z0-9_-]*\Z"


@cache
def _pattern(form: str) -> re.Pattern[str]:
    import re

    return re.compile(form)


def find(text: str) -> tuple[Secret, ...]:
    """Everything in `text` that looks like a secret, in order, without overlaps."""
    found = sorted(
        (*_known_forms(text), *_private_keys(text), *_in_addresses(text), *_named(text)), key=_order
    )
    kept: list[Secret] = []
    for each in found:
        if not kept or each.start >= kept[-1].end:
            kept.append(each)
    return tuple(kept)


def _order(secret: Secret) -> tuple[int, int]:
    return secret.start, -secret.end


def without_secrets(text: str) -> str:
    """The text with every character of a secret masked; its length and its lines stay as they are."""
    parts: list[str] = []
    at = 0
    for each in find(text):
        parts += (text[at : each.start], _masked(text[each.start : each.end]))
        at = each.end
    return "".join((*parts, text[at:])) if parts else text


def hushed(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The diagnostics, with no secret left in what they say or in the lines that they show."""
    told = tuple(diagnostics)
    spans = [span for each in told for span in (each.span, *(label.span for label in each.labels)) if span]
    found = {source: find(source.text) for source in dict.fromkeys(span.source for span in spans)}
    # what has no form of its own is known by its place alone, and may be quoted elsewhere
    values = {
        source.text[each.start : each.end]: None
        for source, secrets in found.items()
        for each in secrets
        if each.end - each.start >= _QUOTED
    }
    quoted = tuple(values)[:_MOST_QUOTED]

    def quiet(text: str) -> str:
        for value in quoted:
            text = text.replace(value, _masked(value))
        return without_secrets(text)

    sources = {
        source: SourceFile(source.path, quiet(source.text)) for source, secrets in found.items() if secrets
    }

    def hushed_one(each: Diagnostic) -> Diagnostic:
        span = each.span
        labels = tuple(
            replace(
                label,
                span=replace(label.span, source=sources.get(label.span.source, label.span.source)),
                text=quiet(label.text),
            )
            for label in each.labels
        )
        return replace(
            each,
            span=span and replace(span, source=sources.get(span.source, span.source)),
            facts={name: quiet(fact) for name, fact in each.facts.items()},
            labels=labels,
            output=quiet(each.output),
        )

    return tuple(hushed_one(each) for each in told)


def _masked(text: str) -> str:
    return "\n".join(MASK * len(line) for line in text.split("\n"))


def _places(text: str, marker: str) -> Iterator[int]:
    at = text.find(marker)
    while at >= 0:
        yield at
        at = text.find(marker, at + len(marker))


def _known_forms(text: str) -> Iterator[Secret]:
    for kind, markers, form in _FORMS:
        for marker in markers.split(" "):
            for place in _places(text, marker):
                start = place - _LEAD.get(marker, 0)
                if start < 0 or (text[start].isalnum() and _is_part(text[start - 1 : start])):
                    continue
                match = _pattern(form).match(text, start)
                if match and not _is_part(text[match.end() : match.end() + 1]) and _is_random(match.group()):
                    yield Secret(kind, start, match.end())


def _is_part(character: str) -> bool:
    """Whether words and tokens are made of it; nothing at all is not."""
    return character.isalnum() or character in ("_", "-")


def _is_random(token: str) -> bool:
    """Whether its characters are mixed as in a key; placeholders of one letter and AWS's examples are not."""
    return entropy(token) >= 3 and not token.endswith("EXAMPLE")


def entropy(text: str) -> float:
    """Shannon's entropy of the characters, in bits for each of them."""
    counts = [text.count(character) for character in set(text)]
    return -sum(count / len(text) * log2(count / len(text)) for count in counts)


def _private_keys(text: str) -> Iterator[Secret]:
    end = 0
    for start in _places(text, _KEY_BEGINS):
        match = _pattern(_PRIVATE_KEY).match(text, start) if start >= end else None
        if match:
            closing = text.find("-----END ", start, start + (1 << 16))
            dashes = text.find("-----", closing + 9, closing + 80) if closing >= 0 else -1
            end = dashes + 5 if dashes >= 0 else match.end()
            yield Secret("a private key", start, end)


def _in_addresses(text: str) -> Iterator[Secret]:
    for place in _places(text, "://"):
        match = _pattern(_IN_ADDRESS).match(text, place)
        if match is None:
            continue
        user, password, host = match.groups()
        if host not in _NO_HOSTS and password != user and not _is_placeholder(password):
            yield Secret("a password in an address", match.start(2), match.end(2))


def _is_placeholder(password: str) -> bool:
    stands_for = password[0] in "$%{*[(" or "{{" in password or password.lower() in ("pass", "pwd", "passwd")
    return stands_for or bool(_pattern(_PLACEHOLDER).search(password))


def _named(text: str) -> Iterator[Secret]:
    """Values that look random behind a name that says `password`, `token`, `secret` or `key`."""
    lower = text.lower()
    if "bearer" in lower or "token:" in lower or "authorization" in lower:
        for match in _pattern(_BEARER).finditer(text):
            if _is_key(match[1]):
                yield Secret("an access token", match.start(1), match.end(1))
    if not any(name in lower for name in _NAMES):
        return
    for match in _pattern(_NAMED).finditer(text):
        start = match.start()
        if text[start - 1 : start].isalnum() and not (text[start].isupper() and text[start - 1].islower()):
            continue
        sign = match["sign"].strip("\"' \t")
        if not sign:
            before = text[max(0, start - 120) : start] + match.group()[: match.start("sign") - start]
            if not (_pattern(_STATEMENT_HEAD).search(before) or _pattern(_OPTION).search(before)):
                continue
        value = match["value"].rstrip(";,)}]\\")
        if _is_key(value):
            yield Secret("a password or a token", match.start("value"), match.start("value") + len(value))


def _is_key(value: str) -> bool:
    """Whether a value is random enough to be a key: no path, no address, no reference, no words, no version."""
    if len(value) < 12 or value[0] in "$%{<(/.~@-*&!" or "://" in value or "{{" in value or "$" in value:
        return False
    if any(sign in value for sign in ("==", ">=", "<=", "~=", "(", "<")) or value.startswith(
        ("sha256:", "sha512:")
    ):
        return False
    if _pattern(_PLACEHOLDER).search(value) or _pattern(_WORDS).fullmatch(value):
        return False
    digits = any(each.isdigit() for each in value)
    upper, low = any(map(str.isupper, value)), any(map(str.islower, value))
    if "/" in value and not (digits and upper and low):
        return False
    mixed = digits and (upper or low) if len(value) >= 16 else digits and upper and low
    return mixed and entropy(value) >= 3
