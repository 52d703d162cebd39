"""What is read out of engines' output: steps, failing lines, causes."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from reproc.record import replace
from reproc.source import SourceFile, Span
from reproc.verify.engines.base import Step
from reproc.verify.engines.buildkit import BuildKitWatch
from reproc.verify.engines.failures import (
    StepWatch,
    build_failed,
    by_the_spec,
    no_space,
    origin,
    out_of_space,
)
from reproc.verify.engines.steps import Stopwatch, places_of
from reproc.verify.plan import Recipe

SOURCE = SourceFile("repro.spec", "one\ntwo\n")
ONE, TWO = Span(SOURCE, 0, 3), Span(SOURCE, 4, 7)


def recipe(*origins: Span | None) -> Recipe:
    return Recipe("cpu", "docker", Path(), Path("Dockerfile"), 0, "linux/amd64", origins, "reproc/x:cpu")


def test_a_marker_begins_a_step() -> None:
    watch = StepWatch()
    for number in range(50):
        assert watch.read(f"line {number}") is None
    assert len(watch.tail) == 40 and watch.tail[0] == "line 10"
    assert watch.read("==> reproc step 12: make install") == "make install"
    assert (watch.line, watch.title, list(watch.tail)) == (12, "make install", [])
    # the trace of the shell that prints a marker is not one
    assert watch.read("+ echo ==> reproc step 13: no") is None
    assert watch.line == 12


@pytest.mark.parametrize(
    ("first", "last", "span"),
    [
        (1, 1, None),
        (2, None, ONE),
        (1, 3, ONE),
        (3, 3, TWO),
        (None, None, None),
        (4, 9, None),
        (0, 0, None),
        (99, 99, None),
    ],
)
def test_the_place_of_a_line(first: int | None, last: int | None, span: Span | None) -> None:
    assert origin(recipe(None, ONE, TWO, None), first, last) == span


def test_a_common_cause_gets_a_hint() -> None:
    lines = ["before", "bash: line 4: cmake: command not found"]
    said = build_failed(recipe(), "docker", None, "a step fails", lines, Path("x.log"))
    assert (said.help or "").startswith("`cmake` is not in the image")
    assert said.output == "\n".join(lines)


def test_a_machine_s_fault_is_not_the_spec_s() -> None:
    assert not by_the_spec(no_space("docker", "building", "/var"))


def test_no_known_cause() -> None:
    said = build_failed(recipe(), "docker", None, "a step fails", ["make: *** [all] Error 2"], Path("x.log"))
    assert by_the_spec(said)
    assert said.help == "the whole output is in `x.log`"


@pytest.mark.parametrize(
    ("line", "code", "message", "help"),
    [
        (
            "reproc: /opt/a b is to be kept, but nothing made it",
            "E0522",
            "`/opt/a b` is to be kept, and no command of the build has made it",
            "look where the build installs to: for `configure` that is `--prefix=/opt/a b`",
        ),
        (
            "reproc: /opt/a is to be kept, but is a symbolic link to /opt/a-1",
            "E0523",
            "`/opt/a` is to be kept, and is a symbolic link",
            "keep what it points at: `/opt/a-1`",
        ),
        (
            'reproc: nothing to rewrite: no text file of /opt/src/a holds "/home/"x"',
            "E0524",
            'no text file of `/opt/src/a` holds `/home/"x`',
            None,
        ),
        (
            "reproc: gcc should be 9.3.0, and says that it is gcc (Debian 12) 12.2.0",
            "E0525",
            "`gcc` should be 9.3.0, and says that it is gcc (Debian 12) 12.2.0",
            None,
        ),
    ],
)
def test_what_our_own_steps_say_is_told_by_itself(
    line: str, code: str, message: str, help: str | None
) -> None:
    for engine in ("docker", "singularity"):
        said = build_failed(recipe(), engine, ONE, "a step fails", ["before", line], Path("x.log"))
        assert (said.code.id, said.message, said.span) == (code, message, ONE)
        assert help is None or said.help == help
        assert by_the_spec(said)


def test_a_full_disk() -> None:
    assert out_of_space(["x", "write /a: no space left on device"])
    assert out_of_space(["tar: a: Cannot write: No space left on device"])
    assert not out_of_space(["there is space left"])


def event(**parts: object) -> str:
    return json.dumps(parts)


def log(vertex: str, text: bytes) -> str:
    return event(logs=[{"vertex": vertex, "data": base64.b64encode(text).decode()}])


def test_buildkit_events() -> None:
    told: list[str] = []
    written: list[str] = []
    watch = BuildKitWatch(told.append, written.append)
    for line in (
        event(vertexes=[{"digest": "d0", "name": "[internal] load build definition", "started": "t"}]),
        event(vertexes=[{"digest": "d1", "name": "[1/2] RUN a", "started": "t"}]),
        log("d1", b"hel"),
        log("d1", b"lo\n10%\r20%\ncaf\xc3\xa9 \xff"),
        event(vertexes=[{"digest": "d2", "name": "[2/2] RUN b", "started": "t"}]),
        log("d2", b"other\n"),
        event(
            vertexes=[
                {
                    "digest": "d2",
                    "name": "[2/2] RUN b",
                    "started": "t",
                    "completed": "t",
                    "error": "context canceled",
                }
            ]
        ),
        event(
            vertexes=[
                {
                    "digest": "d1",
                    "name": "[1/2] RUN a",
                    "completed": "t",
                    "error": 'process "x" did not complete successfully: exit code: 4',
                }
            ]
        ),
        "not json {",
        "{not json either",
        "Dockerfile:5",
        "--------------------",
        "   4 |     ARG X",
        "   5 | >>> RUN <<EOF",
        "   6 | >>> Dockerfile:99",
        "   7 | >>> EOF",
        "   8 |     ",
        "ERROR: failed to build: failed to solve: whatever",
    ):
        watch.read(line)
    assert told == ["[1/2] RUN a", "hello", "20%", "[2/2] RUN b", "other", "café �"]
    assert (watch.first, watch.last) == (5, 7)
    assert watch.tail == ["hello", "20%", "café �"]
    assert watch.failure == "a step ends with exit status 4"
    assert "==> [internal] load build definition" in written


def test_the_two_streams_of_a_step_are_not_mixed_within_a_line() -> None:
    watch = BuildKitWatch(lambda _: None, lambda _: None)
    rows = ((2, b"/bin/sh: 3: "), (1, b"line 99\nline 1"), (2, b"cmake: not found\n"), (1, b"00\n"))
    for stream, data in rows:
        part = {"vertex": "d", "stream": stream, "data": base64.b64encode(data).decode()}
        watch.read(event(logs=[part]))
    watch.read(event(vertexes=[{"digest": "d", "name": "RUN", "completed": "t", "error": "exit code: 127"}]))
    assert watch.tail == ["line 99", "/bin/sh: 3: cmake: not found", "line 100"]


def test_a_complaint_that_arrives_before_the_output_is_kept() -> None:
    watch = BuildKitWatch(lambda _: None, lambda _: None)
    for stream, text in ((2, "it fails\n"), (1, "".join(f"line {n}\n" for n in range(100)))):
        part = {"vertex": "d", "stream": stream, "data": base64.b64encode(text.encode()).decode()}
        watch.read(event(logs=[part]))
    watch.read(event(vertexes=[{"digest": "d", "name": "RUN", "completed": "t", "error": "exit code: 1"}]))
    assert watch.tail == ["it fails", *(f"line {n}" for n in range(61, 100))]


def test_a_dockerfile_that_is_not_understood() -> None:
    watch = BuildKitWatch(lambda _: None, lambda _: None)
    watch.read(
        "ERROR: failed to build: failed to solve: dockerfile parse error on line 3: unknown instruction: FOO"
    )
    assert (watch.first, watch.failure) == (
        3,
        "line 3 of the recipe is not understood: unknown instruction: FOO",
    )


DOCKERFILE = """\
# a comment with RUN x
FROM scratch AS rootfs
ADD --link base.tar /

