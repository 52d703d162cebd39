"""Dockerfiles in BuildKit's dialect, for Docker and Podman."""

from reproc_backends.docker.emit import DockerBackend

__all__ = ["backend"]

backend = DockerBackend()
