"""The documents that reproc writes, as their contract has them: an independent reader, strict about what it knows."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["passed", "failed", "skipped"]


class Document(BaseModel):
    """Additions are fine; what is named here must be there, with this type."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)


class Spec(Document):
    path: str
    sha256: str


class Lock(Document):
    sha256: str


class File(Document):
    path: str
    target: str | None
    backend: Literal["docker", "singularity"] | None
    sha256: str


class Manifest(Document):
    version: Literal[1]
    reproc: str
    spec: Spec
    lock: Lock | None
    files: list[File]


class Test(Document):
    name: str
    status: Status
    reason: str | None
    exit_code: int | None
    seconds: float | None
    stdout: str | None
    stderr: str | None


class Audit(Document):
    name: str
    status: Status
    findings: list[object]


class Build(Document):
    status: Status
    seconds: float
    image: str | None
    digest: str | None
    log: str


class Engine(Document):
    engine: Literal["docker", "podman", "singularity"]
    version: str | None
    status: Status
    build: Build | None
    level: Literal["R0", "R1", "R2", "R3"] | None
    tests: list[Test]
    audits: list[Audit]


class Target(Document):
    name: str
    engines: list[Engine]
    same_tree: bool | None


class Summary(Document):
    passed: int
    failed: int
    skipped: int


class Report(Document):
    version: Literal[1]
    reproc: str
    started: str
    spec: Spec
    lock: Lock | None
    summary: Summary
    targets: list[Target]
