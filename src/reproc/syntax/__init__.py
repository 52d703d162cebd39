"""Text to tree and back: `decode`, `parse`, `format_tree`."""

from reproc.syntax.decode import decode
from reproc.syntax.parse import parse

__all__ = ["decode", "parse"]
