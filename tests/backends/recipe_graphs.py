"""Graphs for the tests of the back ends, by hand and by hypothesis."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from reproc.graph import (
    Activation,
    App,
    BuildGraph,
    CopyFile,
    CopyIn,
    CopyKept,
    FetchGit,
    FromStage,
    Image,
    Rootfs,
    Run,
    Runtime,
    Script,
    SetEnv,
    Stage,
    Step,
    Variable,
    WriteFile,
)
from reproc.source import SourceFile, Span

SPEC = SourceFile("repro.spec", "".join(f"line {n}\n" for n in range(1, 60)))
ROOTFS = Rootfs(".reproc/base/debian.tar", "a" * 64)
IMAGE = Image("docker.io/library/debian:bookworm-slim", "sha256:" + "b" * 64)
HOSTILE = (
    *("%post", "  %files from x", "{{ x }}", "{{", "EOF", "EOF_2", "EOF\r", "<<'EOF'", "Bootstrap: docker"),
    *("BOOTSTRAP:", "#!/bin/sh", "# hash", "'", '"', "\\", "$HOME", "${X}", "$(id)", "`id`", "(", ")", ";"),
    *("a", " ", "\t", "é", "\u2028", "\x85", "\x0b", "-n", "*", "[x]", "!", "~", "&&", "|", "\x1b"),
)


def at(line: int) -> Span:
    """A line of the spec."""
    start = SPEC.line_starts[line - 1]
    return Span(SPEC, start, start + 4)


def graph(*stages: Stage, runtime: Runtime | None = None, **more: object) -> BuildGraph:
    """A graph with these stages."""
    made = BuildGraph("cpu", "linux/amd64", 1717200000, stages, runtime or Runtime())
    return replace(made, **more)  # type: ignore[arg-type]


def one_step(step: Step) -> BuildGraph:
    """A graph of one stage with one step."""
    return graph(Stage("image", ROOTFS, (step,)))


def plain() -> BuildGraph:
    """What an everyday spec becomes: packages, a kept build, code, an app."""
    env = (Variable("LANG", "C.UTF-8"), Variable("PATH", "/opt/sptk/bin:/usr/bin:/bin"))
    tools = Stage(
        "tools",
        FromStage("base"),
        (
            Run(
                "tools gcc 12",
                ("apt-get install -y -qq --no-install-recommends /mnt/debs/tools/*.deb",),
                ("debs/tools",),
                origin=at(19),
            ),
        ),
        at(19),
    )
    base = Stage(
        "base",
        ROOTFS,
        (
            SetEnv("environment", env[:1]),
            Run(
                "packages",
                (
                    "export DEBIAN_FRONTEND=noninteractive",
                    "apt-get install -y -qq --no-install-recommends /mnt/debs/system/*.deb",
                    "rm -f /var/log/dpkg.log",
                ),
                ("debs/system",),
                origin=at(15),
            ),
        ),
        at(12),
    )
    build = Stage(
        "build-sptk",
        FromStage("tools"),
        (
            CopyIn("code sptk", "src", ("Makefile", "configure", "lib/a.c"), "/opt/src/sptk", at(28)),
            Script(
                "build sptk",
                './configure --prefix=/opt/sptk\nmake -j"$(nproc)" install\n',
                workdir="/opt/src/sptk",
                environment=(Variable("CC", "gcc-12"),),
                origin=at(50),
            ),
        ),
        at(48),
    )
    final = Stage(
        "image",
        FromStage("base"),
        (
            CopyKept("kept of build sptk", "build-sptk", ("/opt/sptk",), at(53)),
            FetchGit(
                "code model",
                "https://github.com/example/model.git",
                "64d6bd1b6d5d2b1e8d0e7fd2a8ee1c0ffee00000",
                "/opt/model",
                origin=at(34),
            ),
            CopyFile("file bashrc", "etc/bashrc", "/etc/bash.bashrc", False, at(40)),
            WriteFile(
                "app main",
                "/opt/reproc/bin/main",
                '#!/bin/sh\ncd /opt/model\nexec python3 eval.py "$@"\n',
                0o755,
                at(57),
            ),
        ),
        at(12),
    )
    labels = (
        ("org.opencontainers.image.title", 'A "perceptual" metric'),
        ("org.opencontainers.image.version", "1"),
    )
    runtime = Runtime(env, labels, (App("main", "Evaluates the model", at(57)),))
    return graph(
        base,
        tools,
        build,
        final,
        runtime=runtime,
        notes=("needs .reproc/base/debian.tar: run `reproc fetch` first",),
    )


def floating() -> BuildGraph:
    """An unlocked graph on a registry's image."""
    step = Run(
        "packages",
        ("apt-get update -qq", "apt-get install -y -qq --no-install-recommends htop", "apt-get clean"),
        network=True,
        origin=at(15),
    )
    image = Image("docker.io/library/debian:bookworm-slim", None)
    return graph(
        Stage("image", image, (step,), at(12)),
        runtime=Runtime(workdir="/work dir"),
        locked=False,
        notes=("`htop` floats",),
    )


def hostile() -> BuildGraph:
    """Everything that a recipe's reader could stumble over, in every field."""
    evil = "\n".join(HOSTILE) + "\n"
    one_line = " ".join(piece for piece in HOSTILE if piece.isprintable())
    variable = Variable("EVIL", one_line)
    first = Stage(
        "0-scratch",
        IMAGE,
        (
            SetEnv(evil, (variable,), at(2)),
            Script(evil, evil, "/bin/bash", "/a 'b' {{ c }}", (variable,), True, at(3)),
        ),
        at(2),
    )
    final = Stage(
        "image",
        ROOTFS,
        (
            WriteFile(evil, "/etc/a 'b\" $c [d] {{ e }}", evil, 0o600, at(4)),
            WriteFile("no newline", "/etc/x", "%post", 0o644, at(5)),
            CopyIn(
                evil,
                "a $b [c]",
                ("%post", "-n", "EOF", "d e", "f*[g]?\\h!", "{{ x }}", " blank ", "#i"),
                "/in $to",
                at(6),
            ),
            CopyFile(evil, "-c 'd'", '/x "y" $z', True, at(7)),
            CopyKept(evil, "0-scratch", ("/k e'p $t", "/{{ p }}"), at(8)),
            Run(evil, ("echo '\n%post\n{{ x }}\n'", "true"), ("a@b",), origin=at(9)),
        ),
        at(4),
    )
    runtime = Runtime(
        (variable,),
        (("evil", one_line), ("evil2", " blank ")),
        (App("e.vil", evil, at(9)),),
        "/w $d",
        ports=(80, 8080),
        user=1000,
        activation=Activation("0123456789abcdef"),
    )
    return graph(first, final, runtime=runtime, target="cpu", spec_path="{{ a }}\n%post", notes=(evil,))


texts = st.lists(st.sampled_from((*HOSTILE, "\n", "\n", "\n")), max_size=12).map("".join)
lines = st.lists(st.sampled_from(HOSTILE), max_size=8).map("".join)
values = lines.map(lambda text: "".join(c for c in text if c == "\t" or (ord(c) >= 32 and c != "\x7f")))
names = st.text(st.sampled_from("ab .-[]*?\\$'\"{}%#!é"), min_size=1, max_size=8).filter(
    lambda n: n.strip(".") == n
)
paths = names.map(lambda name: f"/opt/{name}")
