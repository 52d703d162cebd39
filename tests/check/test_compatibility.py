"""What goes together, row by row: the rules against tables that were not made from the catalogue."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reproc import catalog
from reproc.catalog import flags, processors
from reproc.check import check
from reproc.diagnostics import Diagnostic
from reproc.folder import Folder
from reproc.source import SourceFile
from reproc.syntax import parse

FACTS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("compatibility.toml").read_text("utf-8"))
ARCHIVE = '{ archive "https://example.org/gcc.tar.gz"; bin bin; languages c c++ }'
NEWEST = (999,)


def told(text: str, folder: Folder) -> tuple[Diagnostic, ...]:
    """What is wrong with a spec."""
    parsed = parse(SourceFile("repro.spec", f"reproc 1\n{text}"))
    assert parsed.value is not None, parsed.diagnostics
    return check(parsed.value, folder).errors


def reason(found: tuple[Diagnostic, ...], code: str) -> tuple[str, str]:
    """The message and the remedy of the one thing that is wrong."""
    (only,) = found
    assert only.code.id == code and only.help
    return only.message, only.help


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def bases(distribution: str) -> list[str]:
    return [each for each in FACTS["libc"][distribution] if catalog.release(distribution, each)]


# GCC and the base's libc


def packaged() -> Iterator[tuple[str, str, str, str]]:
    for distribution, rows in FACTS["gcc"].items():
        for release, versions in rows.items():
            for version in versions:
                for base in bases(distribution):
                    yield distribution, base, release, version


@pytest.mark.parametrize(("distribution", "base", "release", "version"), list(packaged()))
def test_packages_of_gcc(distribution: str, base: str, release: str, version: str, folder: Folder) -> None:
    """They stand on a base whose libc is as new as their release's; otherwise each remedy works."""
    libc = {each: number(row) for each, row in FACTS["libc"][distribution].items()}
    having = [each for each, rows in FACTS["gcc"][distribution].items() if version in rows]
    spec = f"base {distribution} {{}}\ntoolchain gcc {{}} {{{{ provider distro }}}}\n"
    found = told(spec.format(base, version), folder)
    if any(libc[each] <= libc[base] for each in having):
        assert not found
        return
    message, remedy = reason(found, "E0327")
    needed, has = (".".join(map(str, libc[each])) for each in (release, base))
    assert message.endswith(f"needs glibc {needed}, and {distribution} {base} has {has}")
    offered = re.fullmatch(r"write `gcc ([\d.]+)`, or choose (\w+) (\w+) as base", remedy)
    assert offered is not None, remedy
    assert not told(spec.format(base, offered[1]), folder)
    assert not told(f"base {offered[2]} {offered[3]}\ntoolchain gcc {version}\n", folder)


@pytest.mark.parametrize("base", bases("debian"))
@pytest.mark.parametrize(
    ("release", "version"), [(each, v) for each, rows in FACTS["images"]["gcc"].items() for v in rows]
)
def test_images_of_gcc(base: str, release: str, version: str, folder: Folder) -> None:
    libc = {each: number(row) for each, row in FACTS["libc"]["debian"].items()}
    spec = "base debian {}\ntoolchain gcc {} {{ provider image }}\n"
    found = told(spec.format(base, version), folder)
    older = any(  # the same version in an image that is built on an older release
        libc[each] <= libc[base]
        for each, rows in catalog.table("images.toml")["gcc"]["on"].items()
        if each in libc and version in rows
    )
    if libc[release] <= libc[base] or older:
        assert not found
        return
    message, remedy = reason(found, "E0327")
    assert f"`gcc {version}` of docker.io/library/gcc:{version}-" in message
    offered = re.fullmatch(r"write `gcc ([\d.]+)`, or choose debian (\w+) as base", remedy)
    assert offered is not None, remedy
    assert not told(spec.format(base, offered[1]), folder)
    assert not told(spec.format(offered[2], version), folder)


# Python and the base


@pytest.mark.parametrize("version", ["2.7", *(f"3.{minor}" for minor in range(6, 15))])
@pytest.mark.parametrize(
    ("distribution", "base"), [(d, each) for d, rows in FACTS["python"].items() for each in rows]
)
def test_python_of_a_base(distribution: str, base: str, version: str, folder: Folder) -> None:
    own = FACTS["python"][distribution][base]
    found = told(f"base {distribution} {base}\npython {version}\n", folder)
    # there is an archive, or bullseye's packages
    if version == own or version not in ("2.7", "3.6", "3.7") or (distribution, version) == ("debian", "2.7"):
        assert not found
    else:
        message, remedy = reason(found, "E0331")
        assert message == f"{distribution} {base} packages Python {own}, not {version}"
        bullseye = "choose `base debian bullseye`, whose release packages 2.7"
        assert remedy == bullseye if version == "2.7" else "linux/amd64 are known of 3.8." in remedy


