"""What the statements about files, people, labels and hardware become, whatever their values hold."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reproc import registry
from reproc.graph import BuildGraph, CopyFile, Run, Script, WriteFile
from reproc.lower import Shape
from reproc.target.legalize import legalize

Lower = Callable[..., BuildGraph]
BASE = "reproc 1\nbase debian bookworm { from bootstrap }\n"
HASWELL = "-march=haswell -mtune=haswell"
EVIL = "a 'b' $(id) `id` \\{{'' %post ; # * \\\\ \\\""
"""As a spec's string writes it: quotes, expansions, comments, what a def's reader looks for."""
PLAIN = EVIL.replace('\\"', '"').replace("\\{{", "{{").replace("\\\\", "\\")


def lines(graph: BuildGraph, title: str) -> list[str]:
    """The lines of the image's steps whose title begins like this."""
    steps = [
        step for step in graph.stages[-1].steps if isinstance(step, Run) and step.title.startswith(title)
    ]
    assert steps, [step.title for step in graph.stages[-1].steps]
    return [line for step in steps for line in step.lines]


def called(script: list[str], *programs: str) -> list[list[str]]:
    """What each of the programs is called with, by a real shell."""
    stubs = "".join(f"{name}() {{ printf '%s\\0' {name} \"$@\"; printf '\\0\\n'; }}\n" for name in programs)
    done = subprocess.run(["/bin/sh", "-euc", stubs + "\n".join(script)], capture_output=True, check=True)
    return [row.split("\0") for row in done.stdout.decode().split("\0\0\n")[:-1]]


def rendered(graph: BuildGraph) -> str:
    """Both recipes, one behind the other."""
    texts = []
    for name in ("docker", "singularity"):
        backend = registry.backend(name).value
        assert backend is not None
        legal = legalize(graph, backend.features)
        assert legal.value is not None, [each.message for each in legal.diagnostics]
        texts.append(backend.render(legal.value, comments=True)[0].text)
    return "\n".join(texts)


@pytest.mark.parametrize("shape", list(Shape))
def test_directories_have_the_mode_and_owner_asked_for(lowered: Lower, shape: Shape) -> None:
    graph = lowered(BASE + f'user al\ndirectory /d "/{EVIL}" {{ mode 0700; owner al }}\n', shape=shape)
    paths = ["/d", f"/{PLAIN}"]
    assert called(lines(graph, "directories"), "mkdir", "chown", "chmod") == [
        ["mkdir", "-p", *paths],
        ["chown", "1000:1000", *paths],
        ["chmod", "0700", *paths],
    ]
    rendered(graph)


def test_a_file_is_copied_in_one_shape_and_unpacked_in_the_other(lowered: Lower) -> None:
    text = (
        BASE
        + f'file "x.csv" {{ into "/{EVIL}"; mode 0600; owner root }}\nfile "src/a.c" {{ into /opt/x/ }}\n'
    )
    standalone = lowered(text, shape=Shape.STANDALONE)
    copies = [step for step in standalone.stages[-1].steps if isinstance(step, CopyFile)]
    assert [(step.source, step.path) for step in copies] == [
        ("x.csv", f"/{PLAIN}"),
        ("src/a.c", "/opt/x/a.c"),
    ]
    vendored = lowered(text)
    unpacked = [step for step in vendored.stages[-1].steps if isinstance(step, Run) and step.mounts]
    assert len(unpacked) == 2
    for graph in (standalone, vendored):
        assert called(lines(graph, "mode and owner"), "chown", "chmod") == [
            ["chown", "0:0", f"/{PLAIN}"],
            ["chmod", "0600", f"/{PLAIN}"],
        ]
        rendered(graph)


def test_the_image_says_what_it_is_for(lowered: Lower) -> None:
    graph = lowered(
        BASE + "cpu haswell\nwithout avx2 sse4.2\ncuda 12 { arch sm_70 sm_80; driver >=525 }\nrocm 6.1\n"
        f'label org.example.a "{EVIL}"\napp x {{ run "true"; port 80 22 }}\napp y {{ run "true"; port 80 }}\n'
    )
    labels = dict(graph.runtime.labels)
    assert labels["reproc.cpu"] == "haswell"
    assert labels["reproc.without"] == "avx2 sse4_2"
    assert labels["reproc.cuda"] == "12"
    assert labels["reproc.cuda.arch"] == "sm_70 sm_80"
    assert labels["reproc.rocm"] == "6.1"
    assert labels["reproc.ports"] == "22 80"
    assert labels["org.example.a"] == PLAIN
    assert graph.runtime.ports == (22, 80)
    text = rendered(graph)
    assert "EXPOSE 22\nEXPOSE 80\n" in text


