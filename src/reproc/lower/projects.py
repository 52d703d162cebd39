"""Python projects that are built in the image: installed code, and packages that come as source archives.

Each is built in a virtual environment of its own that holds exactly the locked tools, and only the wheel that
comes out goes into the author's environment. Everything stands in one directory, so that no name of a temporary
one gets into what is compiled.
"""

from __future__ import annotations

from reproc.check import place_of_code
from reproc.check.tools import default_tools
from reproc.graph import MOUNT, Run, Step
from reproc.lock.model import BuildTools, PythonEnvironment
from reproc.lower.environment import TOOLS
from reproc.lower.packages import PIP, PIP_SETTINGS, download, is_built, new_environment, pinned
from reproc.lower.plan import Shape
from reproc.lower.work import Work
from reproc.source import Span
from reproc.target import quote

_PLACE = f"{MOUNT}/project"
_PYTHON = f"{_PLACE}/tools/bin/python"


def project_steps(work: Work) -> list[Step]:
    """Builds and installs the projects of every environment."""
    environments = work.plan.locked.python if work.plan.locked else ()
    return [_project(work, each, tools) for each in environments if not each.old for tools in each.tools]


def _project(work: Work, environment: PythonEnvironment, tools: BuildTools) -> Run:
    kind, _, name = tools.project.rpartition(" ")
    source, fetched, mounts = _archive(work, environment, name) if not kind else _code(work, name)
    folder = f"build-wheels/{environment.name}/{tools.project.replace(' ', '.')}"
    wheels, names = f"{MOUNT}/{folder}", [pinned(wheel) for wheel in tools.wheels]
    standalone = work.shape is Shape.STANDALONE
    lines = [*new_environment(environment.interpreter, f"{_PLACE}/tools")]
    if names:
        if standalone:
            lines += _fetched(environment, names, wheels, "--only-binary :all:")
        lines.append(f"{_PYTHON} -m pip install {PIP} --no-deps --no-index {wheels}/*.whl")
        mounts = (*mounts, folder)
    lines += [
        f"export PATH={_PLACE}/tools/bin:$PATH",
        *_compilers(work),
        *(fetched if standalone else ()),
        *source,
        f"{_PYTHON} -m pip wheel {PIP} --no-deps --no-index --no-build-isolation -w {_PLACE}/wheel {_PLACE}/source",
        f"wheel=$(basename {_PLACE}/wheel/*.whl)",
        f"{environment.prefix}/bin/pip install {PIP} --no-deps --no-index --find-links {_PLACE}/wheel"
        ' "${wheel%%-*}"',
        f"rm -rf {_PLACE}" + (f" {MOUNT}/build-wheels {MOUNT}/wheels" if standalone else ""),
    ]
    title = f"Python project {tools.project.removeprefix('code ')} in {environment.prefix}"
    if standalone:
        settings, origin = (PIP_SETTINGS,), _origin(work, environment, name)
        return Run(title, tuple(lines), network=True, settings=settings, origin=origin)
    return Run(title, tuple(lines), mounts=mounts, origin=_origin(work, environment, name))


def _code(work: Work, name: str) -> tuple[list[str], list[str], tuple[str, ...]]:
    """How the code gets to where it is built: a copy, since building leaves things beside it."""
    place = next(place_of_code(each) for each in work.target.code if each.name == name).rstrip("/")
    return [f"cp -R {quote(place)} {_PLACE}/source"], [], ()


def _archive(
    work: Work, environment: PythonEnvironment, name: str
) -> tuple[list[str], list[str], tuple[str, ...]]:
    """How a source archive gets to where it is built, and what fetches it."""
    found = next(each for each in environment.wheels if each.name == name and not is_built(each))
    folder = f"wheels/{environment.name}"
    path = quote(f"{MOUNT}/{folder}/{found.filename}")
    unpack = (
        f"{_PYTHON} -m zipfile -e {path} {_PLACE}/unpacked"
        if found.filename.endswith(".zip")
        else f"tar -C {_PLACE}/unpacked --no-same-owner -xf {path}"
    )
    source = [f"mkdir {_PLACE}/unpacked", unpack, f"mv {_PLACE}/unpacked/* {_PLACE}/source"]
    # to fetch an archive, pip asks its build for the name and the version
    forms = f"--no-binary {name} --no-build-isolation"
    fetched = _fetched(environment, [pinned(found)], f"{MOUNT}/{folder}", forms)
    return source, fetched, (folder,)


def _fetched(environment: PythonEnvironment, names: list[str], directory: str, forms: str) -> list[str]:
    requirements = f"{_PLACE}/requirements.txt"
    words = " ".join(quote(name) for name in names)
    get = download(f"{_PYTHON} -m pip", environment.index, directory, requirements, forms)
    return [f"printf '%s\\n' {words} > {requirements}", *get]


def _compilers(work: Work) -> list[str]:
    """The image's default tool chains, as builds see them."""
    return [
        f"export {variable}={TOOLS}/{tool.key}/{command}"
        for tool in default_tools(work.target)
        for variable, command in tool.variables
    ]


def _origin(work: Work, environment: PythonEnvironment, name: str) -> Span | None:
    python = next(each for each in work.target.pythons if each.identity[0] == environment.name)
    return next((item.origin for item in python.install if item.text == name), python.origin)
