"""Running commands through the Docker API, which Docker and Podman both speak; imports `docker` when used."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import verify as codes
from reproc.verify import contract
from reproc.verify.engines.base import Command, CommandResult, RunFailed, RunResult
from reproc.verify.engines.failures import no_space, out_of_space
from reproc.verify.layers import tree_of_export
from reproc.verify.process import Keeper
from reproc.verify.tree import BadTree, Tree
from reproc.verify.workspace import is_dead

if TYPE_CHECKING:
    from docker import DockerClient

T = TypeVar("T")
LABEL = "org.reproc.run"
"""On every container and helper image that we make; its value is the run's id."""
_CDI = "nvidia.com/gpu=all"
"""What NVIDIA's container toolkit calls every GPU (its guide, "Support for Container Device Interface")."""
_ANSWER = 60
"""Seconds that an engine may take to answer."""


class Lost(Exception):
    """The engine does not answer."""


class Refused(Exception):
    """The engine answers with an error; the text is its first line."""


@contextmanager
def translated() -> Iterator[None]:
    """Turns whatever the client library raises into Lost or Refused."""
    import requests
    from docker import errors

    try:
        yield
    except errors.APIError as failure:
        raise Refused(_first_line(failure.explanation)) from failure
    except errors.DockerException as failure:
        raise Lost(_first_line(failure)) from failure
    except (requests.exceptions.RequestException, OSError, ValueError) as failure:
        # ValueError: an answer that is not JSON, from something that is not an engine
        raise Lost(_first_line(failure)) from failure


def _first_line(failure: object) -> str:
    lines = str(failure or "").strip().splitlines()
    return lines[0][:300] if lines else "no reason given"


def connect(address: str) -> DockerClient:
    """A client that has been answered; raises Lost."""
    from docker import DockerClient

    with translated():
        client = DockerClient(base_url=address, timeout=_ANSWER, version="auto")
        client.ping()
    return client


