"""What compilers are told of a target's hardware where a build asks for it, by the variables that they read."""

from __future__ import annotations

from collections.abc import Mapping

from reproc import catalog
from reproc.catalog import cuda as toolkits
from reproc.catalog import processors
from reproc.catalog.flags import flags
from reproc.check import Target
from reproc.check.tools import flags_of
from reproc.model import Build, Cuda

_COMPILERS = ("CFLAGS", "CXXFLAGS", "FFLAGS", "FCFLAGS")
"""What Autoconf, CMake, Meson and setuptools read for C, C++ and Fortran."""
_OPTIMISED = "-O2"
"""Autoconf's own default goes where the variable is set (Autoconf's manual, "Preset Output Variables")."""
_GO = "x86_64_v"


def with_flags(
    target: Target, build: Build, tools: tuple[catalog.Toolchain, ...], values: Mapping[str, str]
) -> dict[str, str]:
    """A build's variables with those that it asks for; what the author sets stays, and comes last.

    Of two flags that say different things, compilers take the last one.
    """
    asked = {item.text for item in build.flags}
    found = dict(values)
    if "cpu" in asked and target.cpu:
        for name, said in _processor(target, build, tools).items():
            own = values.get(name, _OPTIMISED if name in _COMPILERS else None)
            found[name] = said if own is None else f"{said} {own}"
    if "gpu" in asked and target.cuda:
        found = {**_gpus(target.cuda), **found}
    return found


def _processor(target: Target, build: Build, tools: tuple[catalog.Toolchain, ...]) -> dict[str, str]:
    said = flags_of(target, build)
    level = processors.level(target.cpu.text) if target.cpu else None
    assert said is not None, "the spec was checked"
    assert level is not None, "the spec was checked"
    found = dict.fromkeys(_COMPILERS, said)
    names = {tool.name for tool in tools}
    if "rust" in names:
        name = (flags(level, frozenset(), None) or said).partition("=")[2].partition(" ")[0]
        # of arm64's levels, which name no processor, rustc knows nothing
        found |= {} if name.startswith("armv") else {"RUSTFLAGS": f"-C target-cpu={name}"}
    if "go" in names and level.name.startswith(_GO):
        found["GOAMD64"] = f"v{level.name.removeprefix(_GO)}"
    return found


def _gpus(cuda: Cuda) -> dict[str, str]:
    """Machine code for every GPU, and of the newest also PTX, which drivers compile for later ones."""
    names = {
        gpu.removeprefix("sm_") for item in cuda.arch for gpu in toolkits.expanded(item.text, cuda.version)
    }
    order = sorted(names, key=lambda name: (int(name.rstrip("af")), name))
    newest = next((name for name in reversed(order) if name.isdecimal()), None)
    cmake = ";".join(name if name == newest else f"{name}-real" for name in order)
    torch = ";".join(_dotted(name) + ("+PTX" if name == newest else "") for name in order)
    # CMake reads the first (3.20 and newer); the second is its option's name, which many projects read themselves
    return {"CUDAARCHS": cmake, "CMAKE_CUDA_ARCHITECTURES": cmake, "TORCH_CUDA_ARCH_LIST": torch}


def _dotted(name: str) -> str:
    """`9.0a` of `90a`."""
    number = name.rstrip("af")
    return f"{number[:-1]}.{number[-1]}{name[len(number) :]}"
