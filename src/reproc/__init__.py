"""Writes a paper's computing environment down once, and gets it back, the same."""
