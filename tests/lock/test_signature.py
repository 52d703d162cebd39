"""What counts as a signature of a release file, with each verifier that is here: keys that this test makes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reproc.lock.debian.signature import Refusal, covered

TEXT = b"Suite: test\n- dashed\n-----BEGIN\nSHA256:\n 00 1 x\n"
OUT = TEXT.rstrip(b"\n")


@dataclass(frozen=True)
class Ring:
    """A folder of secret keys; gpg works there at a moment of the test's choice."""

    home: Path

    def gpg(self, *words: str, at: str | None = None, text: bytes = b"") -> bytes:
        time = ["--faked-system-time", at] if at else []
        done = subprocess.run(
            ["gpg", "--homedir", self.home, "--batch", "--quiet", "--pinentry-mode", "loopback"]
            + ["--passphrase", "", *time, *words],
            input=text,
            capture_output=True,
            check=True,
        )
        return done.stdout

    def make(self, name: str, at: str | None = None, expires: str = "never") -> None:
        self.gpg("--quick-gen-key", f"{name}@example.org", "rsa2048", "sign", expires, at=at)

    def keys(self, *names: str) -> Path:
        path = self.home / ("-".join(names) + ".gpg")
        path.write_bytes(self.gpg("--export", *(f"{name}@example.org" for name in names)))
        return path

    def sign(self, *names: str, at: str | None = None, how: str = "--clear-sign", digest: str = "") -> bytes:
        by = [word for name in names for word in ("-u", f"{name}@example.org")]
        weak = ["--digest-algo", digest] if digest else []
        return self.gpg(*by, *weak, how, at=at, text=TEXT)

    def fingerprint(self, name: str) -> str:
        lines = self.gpg("--with-colons", "--list-keys", f"{name}@example.org").decode().splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    home = tmp_path_factory.mktemp("r")  # short: the agent's socket lies in it
    home.chmod(0o700)
    made = Ring(home)
    made.make("new")
    made.make("other")
    made.make("old", "20150101T000000", "2016-01-01")
    yield made
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)


@pytest.fixture(params=["gpgv", "sqv"], autouse=True)
def verifier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A machine that has this one alone."""
    name: str = request.param
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / name).symlink_to(program)
    find = shutil.which
    monkeypatch.setattr("shutil.which", lambda each: find(each, path=str(tmp_path / "bin")))
    return name


def advice(content: bytes, *keys: Path, signature: bytes | None = None) -> str:
    found = covered(content, keys, signature)
    assert isinstance(found, Refusal), found
    return found.advice or ""


def test_a_good_signature(ring: Ring) -> None:
    assert covered(ring.sign("new"), [ring.keys("new")]) == OUT


def test_lines_may_end_as_on_windows(ring: Ring) -> None:
    assert covered(ring.sign("new").replace(b"\n", b"\r\n"), [ring.keys("new")]) == OUT


def test_a_signature_beside_the_file(ring: Ring) -> None:
    signature = ring.sign("new", how="--detach-sign")
    assert covered(TEXT, [ring.keys("new")], signature) == TEXT
    assert isinstance(covered(TEXT + b"x", [ring.keys("new")], signature), Refusal)


def test_a_key_that_has_expired_since_counts(ring: Ring) -> None:
    signed = ring.sign("old", at="20150601T000000")
    assert covered(signed, [ring.keys("old")]) == OUT


def test_a_key_that_had_expired_by_then_does_not(ring: Ring, verifier: str) -> None:
    ring.make("late", "20150101T000000")
    signed = ring.sign("late", at="20170601T000000")
    assert covered(signed, [ring.keys("late")]) == OUT
    ring.gpg("--quick-set-expire", ring.fingerprint("late"), "2016-01-01", at="20150102T000000")
    told = advice(signed, ring.keys("late"))
    assert verifier == "sqv" or "when that had expired" in told
    ring.gpg("--yes", "--delete-secret-and-public-key", ring.fingerprint("late"))


def test_a_revoked_key_does_not(ring: Ring, verifier: str) -> None:
    ring.make("gone")
    signed = ring.sign("gone")
    fingerprint = ring.fingerprint("gone")
    revocation = (ring.home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_bytes()
    ring.gpg("--import", text=revocation.replace(b":-----BEGIN", b"-----BEGIN"))
    told = advice(signed, ring.keys("gone"))
    assert verifier == "sqv" or "was revoked" in told
    ring.gpg("--yes", "--delete-secret-and-public-key", fingerprint)


def test_one_good_signature_of_several_is_enough(ring: Ring) -> None:
    signed = ring.sign("other", "new")
    assert covered(signed, [ring.keys("new")]) == OUT
    assert covered(signed, [ring.keys("other")]) == OUT
    assert covered(signed, [ring.keys("old"), ring.keys("new")]) == OUT


def test_the_wrong_key_is_named(ring: Ring) -> None:
    told = advice(ring.sign("new"), ring.keys("other"))
    assert f"`{ring.fingerprint('new')}`" in told
    assert "update" in told


@pytest.mark.parametrize("digest", ["SHA1", "RIPEMD160"])
def test_a_weak_digest_does_not_count(ring: Ring, digest: str, verifier: str) -> None:
    told = advice(ring.sign("new", digest=digest), ring.keys("new"))
    assert "can be forged" in told or (verifier, digest) == ("sqv", "RIPEMD160")


def test_a_flipped_byte(ring: Ring) -> None:
    assert isinstance(covered(ring.sign("new").replace(b"test", b"tesu"), [ring.keys("new")]), Refusal)


@pytest.mark.parametrize(
    "change",
    [
        lambda signed: b"SHA256:\n 11 1 evil\n\n" + signed,
        lambda signed: signed + b"SHA256:\n 11 1 evil\n",
        lambda signed: signed.replace(b"Hash: ", b"SHA256: evil\nHash: "),
        lambda signed: signed.replace(b"\n\n", b"\nSHA256: evil\n\n", 1),
        lambda signed: signed + signed,
        lambda signed: signed.replace(b"- -----BEGIN", b"-----BEGIN"),
        lambda signed: signed.replace(b"-----END PGP SIGNATURE-----", b""),
        lambda signed: b"",
        lambda signed: TEXT,
    ],
    ids=["before", "behind", "header", "last-header", "twice", "undashed", "endless", "empty", "unsigned"],
)
def test_what_is_not_covered_does_not_count(ring: Ring, change: object) -> None:
    assert callable(change)
    assert isinstance(covered(change(ring.sign("new")), [ring.keys("new")]), Refusal)
