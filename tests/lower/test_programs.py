"""The programs that patch and rewrite code in the image, run by the perl that is here."""

from __future__ import annotations

import difflib
import hashlib
import os
import struct
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reproc import lower

PROGRAMS = Path(lower.__file__).parent


def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["perl", PROGRAMS / program, *arguments], capture_output=True, check=False)


def patched(root: Path, patch: str | bytes) -> subprocess.CompletedProcess[bytes]:
    file = root.parent / f"{root.name}.patch"
    file.write_bytes(patch.encode() if isinstance(patch, str) else patch)
    return run("patch.pl", root, "x.patch", file)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "a tree"
    (root / "src").mkdir(parents=True)
    (root / "src/three").write_bytes(b"one\ntwo\nthree\n")
    (root / "src/three").chmod(0o755)
    (root / "gone").write_bytes(b"x\n")
    return root


CHANGE = "@@ -1,3 +1,3 @@\n one\n-two\n+zwei\n three\n"


@pytest.mark.parametrize(
    "names",
    [
        ("a/src/three", "b/src/three"),
        ("src/three", "src/three"),
        ("three-1.0/src/three\t2020-01-01", "three-1.1/src/three\t2021"),
    ],
)
def test_a_patch_finds_its_file(tree: Path, names: tuple[str, str]) -> None:
    done = patched(tree, f"said by git\n--- {names[0]}\n+++ {names[1]}\n{CHANGE}")
    assert done.returncode == 0, done.stderr
    assert (tree / "src/three").read_bytes() == b"one\nzwei\nthree\n"
    assert (tree / "src/three").stat().st_mode & 0o777 == 0o755
    assert b"changes 1 files" in done.stdout


def test_a_patch_makes_and_removes_files(tree: Path) -> None:
    text = (
        "diff --git a/new/p.sh b/new/p.sh\nnew file mode 100755\n--- /dev/null\n+++ b/new/p.sh\n"
        "@@ -0,0 +1 @@\n+echo\n\\ No newline at end of file\n"
        "diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    )
    done = patched(tree, text)
    assert done.returncode == 0, done.stderr
    assert (tree / "new/p.sh").read_bytes() == b"echo"
    assert (tree / "new/p.sh").stat().st_mode & 0o777 == 0o755
    assert not (tree / "gone").exists()


def test_a_single_file_is_patched_whatever_the_patch_calls_it(tree: Path) -> None:
    done = patched(tree / "src/three", f"--- a/x\n+++ b/x\n{CHANGE}")
    assert done.returncode == 0, done.stderr
    assert (tree / "src/three").read_bytes() == b"one\nzwei\nthree\n"


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        ("", "no unified diff"),
        ("just words\n", "no unified diff"),
        ("--- a/src/three\n+++ b/src/three\n@@ -1,3 +1,3 @@\n one\n-2\n+zwei\n three\n", "no such lines near line 1"),
        ("--- a/src/three\n+++ b/src/three\n@@ -1,3 +1,3 @@\n one\n-two\n", "cut off"),
        ("--- a/nope\n+++ b/nope\n" + CHANGE, "there is no file nope"),
        ("--- ../three\n+++ ../../three\n" + CHANGE, "leads out of"),
        ("--- /etc/passwd\n+++ /etc/passwd\n" + CHANGE, "leads out of"),
        ("--- a/link/three\n+++ b/link/three\n" + CHANGE, "leads through a link"),
        ("--- /dev/null\n+++ b/gone\n@@ -0,0 +1 @@\n+y\n", "is there already"),
        ("--- a/src/three\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n", "holds more than"),
        ("diff --git a/x b/y\nrename from x\nrename to y\n", "renames"),
        ("diff --git a/x b/x\nGIT binary patch\nliteral 1\n", "binary"),
        ("diff --git a/gone b/gone\nold mode 100644\nnew mode 100755\n", "changes a mode"),
        ("diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n", "links"),
    ],
)  # fmt: skip
def test_a_patch_that_does_not_fit_changes_nothing(tree: Path, patch: str, reason: str) -> None:
    (tree / "link").symlink_to("src")
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    done = patched(tree, patch)
    assert done.returncode != 0
    assert reason in done.stderr.decode()
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


lines = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n", "%post\n", "-\n", "é\n"]), max_size=14)


