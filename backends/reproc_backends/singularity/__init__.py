"""Definition files, for Apptainer and SingularityCE."""

from reproc_backends.singularity.emit import SingularityBackend

__all__ = ["backend"]

backend = SingularityBackend()
