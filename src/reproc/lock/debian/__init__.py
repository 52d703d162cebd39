"""Debian's formats and rules: versions, control fields, indexes, signed releases, and what an install brings in."""