@settings(deadline=None, max_examples=40)
@given(lines, lines, lines, st.integers(0, 3))
def test_a_diff_leads_to_the_other_text(
    old: list[str], new: list[str], before: list[str], context: int
) -> None:
    """Also where lines stand before it that the diff knows nothing of."""
    diff = list(difflib.unified_diff(old, new, "a/f", "b/f", n=context))
    if not diff:
        return
    shifted = before if context == 3 and len(old) > 6 and not {*before} & {*old} else []
    with TemporaryDirectory() as folder:
        root = Path(folder, "root")
        root.mkdir()
        (root / "f").write_text("".join(shifted + old))
        done = patched(root, "".join(diff))
        assert done.returncode == 0, done.stderr
        assert (root / "f").read_text() == "".join(shifted + new)


def test_rewriting_reaches_all_text_files_and_nothing_else(tree: Path) -> None:
    (tree / "src/two words").write_bytes(b"/old/x /old/x\r\n\xff")
    (tree / "src/binary").write_bytes(b"/old/x\0")
    outside = tree.parent / "outside"
    outside.write_bytes(b"/old/x")
    (tree / "link").symlink_to(outside)
    (tree / "src/two words").chmod(0o640)
    done = run("rewrite.pl", tree, "/old/x", "$1 \\1 /new's")
    assert done.returncode == 0, done.stderr
    assert (tree / "src/two words").read_bytes() == b"$1 \\1 /new's $1 \\1 /new's\r\n\xff"
    assert (tree / "src/two words").stat().st_mode & 0o777 == 0o640
    assert (tree / "src/binary").read_bytes() == b"/old/x\0"
    assert outside.read_bytes() == b"/old/x"
    assert done.stdout == b'reproc: rewrote "/old/x" in 2 places of 1 files\n'


def test_nothing_to_rewrite_is_an_error(tree: Path) -> None:
    done = run("rewrite.pl", tree, "/old/x", "y")
    assert done.returncode != 0
    assert b"nothing to rewrite" in done.stderr


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30)


@settings(deadline=None, max_examples=40)
@given(texts, texts.filter(bool), texts)
def test_rewriting_is_literal(text: str, old: str, new: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "f")
        whole = os.fsencode(text + old + text)
        file.write_bytes(whole)
        done = run("rewrite.pl", file, old, new)
        assert done.returncode == 0, done.stderr
        assert file.read_bytes() == whole.replace(os.fsencode(old), os.fsencode(new))


DATE = 1_700_000_000
PASSWORD = "changeit"


def keystore(times: list[int], tag: int = 2) -> bytes:
    """A store of certificates as sun.security.provider.JavaKeyStore writes it, each entered at its time."""
    rows = [b"\xfe\xed\xfe\xed", struct.pack(">II", 2, len(times))]
    for number, time in enumerate(times):
        alias, kind, content = f"debian:ca_{number}.pem".encode(), b"X.509", bytes([number]) * (900 + number)
        rows.append(struct.pack(">IH", tag, len(alias)) + alias + struct.pack(">Q", time))
        rows.append(struct.pack(">H", len(kind)) + kind + struct.pack(">I", len(content)) + content)
    whole = b"".join(rows)
    return whole + hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + whole).digest()


def dated(path: Path, content: bytes) -> subprocess.CompletedProcess[bytes]:
    path.write_bytes(content)
    command = ["perl", "-w", PROGRAMS / "keystore.pl", path, PASSWORD]
    return subprocess.run(command, env={**os.environ, "SOURCE_DATE_EPOCH": str(DATE)}, capture_output=True)


def test_java_s_key_store_is_the_same_whenever_it_was_made(tmp_path: Path) -> None:
    for times in ([1_795_860_205_193, 1_795_860_204_923, 0], [DATE * 1000] * 3):
        done = dated(tmp_path / "cacerts", keystore(times))
        assert done.returncode == 0 and not done.stderr
        assert (tmp_path / "cacerts").read_bytes() == keystore([DATE * 1000] * 3)
        assert sorted(tmp_path.iterdir()) == [tmp_path / "cacerts"]


@pytest.mark.parametrize("content", [b"", b"0\x82PKCS12", b"\xfe\xed\xfe\xed\0\0\0\1"])
def test_a_store_of_another_form_is_left_alone(content: bytes, tmp_path: Path) -> None:
    done = dated(tmp_path / "cacerts", content)
    assert done.returncode == 0 and not done.stderr
    assert (tmp_path / "cacerts").read_bytes() == content


def test_a_damaged_store_is_an_error(tmp_path: Path) -> None:
    whole = keystore([1, 2])
    for length in range(8, len(whole), 41):
        done = dated(tmp_path / "cacerts", whole[:length])
        assert done.returncode != 0
        assert done.stderr == f"reproc: {tmp_path}/cacerts is damaged\n".encode()
        assert (tmp_path / "cacerts").read_bytes() == whole[:length]
    done = dated(tmp_path / "cacerts", keystore([1], tag=1))
    assert b"holds more than certificates" in done.stderr