@pytest.mark.parametrize(
    ("cuda", "demand"),
    [
        ("cuda 12", "cuda>=12.0"),
        ("cuda 11.8.0", "cuda>=11.8"),
        ("cuda 12 { driver >=525 }", "driver>=525"),
    ],
)
def test_a_driver_that_is_named_stands_for_the_toolkits_own(lowered: Lower, cuda: str, demand: str) -> None:
    found = {each.name: each.value for each in lowered(f"{BASE}{cuda}\n").runtime.environment}
    assert found["NVIDIA_REQUIRE_CUDA"] == demand
    found = {
        each.name: each.value
        for each in lowered(f"{BASE}{cuda}\nenv {{ NVIDIA_REQUIRE_CUDA x }}\n").runtime.environment
    }
    assert found["NVIDIA_REQUIRE_CUDA"] == "x"


@pytest.mark.parametrize(
    ("hardware", "said"),
    [
        ("cpu x86-64-v2", {"CFLAGS": "-march=x86-64-v2 -mtune=generic -O2"}),
        ("cpu haswell\nwithout avx sse4.2 avx512f", {"FFLAGS": f"{HASWELL} -mno-avx -mno-sse4.2 -O2"}),
        ("cpu zen2\nenv { at build FCFLAGS -g }", {"FCFLAGS": "-march=znver2 -mtune=znver2 -g"}),
        ("cpu haswell\nenv { at run CXXFLAGS -g }", {"CXXFLAGS": f"{HASWELL} -O2"}),
        ("platform linux/arm64\ncpu neoverse_n1", {"CFLAGS": "-mcpu=neoverse-n1 -O2"}),
        ("", {"CFLAGS": None, "CUDAARCHS": None}),
        ("cuda 12.4 { arch sm_80 sm_90a }", {"CUDAARCHS": "80;90a-real", "TORCH_CUDA_ARCH_LIST": "8.0+PTX;9.0a"}),
        ("cuda 13.0 { arch sm_120 }", {"CMAKE_CUDA_ARCHITECTURES": "120", "TORCH_CUDA_ARCH_LIST": "12.0+PTX"}),
        ("cuda 12.4 { arch sm_80 }\nenv { at build CUDAARCHS 75 }", {"CUDAARCHS": "75", "CFLAGS": None}),
    ],
)  # fmt: skip
def test_compilers_are_told_of_the_hardware_where_a_build_asks(
    lowered: Lower, hardware: str, said: dict[str, str | None]
) -> None:
    graph = lowered(
        f'{BASE}{hardware}\nbuild x {{ in /opt; run "asked"; flags cpu gpu }}\nbuild y {{ in /opt; run "not" }}\n'
    )
    asked, other = (each for each in graph.stages[-1].steps if isinstance(each, Script))
    found = {each.name: each.value for each in asked.environment}
    assert {name: found.get(name) for name in said} == said
    assert "-march" not in str(other.environment)


def test_tools_that_read_other_variables_are_told_by_those(lowered: Lower) -> None:
    tools = "toolchain rust 1.63\ntoolchain go 1.19\ntoolchain gcc 9\n"
    using = "using rust 1.63; using go 1.19; using gcc 9"
    build = f'build x {{ {using}; in /opt; run "make"; flags cpu; keep /opt/x }}'
    graph = lowered(f"{BASE}{tools}cpu x86-64-v3\n{build}\n")
    (script,) = (each for stage in graph.stages for each in stage.steps if isinstance(each, Script))
    found = {each.name: each.value for each in script.environment}
    assert found["CFLAGS"].startswith("-march=x86-64 -mtune=generic -mcx16"), "GCC 9 does not know x86-64-v3"
    assert (found["RUSTFLAGS"], found["GOAMD64"]) == ("-C target-cpu=x86-64-v3", "v3")


def test_code_is_patched_then_rewritten_then_owned_then_linked(lowered: Lower) -> None:
    graph = lowered(
        BASE
        + f'code a {{ local src; patch "x.csv" "src/a.c"; rewrite "{EVIL}" "{EVIL}!"; mode 0644; owner 12; bin a.c }}\n'
    )
    image = [step.title for step in graph.stages[-1].steps]
    assert [re.sub(" .*", "", title) for title in image] == [
        "code", "what", "patch", "apply", "patch", "apply", "what", "rewrite", "mode", "programs",
    ]  # fmt: skip
    (call,) = [row for row in called(lines(graph, "rewrite in"), "command", "perl", "rm") if row[0] == "perl"]
    assert call == ["perl", "/.reproc.pl", "/opt/src/a", PLAIN, PLAIN + "!"]
    assert called(lines(graph, "mode and owner of code a"), "chown", "find") == [
        ["chown", "-hR", "12:12", "/opt/src/a"],
        ["find", "/opt/src/a", "-type", "f", "-exec", "chmod", "0644", "{}", "+"],
        ["find", "/opt/src/a", "-type", "d", "-exec", "chmod", "0755", "{}", "+"],
    ]
    rendered(graph)


