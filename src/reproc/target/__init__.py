"""What every back end shares."""

from reproc.target.backend import Artifact, Backend, Feature, LegalGraph
from reproc.target.quoting import quote

__all__ = ["Artifact", "Backend", "Feature", "LegalGraph", "quote"]