class Containers:
    """Fresh containers of one engine, under the contract of tests, and their removal."""

    def __init__(
        self,
        engine: str,
        client: DockerClient,
        run_id: str,
        place: str,
        *,
        tmpfs_owner: bool = True,
    ) -> None:
        self._engine = engine
        self._client = client
        self._run_id = run_id
        self._place = place
        self._tmpfs_owner = tmpfs_owner
        self._prepared: dict[str, str] = {}
        self._preparing = threading.Lock()
        self._left = False

    def alive(self) -> bool:
        """Whether the engine answers."""
        try:
            with translated():
                return bool(self._client.ping())
        except (Lost, Refused):
            return False

    def run(self, image: str, command: Command) -> RunResult:
        """Runs a command in a fresh container of an image."""
        began = time.monotonic()
        try:
            return self._run(self._prepare(image), command)
        except (Lost, Refused) as failure:
            said = self._failure(failure)
            lacking = said.code is not codes.ENGINE_FAILED
            return RunFailed(said, time.monotonic() - began, lacking)

    def _failure(self, failure: Lost | Refused, doing: str = "running a command") -> Diagnostic:
        if out_of_space([str(failure)]):
            return no_space(self._engine, doing, self._place)
        if isinstance(failure, Lost) or not self.alive():
            return error(codes.ENGINE_LOST, None, engine=self._engine, doing=doing)
        return error(codes.ENGINE_FAILED, None, engine=self._engine, doing=doing, reason=failure)

    # an image with the contract's user

    def _prepare(self, image: str) -> str:
        """The image with a passwd entry for the contract's user; the same image if it has one."""
        with self._preparing:
            if image not in self._prepared:
                self._prepared[image] = self._made_for_tests(image)
            return self._prepared[image]

    def _made_for_tests(self, image: str) -> str:
        api: Any = self._client.api
        with translated():
            container = api.create_container(
                image, command=["/bin/sh"], entrypoint=[], labels={LABEL: self._run_id}
            )["Id"]
            try:
                changed = [
                    change
                    for path, entry, number in (
                        ("/etc/passwd", contract.PASSWD_ENTRY, contract.UID),
                        ("/etc/group", contract.GROUP_ENTRY, contract.GID),
                    )
                    if (change := _with_entry(path, self._read(container, path), entry, number)) is not None
                ]
                prepared = image
                if changed:
                    self._sweep()
                    api.put_archive(container, "/", _archive(changed))
                    changes = [f"LABEL {LABEL}={self._run_id}"]
                    prepared = api.commit(container, changes=changes)["Id"]
            finally:
                self._remove_container(container)
        return prepared

    def _read(self, container: str, path: str) -> bytes:
        """A file of a container; empty if there is none."""
        from docker import errors

        api: Any = self._client.api
        try:
            chunks, _ = api.get_archive(container, path)
        except errors.NotFound:
            return b""
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            file = next((archive.extractfile(each) for each in archive if each.isfile()), None)
            return file.read() if file is not None else b""

    def copy_out(self, image: str, paths: Sequence[str], folder: Path) -> Diagnostic | None:
        """Copies what an image has at some paths into a folder; says what went wrong."""
        from docker import errors

        api: Any = self._client.api
        try:
            with translated():
                container = api.create_container(
                    image, command=["/bin/sh"], entrypoint=[], labels={LABEL: self._run_id}
                )["Id"]
                try:
                    for path in paths:
                        try:
                            chunks, _ = api.get_archive(container, path)
                        except errors.NotFound:
                            continue
                        with tempfile.TemporaryFile() as spool:
                            self._drain(chunks, spool.writelines)
                            spool.seek(0)
                            with tarfile.open(fileobj=spool) as found:
                                _unpack(found, self._meanwhile(found), folder / path.lstrip("/"))
                finally:
                    self._remove_container(container)
        except (Lost, Refused) as failure:
            return self._failure(failure)
        return None

    def tree(self, image: str) -> Tree | Diagnostic:
        """The files of an image."""
        try:
            return self._exported(image, tree_of_export)
        except BadTree as failure:
            doing = "showing an image"
            return error(codes.ENGINE_FAILED, None, engine=self._engine, doing=doing, reason=failure)
        except (Lost, Refused) as failure:
            return self._failure(failure, "showing an image")

    def save(self, image: str, archive: Path) -> Diagnostic | None:
        """Writes an image as an archive."""
        api: Any = self._client.api
        try:
            with translated(), archive.open("wb") as file:
                file.writelines(api.get_image(image))
        except (Lost, Refused) as failure:
            return self._failure(failure, "saving an image")
        return None

    def push(self, image: str, reference: str) -> Diagnostic | None:
        """Puts an image into a registry; its name for that is gone afterwards."""
        api: Any = self._client.api
        repository, _, tag = reference.rpartition(":")
        try:
            with translated():
                api.tag(image, repository, tag)
                try:
                    for row in api.push(repository, tag, stream=True, decode=True):
                        if "error" in row:
                            raise Refused(_first_line(row["error"]))
                finally:
                    api.remove_image(reference, noprune=True)
        except (Lost, Refused) as failure:
            return self._failure(failure, "pushing an image")
        return None

    def unpack(self, image: str, folder: Path) -> Diagnostic | None:
        """Unpacks a whole image into a folder."""
        try:
            return self._exported(image, partial(self._extracted, folder))
        except (Lost, Refused) as failure:
            return self._failure(failure, "unpacking an image")

    def _exported(self, image: str, take: Callable[[Iterable[bytes]], T]) -> T:
        """What becomes of the tar of all files of an image; raises Lost or Refused."""
        api: Any = self._client.api
        with translated():
            command, labels = ["/bin/sh"], {LABEL: self._run_id}
            container = api.create_container(image, command=command, entrypoint=[], labels=labels)["Id"]
            try:
                return self._drain(api.export(container), take)
            finally:
                self._remove_container(container)

    def _extracted(self, folder: Path, chunks: Iterable[bytes]) -> Diagnostic | None:
        arguments = [
            "tar",
            "--extract",
            "--no-same-owner",
            "--same-permissions",
            "--exclude=./dev/*",
            "--exclude=dev/*",
        ]
        with tempfile.TemporaryFile() as said:
            child = subprocess.Popen([*arguments, "-C", str(folder)], stdin=subprocess.PIPE, stderr=said)
            assert child.stdin is not None
            with child, child.stdin as pipe, suppress(BrokenPipeError):
                pipe.writelines(chunks)
            said.seek(0)
            reason = said.read().decode("utf-8", "replace").strip().splitlines()[-1:]
        if child.returncode == 0:
            return None
        return error(
            codes.ENGINE_FAILED, None, engine=self._engine, doing="unpacking an image", reason="".join(reason)
        )

    def remove(self, tag: str) -> None:
        """Removes an image by its tag."""
        with suppress(Lost, Refused), translated():
            self._client.api.remove_image(tag, noprune=False)

    # a command

    def _run(self, image: str, command: Command) -> RunResult:
        api: Any = self._client.api
        with translated():
            container = api.create_container(image, **self._settings(command))["Id"]
        try:
            return self._follow(container, command)
        finally:
            self._remove_container(container)

    def _settings(self, command: Command) -> dict[str, Any]:
        from docker import types

        api: Any = self._client.api
        tmpfs = {path: self._tmpfs(path, mode) for path, mode in contract.TMPFS.items()}
        host = api.create_host_config(
            read_only=True,
            network_mode="default" if command.network else "none",
            tmpfs=tmpfs,
            mounts=[
                types.Mount(each.target, str(each.source), type="bind", read_only=True)
                for each in command.mounts
            ],
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            # what a test writes is read as it comes; a log on the engine's disk would grow without a limit
            log_config={"type": "none"},
            **(self._gpus(command.gpu) if command.gpu else {}),
        )
        return {
            "command": list(command.arguments),
            "entrypoint": [],
            "user": f"{contract.UID}:{contract.GID}",
            "hostname": contract.HOSTNAME,
            "working_dir": command.workdir,
            "labels": {LABEL: self._run_id},
            "host_config": host,
        }

    def _gpus(self, maker: str) -> dict[str, Any]:
        """What a container gets to see every GPU of a maker.

        NVIDIA's come by CDI where the engine has it so (Docker 28.2, "Discovered Devices"; Podman knows nothing
        else), else as `docker run --gpus all` asks for them. AMD's are device files, of groups of the host
        (rocm.docs.amd.com, "Running ROCm Docker containers").
        """
        from docker import types

        if maker == "amd":
            files = [Path("/dev/kfd"), Path("/dev/dri")]
            devices = [f"{path}:{path}:rw" for path in files if path.exists()]
            parts = [each for path in files for each in (path, *path.glob("render*")) if each.exists()]
            return {"devices": devices, "group_add": sorted({str(each.stat().st_gid) for each in parts})}
        if self._engine == "podman" or self._discovers(_CDI):
            return {"device_requests": [types.DeviceRequest(driver="cdi", device_ids=[_CDI])]}
        return {"device_requests": [types.DeviceRequest(count=-1, capabilities=[["gpu"]])]}

    def _discovers(self, device: str) -> bool:
        """Whether the engine says that it has a device by CDI."""
        with translated():
            found = self._client.info().get("DiscoveredDevices") or ()
        return any(each.get("ID") == device for each in found)

    def _tmpfs(self, path: str, mode: int) -> str:
        """The options of one writable folder; Podman cannot give it an owner, so all may write there."""
        options = f"exec,size={contract.TMPFS_SIZE}"
        if path != contract.HOME:
            return f"{options},mode={mode:o}"
        if not self._tmpfs_owner:
            return f"{options},mode=777"
        return f"{options},mode={mode:o},uid={contract.UID},gid={contract.GID}"

    def _follow(self, container: str, command: Command) -> RunResult:
        api: Any = self._client.api
        out, err = Keeper(contract.OUTPUT_LIMIT), Keeper(contract.OUTPUT_LIMIT)
        with translated():
            stream = api.attach(container, stdout=True, stderr=True, stream=True, logs=False, demux=True)
            reader = _Reader(stream, out, err)
            began = time.monotonic()
            api.start(container)
        reader.start()
        reader.join(command.timeout)
        timed_out = reader.is_alive()
        if timed_out:
            with translated():
                api.kill(container)
            reader.join(_ANSWER)
        seconds = time.monotonic() - began
        code = None
        if not timed_out:
            if reader.failure is not None:
                raise Lost(_first_line(reader.failure))
            with translated():
                code = int(api.wait(container, timeout=_ANSWER)["StatusCode"])
        return CommandResult(code, out.captured(), err.captured(), seconds, timed_out)

    def _remove_container(self, container: str) -> None:
        api: Any = self._client.api
        # an engine that died takes it down when it is started again and the next run asks for it (`clean`)
        with suppress(Lost, Refused), translated():
            api.remove_container(container, force=True, v=True)

    # leaving

    def close(self) -> None:
        """Ends what other threads still take out of images, and cleans up."""
        self._left = True
        self.clean()

    def _drain(self, stream: Generator[bytes, None, None], take: Callable[[Iterable[bytes]], T]) -> T:
        """What becomes of an engine's stream; an engine does not remove a container that it still has to show."""
        with closing(stream):
            return take(self._meanwhile(stream))

    def _meanwhile(self, parts: Iterable[T]) -> Iterator[T]:
        """The same until this is closed; then it raises Lost."""
        for part in parts:
            if self._left:
                raise Lost("nobody waits for it any more")
            yield part

    def clean(self) -> None:
        """Removes containers of this run and of runs that died, and this run's helper images."""
        api: Any = self._client.api
        with suppress(Lost, Refused), translated():
            for each in api.containers(all=True, filters={"label": LABEL}):
                value = each["Labels"][LABEL]
                if value == self._run_id or is_dead(value):
                    self._remove_container(each["Id"])
            for image, prepared in self._prepared.items():
                if prepared != image:
                    api.remove_image(prepared, force=True)
        self._prepared.clear()

    def _sweep(self) -> None:
        """Removes helper images of runs that died; listing images takes an engine half a second."""
        api: Any = self._client.api
        for each in api.images(all=True, filters={"label": LABEL}) if not self._prepared else ():
            if is_dead(each["Labels"][LABEL]):
                with suppress(Lost, Refused), translated():  # another run may have been faster
                    api.remove_image(each["Id"], force=True)


