"""Debian's formats and rules: versions, control fields, indexes, signed releases, closures."""