def test_what_lies_in_anothers_place_comes_behind_it(lowered: Lower) -> None:
    graph = lowered(BASE + "code b { local src; into /opt/a/b }\ncode a { local src; into /opt/a }\n")
    assert [step.title for step in graph.stages[-1].steps] == ["code a", "code b"]


def test_only_a_build_that_may_reaches_the_network(lowered: Lower) -> None:
    graph = lowered(BASE + 'build a { in /a; network yes; run "x" }\nbuild b { in /b; run "y" }\n')
    found = {step.text: step.network for step in graph.stages[-1].steps if isinstance(step, Script)}
    assert found == {"x": True, "y": False}


def test_activation_starts_every_app_and_nothing_without_it_does(lowered: Lower) -> None:
    plain = lowered(BASE + 'app main { run "x" }\nworkdir /w\n')
    assert plain.runtime.activation is None
    text = rendered(plain)
    assert "REPROC_ACTIVE" not in text and "ENTRYPOINT" not in text
    assert 'cd /w\nx "$@"' in text
    graph = lowered(BASE + f'activate "echo {EVIL}; fi"\napp main {{ run "x" }}\n')
    files = {step.path: step for step in graph.stages[-1].steps if isinstance(step, WriteFile)}
    assert files["/opt/reproc/activate/1.sh"].content == f"echo {PLAIN}; fi\n"
    assert "exec /opt/reproc/enter /opt/reproc/bin/main" in files["/opt/reproc/bin/main"].content
    other = lowered(BASE + 'activate "other"\n')
    assert graph.runtime.activation != other.runtime.activation
    text = rendered(graph)
    assert 'ENTRYPOINT ["/opt/reproc/enter"]' in text


@pytest.fixture
def entered(lowered: Lower, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command behind lines of `activate`, with the image's scripts put below a folder."""

    def run(*activate: str, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        graph = lowered(BASE + "".join(f'activate """\n{line}\n"""\n' for line in activate))
        for step in graph.stages[-1].steps:
            if isinstance(step, WriteFile):
                file = tmp_path / step.path.lstrip("/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(step.content.replace("/opt/reproc", f"{tmp_path}/opt/reproc"))
                file.chmod(step.mode)
        arguments = [tmp_path / "opt/reproc/enter", "/bin/sh", "-c", command, "sh", "arg"]
        return subprocess.run(
            arguments, env={"PATH": "/usr/bin:/bin", **environment}, cwd="/", capture_output=True, text=True
        )

    return run


@pytest.mark.parametrize(
    ("activate", "said"),
    [
        (("export A='x  y'",), "x  y|b||/|arg"),
        (("export A=\"it's\n%post\"",), "it's\n%post|b||/|arg"),
        (("A=1; unset B", "export A=$A${B-gone}"), "1gone|||/|arg"),
        (("cd /tmp; export A=\"$#\"",), "0|b||/|arg"),
        (("export C=1; PATH=/nowhere; export PATH",), "|b|1|/|arg"),
        (("set -eu; set -- x; IFS=,; umask 0; export A=1; : \"${NOPE-}\"",), "1|b||/|arg"),
        (("set -a; A=1", "B=2"), "1|2||/|arg"),
        (("echo noise", "echo more; A=1 true; B=c"), "|c||/|arg"),
    ],
)  # fmt: skip
def test_only_variables_pass_an_activation(
    entered: Callable[..., subprocess.CompletedProcess[str]], activate: tuple[str, ...], said: str
) -> None:
    done = entered(*activate, command='printf %s "${A-}|${B-}|${C-}|$(pwd)|$1"', B="b")
    assert done.returncode == 0, done.stderr
    assert done.stdout == said
    leaks = entered(*activate, command="/usr/bin/env | /bin/grep -c _reproc_", B="b")
    assert leaks.stdout == "0\n"


@pytest.mark.parametrize("activate", [("false",), (". /nowhere",), ("if",), ("true", "(exit 3)")])
def test_nothing_runs_behind_an_activation_that_fails(
    entered: Callable[..., subprocess.CompletedProcess[str]], activate: tuple[str, ...]
) -> None:
    done = entered(*activate, command="echo ran")
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr


def test_an_activation_runs_once(
    entered: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = entered("export A=x$A", command=f"{tmp_path}/opt/reproc/enter printenv A")
    assert done.stdout == "x\n", done.stderr
