"""Makes the readers here importable, and gives tests a snapshot service."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from standin import Snapshots


@pytest.fixture(scope="session", autouse=True)
def _same_moment() -> Iterator[None]:
    """Gives all locks of a day the same moment, so that they share bases, which take long to make."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", str(int(time.time()) // 86_400 * 86_400))
        yield


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Snapshots]:
    """A stand-in for the snapshot services, on loopback."""
    from standin import snapshots

    (tmp_path / "cache").mkdir()
    with snapshots(tmp_path / "cache") as running:
        yield running
