"""Channels of conda packages: their indexes, which packages belong together, what is in one."""
