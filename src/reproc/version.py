"""The version of reproc, in its one place."""

VERSION = "0.1.0"
