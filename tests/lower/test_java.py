"""What Java's packages leave behind is settled in the very step that brings it, so that no layer keeps it."""

from __future__ import annotations

from collections.abc import Callable

from reproc.graph import BuildGraph, Run, WriteFile
from reproc.lower.java import FORGET

Lower = Callable[..., BuildGraph]
JAVA = """
reproc 1
base debian bookworm { from bootstrap }
system { packages ca-certificates-java }
python 3.11 { packages numpy }
build a { in /opt/a; run "java -jar a.jar" }
"""


def runs(graph: BuildGraph) -> list[Run]:
    return [step for stage in graph.stages for step in stage.steps if isinstance(step, Run)]


def test_each_layer_with_java_below_it_dates_the_key_store(lowered: Lower) -> None:
    graph = lowered(JAVA.lstrip())
    installs = [each for each in runs(graph) if any("apt-get install" in line for line in each.lines)]
    assert [each.title for each in installs] == ["system packages", "Python"]
    for each in installs:
        assert each.lines[-3:] == (
            "perl /.reproc.pl /etc/ssl/certs/java/cacerts changeit",
            FORGET,
            "rm /.reproc.pl",
        )
    written = [step for stage in graph.stages for step in stage.steps if isinstance(step, WriteFile)]
    assert sum(each.path == "/.reproc.pl" for each in written) == 2


def test_what_runs_in_the_image_leaves_no_folder_of_java_s_either(lowered: Lower) -> None:
    assert runs(lowered(JAVA.lstrip()))[-1].lines == (FORGET,)


def test_without_java_nothing_is_done(lowered: Lower) -> None:
    graph = lowered(JAVA.lstrip().replace("ca-certificates-java", "ca-certificates"))
    assert not [line for each in runs(graph) for line in each.lines if "java" in line]
