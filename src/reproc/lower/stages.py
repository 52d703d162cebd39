"""The stages in which kept builds run: one for each set of tools in use, as far as their order allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reproc.check import Target, place_of_code, place_of_data
from reproc.check.tools import tools_of
from reproc.lock.requests import TOOLS, ground_of, layer_on, toolset_name
from reproc.model import Build


@dataclass
class BuildStage:
    """Builds that run one after another with the same tools."""

    name: str
    toolset: str | None
    """The layer of packages with the tools; None if the builds use none."""
    ground: str | None = None
    """The base that they stand on, if it is not the target's."""
    builds: list[Build] = field(default_factory=list)


def build_stages(target: Target) -> tuple[BuildStage, ...]:
    """Stages for the kept builds; one that needs another's kept paths comes after it."""
    stages: list[BuildStage] = []
    place: dict[str, int] = {}
    for build in target.builds:
        if not build.keep:
            continue
        tools = tools_of(target, build)
        ground = ground_of(target, build)
        toolset = layer_on(ground, toolset_name(tools)) if tools else None
        earliest = max((place[item.text] for item in build.after if item.text in place), default=0)
        index = next(
            (
                i
                for i, stage in enumerate(stages)
                if i >= earliest and (stage.toolset, stage.ground) == (toolset, ground)
            ),
            None,
        )
        if index is None:
            index = len(stages)
            name = toolset or layer_on(ground, f"{TOOLS}-none")
            stages.append(BuildStage(_name(name, stages), toolset, ground))
        stages[index].builds.append(build)
        place[build.name] = index
    return tuple(stages)


def _name(wanted: str, stages: list[BuildStage]) -> str:
    taken = {stage.name for stage in stages}
    numbered = (f"{wanted}-{number}" for number in range(2, len(stages) + 3))
    return next(name for name in (wanted, *numbered) if name not in taken)


def inputs_of(target: Target, build: Build) -> tuple[str, ...]:
    """The keys of the code and data that a build sees: those it names, else those whose place holds it."""
    places = {f"code {each.name}": place_of_code(each) for each in target.code}
    places |= {f"data {each.name}": place_of_data(each) for each in target.data if each.at != "run"}
    if build.inputs:
        named = {item.text for item in build.inputs}
        chosen = {key: place for key, place in places.items() if key.partition(" ")[2] in named}
    else:
        where = f"{target.place(build)}/"
        chosen = {k: place for k, place in places.items() if where.startswith(f"{place.rstrip('/')}/")}
    return tuple(parents_first(chosen))


def parents_first(places: Mapping[str, str]) -> list[str]:
    """The keys in their order, but what lies below another's place behind that.

    What is then done to all files of the outer one does not reach the inner one's.
    """
    plain = {key: f"{place.rstrip('/')}/" for key, place in places.items()}

    def above(key: str) -> int:
        return sum(plain[key].startswith(place) for each, place in plain.items() if each != key)

    return sorted(places, key=above)
