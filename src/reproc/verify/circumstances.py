"""Other circumstances for a second build, so that what an image owes to its machine shows.

No step takes anything from a cache, and the clock shows another second. Another path, hostname, umask and number of
processors are what `elsewhere` and the engines see to; which of them the steps really saw is in `Built.varied`. Both
engines keep the umask from every build (BuildKit's steps have 022, Apptainer's 002), BuildKit and our namespaces the
path.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reproc.record import replace
from reproc.verify.plan import Recipe
from reproc.verify.workspace import remove_tree

HOSTNAME = "elsewhere"
UMASK = 0o077


def several_processors() -> bool:
    """Whether a build on one processor is another circumstance here."""
    return (os.cpu_count() or 1) > 1


def limited() -> bool:
    """Whether this process may not use every processor."""
    return len(os.sched_getaffinity(0)) < (os.cpu_count() or 1)


@contextmanager
def elsewhere(recipe: Recipe, folder: Path) -> Iterator[Recipe]:
    """The same recipe for a build under other circumstances: those of this process are changed while it lasts."""
    context = folder / "another place" / "context"
    context.parent.mkdir(parents=True)
    shutil.copytree(recipe.context, context, symlinks=True, copy_function=_link)
    umask, processors = os.umask(UMASK), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(processors)} if len(processors) > 1 else range(os.cpu_count() or 1))
    time.sleep(1 - time.time() % 1)  # steps of the first build may have been in this second
    try:
        yield replace(
            recipe,
            target=f"{recipe.target}-rebuild",
            tag=f"{recipe.tag}-rebuild",
            context=context,
            file=context / recipe.file.relative_to(recipe.context),
            elsewhere=True,
        )
    finally:
        os.sched_setaffinity(0, processors)
        os.umask(umask)
        remove_tree(context.parent)


def _link(source: str, destination: str) -> None:
    try:
        os.link(source, destination)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, destination)
