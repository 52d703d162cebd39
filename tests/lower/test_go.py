"""What Go leaves behind is taken away behind the builds that run in the image, and only there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reproc.graph import BuildGraph, Run, Script
from reproc.lower.go import FORGET, PLACES

Lower = Callable[..., BuildGraph]
SPEC = "reproc 1\nbase debian bookworm { from bootstrap }\n"


@pytest.mark.parametrize(
    ("text", "forgets"),
    [
        ('toolchain go 1.19\nbuild a { using go 1.19; in /a; run "go build" }', True),
        ('toolchain go 1.22\nbuild a { using go 1.22; in /a; run "go build" }', True),
        ('toolchain go 1.19\nbuild a { using go 1.19; in /a; run "go build"; keep /opt/a }', False),
        ('toolchain go 1.19\nbuild a { in /a; run "make" }', False),
    ],
)
def test_only_behind_builds_in_the_image(text: str, forgets: bool, lowered: Lower) -> None:
    runs = [step for stage in lowered(SPEC + text).stages for step in stage.steps if isinstance(step, Run)]
    assert [each.lines == FORGET for each in runs[-1:]] == [forgets]


def test_the_home_of_whoever_builds_is_left_alone(lowered: Lower) -> None:
    text = 'toolchain go 1.19\nbuild a { using go 1.19; in /a; run "go build"; keep /opt/a }'
    scripts = [
        step for stage in lowered(SPEC + text).stages for step in stage.steps if isinstance(step, Script)
    ]
    (environment,) = ({each.name: each.value for each in step.environment} for step in scripts)
    assert PLACES.items() <= environment.items()
