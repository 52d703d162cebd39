"""Environments of other Pythons than the base's release packages, and of those that compile by chance."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reproc.graph import BuildGraph, Run
from reproc.lower import Shape

Lower = Callable[..., BuildGraph]


def environment(graph: BuildGraph) -> list[str]:
    """The lines that make the environment."""
    (run,) = [
        step
        for step in graph.stages[-1].steps
        if isinstance(step, Run) and step.title.startswith("Python environment")
    ]
    return [line for line in run.lines if " -m " in line or line.startswith("export ")]


def titles(graph: BuildGraph) -> list[str]:
    return [step.title for stage in graph.stages for step in stage.steps]


OLD = [
    "export PYTHONHASHSEED=0",
    "python{0} -m venv --without-pip /opt/venv",
    "/opt/venv/bin/python -m ensurepip --upgrade --default-pip",
]


@pytest.mark.parametrize(
    ("base", "python", "lines"),
    [
        ("debian bookworm", "3.11", ["python3.11 -m venv /opt/venv"]),
        ("debian bullseye", "3.9", OLD),
        ("ubuntu jammy", "3.10", OLD),
    ],
)
def test_sets_before_3_11_are_put_in_order(base: str, python: str, lines: list[str], lowered: Lower) -> None:
    graph = lowered(f"reproc 1\nbase {base}\npython {python} {{ packages numpy }}\n")
    assert environment(graph) == [line.format(python) for line in lines]
    assert "Python" in titles(graph)


@pytest.mark.parametrize("version", ["3.8", "3.8.20", "3.12"])
@pytest.mark.parametrize("shape", [Shape.VENDORED, Shape.STANDALONE])
def test_an_interpreter_of_the_base_image(version: str, shape: Shape, lowered: Lower) -> None:
    """No package brings it, and its wheels are those of its minor version."""
    graph = lowered(
        'reproc 1\nbase image "python:x" { is debian bookworm }\n'
        f"python {version} {{ provider image; packages numpy }}\n",
        shape=shape,
    )
    minor = "3.12" if version == "3.12" else "3.8"
    assert any(line.startswith(f"python{minor} -m venv ") for line in environment(graph))
    assert "Python" not in titles(graph)
