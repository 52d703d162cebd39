"""Makes the readers here importable, and gives tests a snapshot service."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from standin import Snapshots


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Snapshots]:
    """A stand-in for the snapshot services, on loopback."""
    from standin import snapshots

    (tmp_path / "cache").mkdir()
    with snapshots(tmp_path / "cache") as running:
        yield running
