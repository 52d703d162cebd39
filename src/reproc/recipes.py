"""The files of `reproc compile`: recipes for people, the bake file and the manifest."""

from __future__ import annotations

import hashlib
import json

from reproc.diagnostics import Diagnostic, Outcome
from reproc.diagnostics.diagnostic import once
from reproc.lock.model import BootstrapBase, Lock
from reproc.lock.requests import BootstrapRequest, TargetRequest
from reproc.lower import Shape, base_archive
from reproc.pipeline import Project, graph, render
from reproc.record import record
from reproc.registry import backend
from reproc.version import VERSION


@record
class RecipeFile:
    """A file below the output folder."""

    path: str
    text: str
    target: str | None = None
    backend: str | None = None
    executable: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def recipes(
    project: Project, requests: tuple[TargetRequest, ...], names: tuple[str, ...], folder: str
) -> Outcome[tuple[RecipeFile, ...]]:
    """The recipes of some targets for some back ends (all if none is named), sorted by path.

    `folder` is the output folder as seen from the spec's, with `/` between its parts.
    """
    found: list[Diagnostic] = []
    files: list[RecipeFile] = []
    for request in requests:
        files += _recipes_of(project, request, names, found)
    if any(each.code.id.startswith("E") for each in found):
        return Outcome(None, once(found))
    bootstrap = _bootstrap(project, requests)
    files += [RecipeFile("bootstrap.sh", bootstrap, executable=True)] if bootstrap else []
    docker = [file for file in files if file.path.endswith("/Dockerfile")]
    files += [RecipeFile("docker-bake.hcl", _bake(docker, folder))] if docker else []
    files.sort(key=lambda file: file.path)
    return Outcome((*files, RecipeFile("manifest.json", _manifest(project, files, folder))), once(found))


def _recipes_of(
    project: Project, request: TargetRequest, names: tuple[str, ...], found: list[Diagnostic]
) -> list[RecipeFile]:
    lowered = graph(project, request, Shape.STANDALONE)
    found += lowered.diagnostics
    target = next(each for each in project.spec.targets if each.name == request.name)
    files: list[RecipeFile] = []
    for name in target.backends if lowered.value else ():
        if names and name not in names:
            continue
        loaded = backend(name)
        found += loaded.diagnostics
        rendered = (
            render(lowered.value, loaded.value, Shape.STANDALONE) if lowered.value and loaded.value else None
        )
        found += rendered.diagnostics if rendered else ()
        for artifact in (rendered.value if rendered else None) or ():
            files.append(RecipeFile(f"{request.name}/{artifact.filename}", artifact.text, request.name, name))
    return files


def _bootstrap(project: Project, requests: tuple[TargetRequest, ...]) -> str | None:
    """The script that makes every bootstrapped base of these targets."""
    texts: dict[str, str] = {}
    for request in requests:
        locked = project.locked(request.name)
        systems = locked.systems if locked else (None,) * (len(request.further) + 1)
        for asked, found in zip((request, *request.further), systems, strict=True):
            if not isinstance(asked.base, BootstrapRequest):
                continue
            base = found.base if found and isinstance(found.base, BootstrapBase) else None
            path = base_archive(base, asked.base)
            texts[path] = (
                _locked_base(project.lock, base)
                if project.lock and base
                else _floating_base(asked.base, path)
            )
    if len(texts) < 2:
        return next(iter(texts.values()), None)
    parts = "\n".join(f"(\n{text}\n)" for text in texts.values())
    return f"#!/bin/sh\n# Makes the root file systems that these recipes stand on.\nset -eu\n{parts}\n"


def _locked_base(lock: Lock, base: BootstrapBase) -> str:
    from reproc.lock.providers.bootstrap import bootstrap_script

    return bootstrap_script(base, lock)


def _floating_base(request: BootstrapRequest, path: str) -> str:
    """For a spec without a lock: whatever the archive holds on the day."""
    return f"""\
#!/bin/sh
# Makes the root file system that the recipes beside this file stand on: {path}
# Not locked: its packages are those of the day. `reproc lock` and `reproc compile` pin them.
# Needs: mmdebstrap; root, or unprivileged user namespaces.
set -eu
mkdir -p .reproc/base
mmdebstrap --variant=minbase {request.release} {path}
"""


def _bake(files: list[RecipeFile], folder: str) -> str:
    """A bake file with a target for each Dockerfile; names may hold no dots there."""
    named = [((file.target or "").replace(".", "_"), file) for file in files]
    listed = ", ".join(f'"{name}"' for name, _ in named)
    lines = [
        f"# docker buildx bake -f {folder}/docker-bake.hcl",
        "",
        'group "default" {',
        f"  targets = [{listed}]",
        "}",
    ]
    for name, file in named:
        lines += ["", f'target "{name}" {{', '  context    = "."']
        lines += [
            f'  dockerfile = "{folder}/{file.path}"',
            f'  tags       = ["{(file.target or "").lower()}"]',
            "}",
        ]
    return "\n".join(lines) + "\n"


def _manifest(project: Project, files: list[RecipeFile], folder: str) -> str:
    spec = hashlib.sha256(project.source.text.encode()).hexdigest()
    listed = [
        {
            "path": f"{folder}/{file.path}",
            "target": file.target,
            "backend": file.backend,
            "sha256": file.sha256,
        }
        for file in files
    ]
    document = {
        "version": 1,
        "reproc": VERSION,
        "spec": {"path": project.spec.path.rpartition("/")[2], "sha256": spec},
        "lock": {"sha256": project.lock_sha256} if project.lock_sha256 else None,
        "files": listed,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
