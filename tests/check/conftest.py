"""A folder with a few files beside the spec; lets the tests of this folder import what lies beside them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reproc.folder import Folder

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    from spec_folder import fill

    root: Path = tmp_path_factory.mktemp("spec")
    fill(root)
    return Folder(root)