@pytest.mark.parametrize("version", [f"3.{minor}" for minor in range(8, 15)])
@pytest.mark.parametrize(
    ("distribution", "base"), [(d, each) for d, rows in FACTS["python"].items() for each in rows]
)
def test_packaged_python_of_a_base(distribution: str, base: str, version: str, folder: Folder) -> None:
    own = FACTS["python"][distribution][base]
    said = f"python {version} {{ provider distro }}\n"
    found = told(f"base {distribution} {base}\n{said}", folder)
    if version == own:
        assert not found
        return
    message, remedy = reason(found, "E0331")
    assert message == f"{distribution} {base} packages Python {own}, not {version}"
    having = [(d, each) for d, rows in FACTS["python"].items() for each in rows if rows[each] == version]
    assert re.findall(r"`base (\w+) (\w+)`", remedy) == having
    for each in having:
        assert not told(f"base {each[0]} {each[1]}\n{said}", folder)


# the platform


@pytest.mark.parametrize(("version", "made"), [("4.4", False), ("4.7", False), ("4.8", True), ("4.9", True)])
def test_what_was_made_before_the_platform(version: str, made: bool, folder: Folder) -> None:
    spec = "base debian bookworm\nplatform linux/{}\ntoolchain gcc {}\n"
    assert not told(spec.format("amd64", version), folder)
    found = told(spec.format("arm64", version), folder)
    if made:
        assert not found
        return
    message, remedy = reason(found, "E0365")
    assert message.endswith("is of debian wheezy, which was not made for linux/arm64")
    assert remedy == "the nearest that has some is `gcc 4.8.4`"
    assert not told(spec.format("arm64", "4.8.4"), folder)


# CUDA


def cuda_spec(version: str, inside: str = "", rest: str = "") -> str:
    body = f" {{ {inside} }}" if inside else ""
    return f'base image "nvidia/cuda:x" {{ is ubuntu jammy }}\ncuda {version}{body}\n{rest}'


def compiler(version: str) -> str:
    return f'toolchain gcc {version} {ARCHIVE}\nbuild a {{ using gcc {version}; in /a; run "nvcc a.cu" }}\n'


def takes(newest: str, gcc: str) -> bool:
    return number(gcc)[: newest.count(".") + 1] <= number(newest)


@pytest.mark.parametrize(("version", "row"), FACTS["cuda"].items())
def test_the_newest_compiler_of_cuda(version: str, row: dict[str, str], folder: Folder) -> None:
    newest = number(row["gcc"])
    above = (*newest[:-1], newest[-1] + 1)
    below = ["4.8.5", f"{row['gcc']}.0", f"{row['gcc']}.99", row["gcc"]]
    for gcc in below:
        assert not told(cuda_spec(version, rest=compiler(gcc)), folder), gcc
    for gcc in (".".join(map(str, above)), ".".join(map(str, (*above, 0)))):
        message, remedy = reason(told(cuda_spec(version, rest=compiler(gcc)), folder), "E0397")
        assert message == f"CUDA {version} does not work with GCC {gcc}"
        offered = re.fullmatch(
            r"use GCC ([\d.]+) or older(?:, or CUDA `([\d.]+)`(?: to `([\d.]+)`)?)?", remedy
        )
        assert offered is not None and offered[1] == row["gcc"]
        for other in filter(None, offered.groups()[1:]):
            assert not told(cuda_spec(other, rest=compiler(gcc)), folder)
        fitting = [
            v
            for v, each in FACTS["cuda"].items()
            if number(gcc)[: len(number(each["gcc"]))] <= number(each["gcc"])
        ]
        assert (offered[2], offered[3] or offered[2]) == (
            (fitting[0], fitting[-1]) if fitting else (None, None)
        )


def test_a_partial_version_is_what_it_stands_for(folder: Folder) -> None:
    """Jammy's GCC 11 is 11.4, and CUDA 11.5 takes none after 11.1."""
    spec = cuda_spec("11.5", rest='toolchain gcc 11\nbuild a { using gcc 11; in /a; run "nvcc a.cu" }\n')
    message, _ = reason(told(spec, folder), "E0397")
    assert message == "CUDA 11.5 does not work with GCC 11.4.0"


@pytest.mark.parametrize(("version", "row"), FACTS["cuda"].items())
def test_the_oldest_driver_of_cuda(version: str, row: dict[str, str], folder: Folder) -> None:
    oldest = FACTS["families"].get(version.partition(".")[0]) or row["driver"]
    parts = number(oldest)
    text = oldest.split(".")
    step = ".".join((*text[:-1], str(parts[-1] - 1).zfill(len(text[-1]))))
    for driver in (oldest, text[0], str(parts[0] + 1), f"{oldest}.1"):
        assert not told(cuda_spec(version, f"driver >={driver}"), folder), driver
    for driver in (step, str(parts[0] - 1)):
        message, remedy = reason(told(cuda_spec(version, f"driver >={driver}"), folder), "E0398")
        assert message == f"CUDA {version} does not run on every driver >={driver}"
        assert remedy == f"write `driver >={oldest}` or newer"


