"""Small images for real engines: a root file system of some of the host's programs, and recipes on it."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reproc import model
from reproc.model.commands import AppCall, Needs, Run, Script
from reproc.progress import Silent
from reproc.source import SourceFile, Span
from reproc.verify.engines import make
from reproc.verify.engines.base import Built, Engine
from reproc.verify.plan import Recipe
from reproc.verify.workspace import Workspace
from reproc_backends.docker.steps import settled

sys.path.insert(0, str(Path(__file__).parent))

EPOCH = 1_700_000_000
PROGRAMS = """
bash cat chmod chown cp echo env find grep head id ln ls mkdir rm sed seq sh sleep sort stat tar touch yes
""".split()
ENGINE_NAMES = ("docker", "singularity")


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.engines(name)) for name in ENGINE_NAMES])
def engine_name(request: pytest.FixtureRequest) -> str:
    """The test runs once an engine; where one is missing it says why it is skipped."""
    return str(request.param)


def _libraries(program: str) -> list[str]:
    said = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return re.findall(r"(/\S+) \(0x", said)


def write_rootfs(path: Path, programs: list[str]) -> None:
    """A root file system with these programs of the host, or files by full path, in /bin, and their libraries."""
    names = {f"bin/{Path(name).name}": Path(shutil.which(name) or "").resolve() for name in programs}
    for program in list(names.values()):
        names |= {library.lstrip("/"): Path(library).resolve() for library in _libraries(str(program))}
    folders = {"bin", "dev", "etc", "home", "mnt", "opt", "proc", "root", "sys", "tmp", "var", "var/tmp"}
    for name in names:
        folders |= {str(parent) for parent in Path(name).parents} - {"."}
    with tarfile.open(path, "w") as archive:
        for name in sorted(folders):
            row = tarfile.TarInfo(f"./{name}")
            row.type, row.mode, row.mtime = tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755, EPOCH
            archive.addfile(row)
        for name, source in sorted(names.items()):
            row = tarfile.TarInfo(f"./{name}")
            row.size, row.mode, row.mtime = source.stat().st_size, 0o755, EPOCH
            with source.open("rb") as file:
                archive.addfile(row, file)
        texts = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n"}
        for name, text in texts.items():
            row = tarfile.TarInfo(f"./{name}")
            row.size, row.mode, row.mtime = len(text), 0o644, EPOCH
            archive.addfile(row, io.BytesIO(text.encode()))


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rootfs") / "rootfs.tar"
    write_rootfs(path, list(PROGRAMS))
    return path


def spec_spans(count: int) -> tuple[SourceFile, list[Span]]:
    """A spec of so many `run` lines, and the place of each."""
    source = SourceFile("repro.spec", "".join(f'run "step {n}"\n' for n in range(count)))
    starts = source.line_starts
    return source, [Span(source, starts[n], starts[n + 1] - 1) for n in range(count)]


def dockerfile(steps: list[str], network: bool) -> tuple[str, list[int | None]]:
    """A Dockerfile in which each step is a heredoc, and for each of its lines the step it belongs to."""
    rows: list[tuple[str, int | None]] = [
        ("FROM scratch", None),
        ("ADD --link inputs/rootfs.tar /", None),
        ("ARG SOURCE_DATE_EPOCH", None),
        ('ENV LANG=C.UTF-8 GREETING="hello world"', None),
    ]
    cut = "" if network else "--network=none "
    for number, step in enumerate(steps):
        rows.append((f"RUN {cut}--mount=type=bind,source=inputs,target=/mnt <<'EOF'", number))
        rows += [(line, number) for line in ["set -eu", "umask 022", settled(["/mnt"]), *step.splitlines()]]
        rows += [("EOF", number), ("", None)]
    return "".join(f"{text}\n" for text, _ in rows), [origin for _, origin in rows]


def definition(steps: list[str], network: bool) -> tuple[str, list[int | None]]:
    """A def with the same steps, each behind its marker line."""
    del network
    rows: list[tuple[str, int | None]] = [
        ("Bootstrap: scratch", None),
        ("", None),
        ("%setup", None),
        ('    tar --numeric-owner -xpf inputs/rootfs.tar -C "$APPTAINER_ROOTFS"', None),
        ("", None),
        ("%environment", None),
        ("    export LANG=C.UTF-8", None),
        ("    export GREETING='hello world'", None),
        ("", None),
        ("%labels", None),
        ("    org.label-schema.build-date 2023-11-14T22:13:20Z", None),
        ("", None),
        ("%post", None),
        ("    set -eu", None),
        ("    umask 022", None),
    ]
    for number, step in enumerate(steps):
        rows.append((f"    echo '==> reproc step {len(rows) + 1}: step {number}'", number))
        rows += [(f"    {line}", number) for line in step.splitlines()]
    return "".join(f"{text}\n" for text, _ in rows), [origin for _, origin in rows]


MakeRecipe = Callable[..., Recipe]


@pytest.fixture
def make_recipe(tmp_path: Path, rootfs: Path) -> MakeRecipe:
    """Writes a context with a recipe: `make_recipe(engine_name, [step, …], target=, network=)`."""

    def write(engine: str, steps: list[str], target: str = "cpu", network: bool = False) -> Recipe:
        return write_recipe(tmp_path / f"context-{engine}-{target}", rootfs, engine, steps, target, network)

    return write


def write_recipe(
    context: Path, rootfs: Path, engine: str, steps: list[str], target: str, network: bool = False
) -> Recipe:
    (context / "inputs").mkdir(parents=True, exist_ok=True)
    if not (context / "inputs/rootfs.tar").exists():
        os.link(rootfs, context / "inputs/rootfs.tar")
    backend = "singularity" if engine == "singularity" else "docker"
    text, owners = (definition if backend == "singularity" else dockerfile)(steps, network)
    _, spans = spec_spans(len(steps))
    file = context / ("Singularity.def" if backend == "singularity" else "Dockerfile")
    file.write_text(text)
    return Recipe(
        target=target,
        backend=backend,
        context=context,
        file=file,
        epoch=EPOCH,
        platform="linux/amd64",
        line_origins=tuple(None if owner is None else spans[owner] for owner in owners),
        titles=tuple(
            (number, "the base" if owner is None else f"step {owner}")
            for number, (owner, before) in enumerate(zip(owners, [-1, *owners], strict=False), 1)
            if owner != before
        ),
        tag=f"reproc-tests/verify:{target}",
        network=network,
    )


ORIGIN = Span(SourceFile("repro.spec", 'test "x" { run "true" }\n'), 0, 8)


def smoke(
    text: str = "true",
    *expect: tuple[str, ...],
    name: str = "a test",
    script: str | None = None,
    app: tuple[str, ...] | None = None,
    env: tuple[tuple[str, str, str], ...] = (),
    needs: tuple[str, ...] = (),
    on: tuple[str, ...] = (),
    backends: tuple[str, ...] = (),
    timeout: int = 30,
) -> model.Test:
    """A test as the checker makes it; `expect` is its rows of words, `env` rows of action, name and value."""
    return model.Test(
        origin=ORIGIN,
        name=name,
        run=Run(origin=ORIGIN, text=(text,)) if script is None and app is None else None,
        script=Script(origin=ORIGIN, text=(script,)) if script is not None else None,
        app=AppCall(origin=ORIGIN, name=model.Item(app[0], ORIGIN), arguments=app[1:]) if app else None,
        expect=tuple(model.Expectation(origin=ORIGIN, subject=row[0], words=row[1:]) for row in expect),
        env=model.Environment(
            origin=ORIGIN,
            entries=tuple(
                model.EnvironmentEntry(origin=ORIGIN, action=action, name=key, value=value)
                for action, key, value in env
            ),
        ),
        needs=tuple(Needs(origin=ORIGIN, what=what) for what in needs),
        on=tuple(model.Item(each, ORIGIN) for each in on),
        backends=backends,
        timeout=timeout,
    )


MakeTest = Callable[..., model.Test]


@pytest.fixture(scope="session", name="smoke")
def smoke_fixture() -> MakeTest:
    """Makes tests: `smoke(text, (subject, relation, word), …, needs=("gpu",))`."""
    return smoke


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / ".reproc")


@pytest.fixture
def engine(engine_name: str, workspace: Workspace) -> Iterator[Engine]:
    """The engine under test, in a workspace of its own."""
    made = make(engine_name, workspace)
    yield made
    made.close()


PACKAGES = """\
mkdir -p /var/lib/dpkg /usr/share/doc/tool /usr/share/doc/lib-prose /opt/venv/lib/python3.11/site-packages
cd /var/lib/dpkg
stanza() { printf 'Package: %s\\nStatus: %s ok %s\\nVersion: %s\\nSource: %s\\n\\n' "$@" >> status; }
stanza tool install installed 1.0-1 tool-source
stanza tool-data install installed 1.0-1 'tool-source (0.9)'
stanza lib-prose install installed 3 lib-prose
stanza lib-other hold installed 2:1.0 other
stanza gone deinstall config-files 1 gone
cd /usr/share/doc
form=https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
printf 'Format: %s\\n\\nFiles: *\\nLicense: GPL-2+\\n\\nFiles: x\\nLicense: Expat\\n' $form > tool/copyright
ln -s tool tool-data
echo 'See /usr/share/common-licenses/GPL-3.' > lib-prose/copyright
cd /opt/venv/lib/python3.11/site-packages
mkdir a_thing-2.0.dist-info other-3.dist-info
printf 'Metadata-Version: 2.1\\nName: a.thing\\nVersion: 2.0\\n' > a_thing-2.0.dist-info/METADATA
printf 'Classifier: License :: OSI Approved :: MIT License\\n\\nName: not this\\n' >> a_thing-2.0.dist-info/METADATA
printf 'Name: other\\r\\nVersion: 1!3\\r\\n\\r\\nLicense: no\\r\\n' > other-3.dist-info/METADATA
"""
IMAGE_STEPS = ["mkdir -p /data\ncp /mnt/hello /bin/hello\nchmod 755 /bin/hello", PACKAGES]

Images = Callable[[str], tuple[Engine, str]]


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory, rootfs: Path) -> Iterator[Images]:
    """An engine and an image of it that was built once for all tests: `images(engine_name)`."""
    made: dict[str, tuple[Engine, str]] = {}

    def get(name: str) -> tuple[Engine, str]:
        if name not in made:
            folder = tmp_path_factory.mktemp(f"image-{name}")
            recipe = write_recipe(folder / "context", rootfs, name, IMAGE_STEPS, "shared")
            (folder / "context/inputs/hello").write_text('#!/bin/sh\necho "hello $# $*"\n')
            engine = make(name, Workspace.open(folder / ".reproc"))
            built = engine.build(recipe, Silent(), folder / "build.log")
            assert isinstance(built, Built), built
            made[name] = (engine, built.image)
        return made[name]

    yield get
    for engine, _ in made.values():
        engine.close()


@pytest.fixture(scope="session", autouse=True)
def images_removed() -> Iterator[None]:
    """After the last test, the images that these tests have built in Docker are gone."""
    yield
    if shutil.which("docker"):
        tags = [f"reproc-tests/verify:{name}" for name in ("cpu", "int", "next", "shared")]
        subprocess.run(["docker", "image", "rm", "--force", *tags], capture_output=True)