FROM rootfs AS base
ENV A=1
RUN --network=none \\
    --mount=type=bind,source=a,target=/a <<'EOF'
RUN is no instruction here
FROM neither
EOF

FROM example.org/image@sha256:0
COPY --from=base /a /b
COPY <<EOF /x
EOF
WORKDIR /x
CMD ["main"]
"""


def test_instructions_are_found_as_buildkit_counts_them() -> None:
    assert places_of(DOCKERFILE) == {
        ("rootfs", 1, 1): 3,
        ("base", 1, 1): 7,
        ("stage-2", 1, 4): 13,
        ("stage-2", 2, 4): 14,
        ("stage-2", 3, 4): 15,
        ("stage-2", 4, 4): 17,
    }
    alone = places_of("FROM scratch\nRUN a\nRUN b\n")
    assert alone == {(name, at, 2): at + 1 for name in ("", "stage-0") for at in (1, 2)}


def vertex(name: str, began: str, ended: str, **more: object) -> str:
    day = "2026-11-28T10:00:"
    times = {"started": f"{day}{began}Z", "completed": f"{day}{ended}Z"}
    return event(vertexes=[{"digest": name, "name": name, **times, **more}])


def test_times_of_buildkit_s_steps(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(DOCKERFILE)
    titles = ((2, "the root file system"), (7, "build fit"), (13, "base image"), (14, "kept"))
    lines = (*[None] * 6, ONE, ONE, *[None] * 9)
    given = replace(recipe(*lines), file=file, titles=titles)
    watch = BuildKitWatch(lambda _: None, lambda _: None)
    for line in (
        vertex("[stage-2 2/4] COPY --from=base /a /b", "09.5", "10.0"),
        vertex("exporting to docker image format", "10.0", "12.25"),
        vertex("[base 1/1] RUN --network=none <<'EOF' (a...)", "01.000000001", "02.5"),
        vertex("[base 1/1] RUN --network=none <<'EOF' (a...)", "04.0", "05.0"),
        vertex("[rootfs 1/1] ADD --link base.tar /", "00.0", "00.1", cached=True),
        vertex("[somewhere 1/9] RUN x", "00.0", "00.1"),
        vertex("resolving provenance", "00.0", "00.1"),
        event(vertexes=[{"digest": "d", "name": "[stage-2 3/4] COPY x", "completed": "never"}]),
    ):
        watch.read(line)
    assert watch.steps(given) == (
        Step("the root file system", 0.1, True),
        Step("build fit", 2.5, place="repro.spec:1:1"),
        Step("kept", 0.5),
        Step("writing the image", 2.25),
    )


def test_a_stopwatch_ends_a_step_when_the_next_begins() -> None:
    times = iter([1.0, 3.5, 4.0, 9.0, 9.5])
    clock = Stopwatch(lambda: next(times))
    clock.end()
    clock.begin(Step("a", 0))
    clock.begin(Step("b", 0, place="repro.spec:1:1"))
    clock.end()
    clock.end()
    assert clock.steps == [Step("a", 2.5), Step("b", 5.0, place="repro.spec:1:1")]
