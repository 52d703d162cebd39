"""What this machine has that a test may need."""

from __future__ import annotations

import shutil
from pathlib import Path

from reproc.check import Target
from reproc.model import Needs
from reproc.record import record
from reproc.verify.host import Host


@record
class Machine:
    """What was found here."""

    gpu: bool
    """Whether an NVIDIA GPU can be used."""
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

    def lacks(self, need: Needs, target: Target | None = None) -> str | None:
        """Why a test of a target that needs this cannot run here; None if it can."""
        match need.what:
            case "gpu":
                return self._lacks_gpu(target)
            case "mpi":
                return None if self.mpi else "no MPI launcher is here (`mpirun`, `mpiexec` or `srun`)"
            case "network":
                return None if self.network else "no network is here"
            case _:
                name = f" `{need.name}`" if need.name else ""
                return f"data{name} is not on this machine"

    def _lacks_gpu(self, target: Target | None) -> str | None:
        if target and maker_of_gpus(target) == "amd":
            return None if self.host and self.host.amd_gpu else "no AMD GPU is here (`/dev/kfd`)"
        if not self.gpu:
            return "no NVIDIA GPU is here"
        return (
            next(self.host.refuses_cuda(target.cuda), None) if self.host and target and target.cuda else None
        )


def maker_of_gpus(target: Target | None) -> str:
    """Whose GPUs a target's programs use: `amd` with ROCm alone, else `nvidia`."""
    return "amd" if target and target.rocm and not target.cuda else "nvidia"


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