@pytest.mark.parametrize(("version", "row"), [(v, row) for v, row in FACTS["cuda"].items() if "sm" in row])
def test_what_cuda_compiles_for(version: str, row: dict[str, str], folder: Folder) -> None:
    able = row["sm"].split()
    assert not told(cuda_spec(version, f"arch {' '.join(f'sm_{each}' for each in able)}"), folder)
    every = {each for other in FACTS["cuda"].values() for each in other.get("sm", "").split()}
    for each in sorted(every - {*able}):
        message, remedy = reason(told(cuda_spec(version, f"arch sm_{each}"), folder), "E0396")
        assert message == f"CUDA {version} does not compile for `sm_{each}`"
        for other in re.findall(r"`([\d.]+)`", remedy):
            assert each in FACTS["cuda"][other].get("sm", each).split()


@pytest.mark.parametrize(("architecture", "limits"), FACTS["sm"].items())
def test_since_when_cuda_compiles_for_it(architecture: str, limits: list[str], folder: Folder) -> None:
    first, last = (number(each) if each else NEWEST for each in limits)
    for version in FACTS["cuda"]:
        found = told(cuda_spec(version, f"arch sm_{architecture}"), folder)
        fits = first <= number(version) <= last
        assert [each.code.id for each in found] == ([] if fits else ["E0396"]), version


# GCC and the processor


def around(version: str) -> Iterator[tuple[str, bool]]:
    """Releases just below a version, at it and just above, and whether they have what came with it."""
    parts = number(version)
    major, minor = (*parts, 0)[:2]
    # x.y.1 and later are on the way to x.(y+1).0 since 5.1, so that the release before is x.(y-1).0
    yield f"{major}.{minor}.{parts[2] if len(parts) > 2 else 0}", True
    yield f"{major}.{minor + 1}.0", True
    yield (f"{major}.{minor - 1}.0" if minor else f"{major - 1}.0.0"), False


LEVELS = list(FACTS["march"].items())


@pytest.mark.parametrize(("level", "rows"), LEVELS)
def test_the_flags_of_a_level(level: str, rows: list[tuple[str, str, str]]) -> None:
    """At both ends of every range, and below the first."""
    found = processors.level(level)
    assert found is not None
    for first, last, wanted in rows:
        for version in filter(None, (first, last)):
            # a range that ends at 12.2 ends before 12.3.0, so that its last release is 12.2.0
            full = version if version.count(".") > 1 else f"{version}.0"
            assert flags.flags(found, frozenset(), full) == wanted, version
    first = rows[0][0]
    if first:
        below = next(version for version, has in around(first) if not has)
        assert flags.flags(found, frozenset(), below) is None


def march_since() -> dict[str, str]:
    """The first GCC that any row has a name behind -march= for."""
    since: dict[str, str] = {}
    for rows in FACTS["march"].values():
        for first, _, text in rows:
            match = re.search(r"-march=(\S+)", text)
            assert match is not None
            if first and (match[1] not in since or number(first) < number(since[match[1]])):
                since[match[1]] = first
    del since["x86-64"]  # a row without a first version has it, too
    return since


def build_for(gcc: str, command: str) -> str:
    tool = f"toolchain gcc {gcc} {ARCHIVE}\n"
    return f'base debian bookworm\n{tool}build a {{ using gcc {gcc}; in /a; run "{command}" }}\n'


@pytest.mark.parametrize(("name", "since"), march_since().items())
def test_names_that_a_compiler_knows(name: str, since: str, folder: Folder) -> None:
    """Below its first GCC a name is refused; what is offered instead is accepted there."""
    for version, knows in around(since):
        found = told(build_for(version, f"gcc -march={name} a.c"), folder)
        if knows:
            assert not found, version
            continue
        message, remedy = reason(found, "E0339")
        assert message == f"gcc {version} does not know `-march={name}`"
        if offered := re.match(r"write `([^`]+)`", remedy):
            assert not told(build_for(version, f"gcc {offered[1]} a.c"), folder)
        else:
            assert remedy == f"use GCC {since} or newer"


@pytest.mark.parametrize(("level", "rows"), LEVELS)
def test_a_compiler_too_old_for_the_target_s_processor(
    level: str, rows: list[tuple[str, str, str]], folder: Folder
) -> None:
    first = rows[0][0]
    spec = "cpu {cpu}\n{rest}"
    for version, has in around(first) if first else ():
        rest = build_for(version, "make").replace('run "make"', 'flags cpu; run "make"')
        found = told(spec.format(cpu=processors.written(level), rest=rest), folder)
        if has:
            assert not found, version
        else:
            message, remedy = reason(found, "E0361")
            assert message == f"no flags of gcc {version} are known that say `{processors.written(level)}`"
            assert remedy == f"use GCC {first} or newer"


@pytest.mark.parametrize("version", ["4.4", "4.6", "4.7"])
def test_what_only_another_distribution_has(version: str, folder: Folder) -> None:
    message, remedy = reason(told(f"base ubuntu jammy\ntoolchain gcc {version}\n", folder), "E0321")
    assert message == f"nothing provides `gcc {version}` for ubuntu jammy"
    assert remedy.startswith("wheezy packages it, for a `base debian`; the nearest here is `gcc 4.9.4`; ")
    assert not told(f"base debian bookworm\ntoolchain gcc {version}\n", folder)
    assert not told("base ubuntu jammy\ntoolchain gcc 4.9.4\n", folder)
