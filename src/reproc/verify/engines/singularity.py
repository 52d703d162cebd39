"""Apptainer and SingularityCE: builds SIFs from def files and runs commands in them.

Builds go through the command line, in namespaces of our own where Linux lets us (`sandbox.py`): that cuts
the network, shows the build nothing of the host's /tmp and home, gives it the same path on every machine,
and takes everything down with it. Where it does not, Apptainer is called plainly and `probe` says what that
costs.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from itertools import count
from pathlib import Path

from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import verify as codes
from reproc.graph import CUTS, INPUTS, MOUNT
from reproc.progress import Progress
from reproc.record import replace
from reproc.verify import contract, sif
from reproc.verify.circumstances import HOSTNAME, UMASK, several_processors
from reproc.verify.engines import apptainer
from reproc.verify.engines.base import (
    BuildFailed,
    BuildResult,
    Built,
    Captured,
    Command,
    CommandResult,
    Probe,
    RunFailed,
    RunResult,
    Step,
)
from reproc.verify.engines.cuts import Cuts
from reproc.verify.engines.failures import (
    TAIL,
    StepWatch,
    build_failed,
    by_the_spec,
    no_space,
    origin,
    out_of_space,
)
from reproc.verify.engines.steps import Stopwatch, step_at
from reproc.verify.engines.taking import take
from reproc.verify.launcher import CANNOT, MARK
from reproc.verify.plan import Recipe
from reproc.verify.process import Finished, Log, capture, follow
from reproc.verify.sandbox import Bind, Owned, Sandbox, Tmpfs, Unsynced
from reproc.verify.squashfs import tree_of_sif
from reproc.verify.tree import BadTree, Tree
from reproc.verify.workspace import Workspace, remove_tree

_PASSED_ON = ("NOHTTPS", "DOCKER_USERNAME", "DOCKER_PASSWORD")
_GPUS = {"nvidia": "--nv", "amd": "--rocm"}
"""Options that bring a maker's devices and libraries (Apptainer's user guide, "GPU Support")."""
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")


class SingularityEngine:
    """The adapter; one object serves one run."""

    name = "singularity"
    backend = "singularity"

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._folders = count(1)

    # what is here

    @cached_property
    def _program(self) -> str:
        path = apptainer.program()
        assert path is not None, "an engine that is not there was asked to work"
        return path

    @cached_property
    def sandbox(self) -> Sandbox:
        return Sandbox.detect()

    @cached_property
    def _stage(self) -> str:
        """A folder of every Linux system (FHS 3.0) under which our namespaces show what a command needs."""
        taken = (os.path.realpath(self._program), os.path.realpath(sys.executable))
        folders = ("/mnt", "/media", "/srv", "/opt")
        free = (
            each
            for each in folders
            if os.path.isdir(each) and not any(p.startswith(each + "/") for p in taken)
        )
        return next(free, "/mnt")

    @cached_property
    def _probe(self) -> Probe:
        program = apptainer.program()
        if program is None:
            reason = "neither `apptainer` nor `singularity` is installed"
            return Probe(self.name, False, None, reason, apptainer.ADVICE)
        version = apptainer.version(program)
        if version is None:
            reason = f"`{program} --version` does not work"
            return Probe(self.name, False, None, reason, apptainer.ADVICE)
        if not shutil.which("mksquashfs"):
            advice = "`apt-get install squashfs-tools`"
            return Probe(self.name, False, version, "`mksquashfs` is not installed", advice)
        return Probe(self.name, True, version, details=apptainer.details(self.sandbox))

    def probe(self) -> Probe:
        return self._probe

    @cached_property
    def _cuts(self) -> Cuts:
        return Cuts(self._workspace.cuts)

    @cached_property
    def _compression(self) -> tuple[str, ...]:
        return apptainer.compression()

    # building

    def build(self, recipe: Recipe, progress: Progress, log: Path, *, cache: bool = True) -> BuildResult:
        began = time.monotonic()
        folder = self._new_folder()
        try:
            result = self._build(recipe, progress, log, folder, cache)
        except OSError as failure:
            result = self._system_failure(f"building `{recipe.target}`", failure)
        finally:
            self._remove(folder)
            with suppress(OSError):  # it is there only where it was mounted on
                (recipe.context / INPUTS / CUTS).rmdir()
        seconds = time.monotonic() - began
        if isinstance(result, Diagnostic):
            return BuildFailed(result, seconds, lacking=not by_the_spec(result))
        path, digest, steps = result
        notes = () if self.sandbox.root else ("the network was not cut off while building",)
        return Built(str(path), digest, seconds, notes, path.stat().st_size, steps, self._varied(recipe))

    def _varied(self, recipe: Recipe) -> tuple[str, ...]:
        """Without namespaces of our own only what every process inherits or sees differs."""
        if not recipe.elsewhere:
            return ()
        apart = ("hostname",) if self.sandbox.root else ("path",)
        return ("clock", *apart, *(("processors",) if several_processors() else ()))

    def _build(
        self, recipe: Recipe, progress: Progress, log: Path, folder: Path, cache: bool
    ) -> tuple[Path, str, tuple[Step, ...]] | Diagnostic:
        watch, clock = StepWatch(), Stopwatch()
        last: list[str] = []
        with Log(log) as file:

            def tell(line: str) -> None:
                file.write(line + "\n")
                title = watch.read(line)
                if title is not None:
                    clock.begin(replace(step_at(recipe, watch.line or 1, 0), title=title))
                    progress.note(title)
                elif phase := apptainer.PHASE.match(line):
                    _enter(phase[1], clock)
                elif line.strip() and not line.startswith("+ "):
                    progress.note(line)
                if line.startswith(("FATAL:", "ERROR:", MARK)):
                    last.append(line)

            arguments, work, environment = self._build_call(recipe, folder, cache)
            code = follow(arguments, tell, environment=environment, folder=work)
        if code != 0:
            return self._build_failure(recipe, watch, last, code, log)
        clock.end()
        finished = self._finish(recipe, folder / "out" / "image.sif", log)
        return finished if isinstance(finished, Diagnostic) else (*finished, tuple(clock.steps))

    def _build_call(
        self, recipe: Recipe, folder: Path, cache: bool
    ) -> tuple[list[str], Path, dict[str, str]]:
        for name in ("out", "work", "home", "tmp", "var-tmp"):
            (folder / name).mkdir()
        for name in ("tmp", "var-tmp"):
            (folder / name).chmod(0o1777)
        ids = self.sandbox.root
        context = Path(self._stage, "context") if ids else recipe.context
        place = Path(self._stage, "build") if ids else folder
        arguments = [self._program, "--nocolor", "build", "--force", "--disable-cache"]
        arguments += self._compression
        if recipe.vendored and (recipe.context / INPUTS).is_dir():
            arguments += ["--bind", f"{context}/{INPUTS}:{MOUNT}"]
        if recipe.access:
            arguments += ["--bind", f"{place}/settings:/mnt"]
            shutil.copytree(recipe.access.settings, folder / "settings")
        arguments += ["--bind", f"{place}/tmp:/tmp", "--bind", f"{place}/var-tmp:/var/tmp"]
        arguments += [f"{place}/out/image.sif", str(context / recipe.file.relative_to(recipe.context))]
        environment = self._environment(place)
        environment["SOURCE_DATE_EPOCH"] = str(recipe.epoch)
        for prefix in ("APPTAINER", "SINGULARITY"):
            names = [f"{prefix}_{name}" for name in _PASSED_ON]
            environment |= {name: os.environ[name] for name in names if name in os.environ}
        if recipe.network:
            environment |= {name: os.environ[name] for name in _PROXIES if name in os.environ}
        if recipe.access:
            environment["http_proxy"] = recipe.access.proxy
            environment.pop("HTTP_PROXY", None)
        if not ids:
            return arguments, recipe.context, environment
        mounts: list[Bind | Tmpfs | Unsynced] = [
            Tmpfs(self._stage, "size=1m,mode=755"),
            Bind(recipe.context, str(context), make=True),
            Bind(folder, str(place), make=True),
            # package managers wait for the disk after every file of a tree that is packed and removed anyway
            Unsynced(f"{place}/work"),
        ]
        if cache and recipe.vendored and self._cuts.offer(recipe.file):
            mounts.append(Bind(self._cuts.folder, str(context / INPUTS / CUTS), make=True))
        inside = self.sandbox.argv(
            ids,
            arguments,
            network=recipe.network,
            workdir=str(context),
            mounts=mounts,
            hostname=HOSTNAME if recipe.elsewhere else None,
            umask=UMASK if recipe.elsewhere else 0o022,
        )
        return inside, recipe.context, environment

    def _environment(self, place: Path | str) -> dict[str, str]:
        """The variables of an Apptainer process: nothing of the caller's but PATH."""
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": f"{place}/home"}
        for prefix in ("APPTAINER", "SINGULARITY"):
            environment |= {
                f"{prefix}_TMPDIR": f"{place}/work",
                f"{prefix}_CACHEDIR": f"{place}/home/cache",
                f"{prefix}_CONFIGDIR": f"{place}/home/config",
            }
        return environment

    def _build_failure(
        self, recipe: Recipe, watch: StepWatch, last: list[str], code: int, log: Path
    ) -> Diagnostic:
        doing = f"building `{recipe.target}`"
        if out_of_space([*watch.tail, *last]):
            span = origin(recipe, watch.line)
            return no_space(self.name, doing, self._workspace.root, span, watch.tail if span else ())
        if code == CANNOT and last and last[-1].startswith(MARK):
            return error(
                codes.ENGINE_FAILED,
                None,
                engine=self.name,
                doing=doing,
                reason=last[-1].removeprefix(MARK),
                log=log,
            )
        if watch.line is None:
            failure = "it ends before the first step"
        else:
            status = re.search(r"exit status (\d+)", " ".join(last))
            failure = (
                f"the step “{watch.title}” ends with exit status {status[1]}"
                if status
                else f"the step “{watch.title}” fails"
            )
        tail = [line for line in watch.tail if not line.startswith(("FATAL:", "INFO:"))] or list(last)
        return build_failed(recipe, self.name, origin(recipe, watch.line), failure, tail, log)

    def _finish(self, recipe: Recipe, made: Path, log: Path) -> tuple[Path, str] | Diagnostic:
        try:
            sif.check(made)
            sif.normalise(made, recipe.epoch)
        except FileNotFoundError:
            reason = "it reports success and leaves no image"
            return error(
                codes.ENGINE_FAILED,
                None,
                engine=self.name,
                doing=f"building `{recipe.target}`",
                reason=reason,
                log=log,
            )
        except sif.BadSif as failure:
            return error(codes.BROKEN_IMAGE, None, image=f"{recipe.target}.sif", reason=failure)
        made.chmod(0o755)
        final = self._workspace.sif / f"{recipe.target}.sif"
        digest = sif.file_digest(made)
        os.replace(made, final)
        return final, digest

    def holds(self, built: Built, recipe: Recipe) -> bool:
        path = self._workspace.sif / f"{recipe.target}.sif"
        try:
            return str(path) == built.image and sif.file_digest(path) == built.digest
        except OSError:
            return False

    # running

    def run(self, image: str, command: Command) -> RunResult:
        began = time.monotonic()
        doing = "running a command"
        try:
            sif.check(Path(image))
            folder = self._new_folder()
            try:
                result = self._run(Path(image), command, folder)
            finally:
                self._remove(folder)
        except sif.BadSif as failure:
            return RunFailed(
                error(codes.BROKEN_IMAGE, None, image=image, reason=failure), time.monotonic() - began
            )
        except OSError as failure:
            result = self._system_failure(doing, failure)
        if isinstance(result, Diagnostic):
            return RunFailed(result, time.monotonic() - began, lacking=result.code is codes.NO_SPACE)
        return result

    def copy_out(self, image: str, paths: Sequence[str], folder: Path) -> Diagnostic | None:
        return self._unsquashed(image, ("-no-wild",), [path.lstrip("/") for path in paths], folder)

    def unpack(self, image: str, folder: Path) -> Diagnostic | None:
        return self._unsquashed(image, (), (), folder)

    def _unsquashed(
        self, image: str, options: Sequence[str], paths: Sequence[str], folder: Path
    ) -> Diagnostic | None:
        doing = "copying files"
        try:
            with Path(image).open("rb") as file:
                partition = sif.read(file).root_file_system
            if partition is None:
                raise sif.BadSif("holds no root file system")
            # without privileges it says of owners that it cannot set them, and copies all the same
            common = [
                "-q",
                "-n",
                "-no-xattrs",
                *options,
                "-f",
                "-d",
                str(folder),
                "-o",
                str(partition.offset),
            ]
            done = subprocess.run(
                ["unsquashfs", *common, image, *paths],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        except sif.BadSif as failure:
            return error(codes.BROKEN_IMAGE, None, image=image, reason=failure)
        except OSError as failure:
            return self._system_failure(doing, failure)
        if done.returncode not in (0, 2):
            lines = done.stderr.strip().splitlines() or ["`unsquashfs` fails"]
            return error(codes.ENGINE_FAILED, None, engine=self.name, doing=doing, reason=lines[-1])
        return None

    def taken(
        self, source: str, archive: Path | None, network: bool, progress: Progress, log: Path
    ) -> Tree | Diagnostic:
        folder, doing = self._new_folder(), "converting an image"
        command = [self._program, "--nocolor", "build", "--force", "--disable-cache", *self._compression]
        circumstances = (self._environment(folder), folder, self.sandbox)
        try:
            for name in ("work", "home"):
                (folder / name).mkdir()
            source = source.replace("%s", str(archive))
            code, said = take(command, source, *circumstances, network=network, progress=progress, log=log)
            if code == 0:
                return self.tree(str(folder / "image.sif"))
        except OSError as failure:
            return self._system_failure(doing, failure)
        finally:
            self._remove(folder)
        if out_of_space(said):
            return no_space(self.name, doing, self._workspace.root)
        reason = _reason("\n".join(said)) or f"it ends with exit status {code}"
        return error(codes.ENGINE_FAILED, None, engine=self.name, doing=doing, reason=reason, log=log)

    def tree(self, image: str) -> Tree | Diagnostic:
        try:
            return tree_of_sif(Path(image))
        except BadTree as failure:
            return error(codes.BROKEN_IMAGE, None, image=image, reason=failure)
        except OSError as failure:
            return self._system_failure("showing an image", failure)

    def remove(self, built: Built, recipe: Recipe) -> None:
        Path(built.image).unlink(missing_ok=True)

    def _run(self, image: Path, command: Command, folder: Path) -> CommandResult | Diagnostic:
        started = f"reproc-{secrets.token_hex(16)}\n"
        wrapped = ("/bin/sh", "-c", f'printf "{started[:-1]}\\n" >&2; exec "$@"', "sh", *command.arguments)
        arguments, environment = self._run_call(image, command, wrapped, folder)
        done = capture(
            arguments,
            environment=environment,
            folder=folder,
            timeout=command.timeout,
            limit=contract.OUTPUT_LIMIT,
        )
        return self._result(done, started.encode())

    def _run_call(
        self, image: Path, command: Command, wrapped: tuple[str, ...], folder: Path
    ) -> tuple[list[str], dict[str, str]]:
        for name in ("home", "work", "scratch"):
            (folder / name).mkdir()
        ids = self.sandbox.user
        place = self._stage if ids else str(folder)
        arguments = [
            self._program,
            "--silent",
            "exec",
            "--userns",
            "--cleanenv",
            "--containall",
            "--no-privs",
        ]
        arguments += ["--uts", "--hostname", contract.HOSTNAME, "--no-mount", "/etc/localtime"]
        arguments += ["--pwd", command.workdir, "--workdir", f"{place}/scratch"]
        if command.gpu:
            arguments.append(_GPUS[command.gpu])
        seen = [f"{place}/data-{number}" for number in range(len(command.mounts))]
        for each, source in zip(command.mounts, seen, strict=True):
            arguments += ["--mount", _mount(source if ids else str(each.source), each.target)]
        if not ids:
            arguments += ["--home", contract.HOME]
            if not command.network:
                arguments += ["--net", "--network", "none"]
            return [*arguments, str(image), *wrapped], self._environment(place)
        (folder / "passwd").write_text(
            f"root:x:0:0:root:/root:/bin/sh\n{contract.PASSWD_ENTRY}", encoding="ascii"
        )
        (folder / "group").write_text(f"root:x:0:\n{contract.GROUP_ENTRY}", encoding="ascii")
        mounts: list[Bind | Tmpfs] = [
            Tmpfs(self._stage, "mode=755"),
            Bind(image, f"{place}/image.sif", make=True),
            Bind(folder / "work", f"{place}/work", make=True),
            Bind(folder / "passwd", "/etc/passwd"),
            Bind(folder / "group", "/etc/group"),
            Tmpfs(f"{place}/scratch", f"size={contract.TMPFS_SIZE},mode=755", make=True),
        ]
        mounts += (Bind(each.source, at, make=True) for each, at in zip(command.mounts, seen, strict=True))
        owned = [Owned(f"{place}/{name}", 0o755) for name in ("home", "work", "scratch")]
        inside = self.sandbox.argv(
            ids,
            [*arguments, f"{place}/image.sif", *wrapped],
            network=command.network,
            workdir="/",
            mounts=mounts,
            folders=owned,
        )
        return inside, self._environment(place)

    def _result(self, done: Finished, started: bytes) -> CommandResult | Diagnostic:
        at = done.stderr.data.find(started)
        if at < 0 and done.code is not None:
            text = done.stderr.data.decode("utf-8", "replace")
            if out_of_space(text.splitlines()):
                return no_space(self.name, "starting a container", self._workspace.root)
            reason = _reason(text) or f"it ends with exit status {done.code}"
            return error(
                codes.ENGINE_FAILED,
                None,
                engine=self.name,
                doing="starting a container",
                reason=reason,
                output="\n".join(text.splitlines()[-TAIL:]),
            )
        stderr = Captured("", 0, False) if at < 0 else done.stderr.captured(at + len(started))
        return CommandResult(done.code, done.stdout.captured(), stderr, done.seconds, done.code is None)

    # leaving

    def _new_folder(self) -> Path:
        folder = self._workspace.temporary / f"{self.name}-{next(self._folders)}"
        folder.mkdir(parents=True)
        return folder

    def _remove(self, folder: Path) -> None:
        """Removes a folder; files of other ids, which only a namespace's root may remove, included."""
        if remove_tree(folder) or self.sandbox.root is None:
            return
        arguments = ["rm", "-rf", "--", str(folder)]
        inside = self.sandbox.argv(self.sandbox.root, arguments, network=False, workdir="/")
        subprocess.run(inside, stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def close(self) -> None:
        mine = self._workspace.temporary.glob(f"{self.name}-*")
        for folder in sorted((*mine, *self._workspace.stale())):
            self._remove(folder)
        self._cuts.tidy(self._workspace.vendored, alone=not self._workspace.others())

    def _system_failure(self, doing: str, failure: OSError) -> Diagnostic:
        text = failure.strerror or str(failure)
        if out_of_space([text]):
            return no_space(self.name, doing, self._workspace.root)
        return error(codes.ENGINE_FAILED, None, engine=self.name, doing=doing, reason=text)


def _enter(phase: str, clock: Stopwatch) -> None:
    """Notes what the engine itself goes on to, between the steps of the recipe."""
    title = apptainer.PHASES.get(phase)
    if title is None:
        clock.end()
    else:
        clock.begin(Step(title, 0))


def _mount(source: str, target: str) -> str:
    """The value of `--mount`, which is a row of CSV."""
    fields = ("type=bind", f"source={source}", f"destination={target}", "ro")
    return ",".join('"' + each.replace('"', '""') + '"' for each in fields)


def _reason(text: str) -> str | None:
    """What an engine's last complaint says, without its own prefixes."""
    lines = [line for line in text.splitlines() if line.startswith(("FATAL:", "ERROR:", MARK))]
    return re.sub(rf"^(FATAL:|ERROR:|{MARK})\s*", "", lines[-1]) if lines else None
