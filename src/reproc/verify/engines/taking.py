"""Making a SIF out of another engine's image, with Apptainer's own command."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from reproc.progress import Progress
from reproc.verify.process import Log, follow
from reproc.verify.sandbox import Sandbox

_PASSED_ON = ("DOCKER_HOST", "APPTAINER_NOHTTPS", "APPTAINER_DOCKER_USERNAME", "APPTAINER_DOCKER_PASSWORD")


def take(
    command: Sequence[str],
    source: str,
    environment: Mapping[str, str],
    folder: Path,
    sandbox: Sandbox,
    *,
    network: bool,
    progress: Progress,
    log: Path,
) -> tuple[int, list[str]]:
    """Makes `image.sif` in a folder by a build command that lacks its last words; its exit status and its output.

    Raises OSError. As root of a namespace, where that can be had, so that owners stay what they are.
    """
    said: list[str] = []
    arguments = [*command, str(folder / "image.sif"), source]
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    if sandbox.root is not None:
        arguments = sandbox.argv(sandbox.root, arguments, network=network, workdir=str(folder))
    with Log(log) as file:

        def tell(line: str) -> None:
            file.write(line + "\n")
            said.append(line)
            progress.note(line)

        code = follow(arguments, tell, environment={**environment, **passed}, folder=folder)
    return code, said
