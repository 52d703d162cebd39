"""What this machine has that a test may need."""

from __future__ import annotations

import shutil
from pathlib import Path

from reproc.model import Cuda, Needs
from reproc.record import record
from reproc.verify.host import Host


@record
class Machine:
    """What was found here."""

    gpu: bool
    mpi: bool
    network: bool
    host: Host | None = None
    """Its processor and GPUs, where they were looked at."""

    @classmethod
    def look(cls) -> Machine:
        """Looks at devices, programs and routes; asks nothing outside."""
        return cls(
            gpu=Path("/dev/nvidiactl").exists(),
            mpi=any(shutil.which(name) for name in ("mpirun", "mpiexec", "srun")),
            network=_has_route(),
            host=Host.look(),
        )

    def lacks(self, need: Needs, cuda: Cuda | None = None) -> str | None:
        """Why a test that needs this, with programs made by that CUDA, cannot run here; None if it can."""
        match need.what:
            case "gpu" if not self.gpu:
                return "no NVIDIA GPU is here"
            case "gpu":
                return next(self.host.refuses_cuda(cuda), None) if self.host and cuda else None
            case "mpi":
                return None if self.mpi else "no MPI launcher is here (`mpirun`, `mpiexec` or `srun`)"
            case "network":
                return None if self.network else "no network is here"
            case _:
                name = f" `{need.name}`" if need.name else ""
                return f"data{name} is not on this machine"


def _has_route() -> bool:
    """Whether there is a default route (proc(5), /proc/net/route: destination and mask are zero)."""
    for path, column, zero in (("/proc/net/route", 1, "0" * 8), ("/proc/net/ipv6_route", 0, "0" * 32)):
        try:
            rows = [line.split() for line in Path(path).read_text(encoding="ascii").splitlines()]
        except OSError:
            continue
        if any(len(row) > column and row[column] == zero and row[-1] != "lo" for row in rows):
            return True
    return False