class _Reader(threading.Thread):
    """Reads a container's output to its end; a thread, because only the caller knows when to stop waiting."""

    def __init__(self, stream: Iterable[tuple[bytes | None, bytes | None]], out: Keeper, err: Keeper) -> None:
        super().__init__(daemon=True)
        self._stream, self._out, self._err = stream, out, err
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            for out, err in self._stream:
                self._out.feed(out or b"")
                self._err.feed(err or b"")
        except Exception as failure:  # whatever a connection that breaks makes of itself; told by the caller
            self.failure = failure


def _unpack(archive: tarfile.TarFile, members: Iterable[tarfile.TarInfo], at: Path) -> None:
    """Writes the files of an archive that an engine made of one path; what would lie elsewhere is left out."""
    for member in members:
        # the first part of its name is the path's last
        parts = member.name.split("/")[1:]
        content = archive.extractfile(member) if member.isreg() or member.islnk() else None
        if content is None or ".." in parts:
            continue
        place = at.joinpath(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            shutil.copyfileobj(content, file)


def _with_entry(path: str, content: bytes, entry: str, number: int) -> tuple[str, bytes] | None:
    """The file with the entry; None if it has one for that id already."""
    for line in content.split(b"\n"):
        fields = line.split(b":")
        if len(fields) > 2 and fields[2] == str(number).encode():
            return None
    if content and not content.endswith(b"\n"):
        content += b"\n"
    return path, content + entry.encode("ascii")


def _archive(files: Iterable[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in files:
            row = tarfile.TarInfo(path.lstrip("/"))
            row.size, row.mode = len(content), 0o644
            archive.addfile(row, io.BytesIO(content))
    return buffer.getvalue()
