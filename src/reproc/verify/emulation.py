"""Running commands in an unpacked image with every process emulated as an older processor, by QEMU's user mode.

The whole tree of processes is emulated: namespaces of our own register QEMU for all x86-64 programs. QEMU itself
is one; our copy has another byte where the kernel ignores it and the rule looks.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from reproc.catalog import processors
from reproc.diagnostics import error
from reproc.diagnostics.codes import verify as codes
from reproc.record import record
from reproc.verify import contract
from reproc.verify.engines.base import Command, CommandResult, RunFailed, RunResult
from reproc.verify.launcher import CANNOT, MARK
from reproc.verify.process import Finished, capture
from reproc.verify.sandbox import Bind, Interpreter, Owned, Sandbox, Tmpfs

_NAMES = {"sse3": "pni", "sse4_1": "sse4.1", "sse4_2": "sse4.2"}
"""Features that QEMU calls otherwise than archspec, beside `_` for `-`."""
_OWN = frozenset({"sse3", "cx16", "lahf_lm", "svm"})
"""What its model `qemu64` has beyond x86-64's base (QEMU, target/i386/cpu.c)."""
_BEYOND = ("avx512", "amx", "avx_")
"""Features that QEMU does not emulate begin with these."""
_FAMILY = "x86_64"
_PAD = 15
"""The last byte of an ELF file's e_ident, which the kernel ignores (elf(5), EI_PAD)."""
_RULE = (
    b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00",
    b"\xff" * 7 + bytes(8) + b"\xff\xfe\xff\xff\xff",
)
"""Magic and mask of x86-64 programs whose last byte of e_ident is 0."""
_DEVICES = ("full", "null", "random", "urandom", "zero")
_SIGILL = 4


class Unsuited(Exception):
    """Why a processor cannot be emulated here, in words that follow a colon."""


@record
class Fault:
    """Where an emulated program met an instruction that its processor does not have."""

    path: str
    """Of the file that holds it, in the image."""
    offset: int
    """Of the instruction, in the file."""


def model(level: processors.Level, without: frozenset[str] = frozenset()) -> str:
    """QEMU's description of a processor that has a level's features and no other; raises `Unsuited`."""
    if level.family != _FAMILY:
        raise Unsuited(f"only x86-64 processors are emulated, and `{level.name}` is none")
    wanted = level.features - without
    if beyond := sorted(each for each in wanted if each.startswith(_BEYOND)):
        raise Unsuited(f"QEMU does not emulate {beyond[0]}, which `{processors.written(level.name)}` has")
    if "avx" in wanted:
        wanted |= {"xsave"}  # which archspec does not list with every processor that has AVX
    flags = [f"+{_name(each)}" for each in sorted(wanted)]
    flags += [f"-{_name(each)}" for each in sorted(_OWN - wanted)]
    return ",".join(("qemu64", *flags))


def _name(feature: str) -> str:
    return _NAMES.get(feature, feature.replace("_", "-"))


@record
class Tree:
    """An unpacked image."""

    root: Path
    environment: Mapping[str, str]
    """What the image sets."""


class Emulator:
    """Emulated runs of one verification; `folder` is for its copy of QEMU and for traces."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        self._folder = folder

    @cached_property
    def unusable(self) -> str | None:
        """Why nothing can be emulated here; None if it can."""
        if os.uname().machine != _FAMILY:
            return "processors are emulated on x86-64 machines only"
        if _program() is None:
            return "QEMU's user mode is not here (Debian and Ubuntu: `apt-get install qemu-user-static`)"
        if self._sandbox.root is None:
            return self._sandbox.reason or "namespaces cannot be made here"
        probe = self._call(Tree(Path("/"), {}), Command(("/bin/true",)), "qemu64", None)
        if probe.code == 0:
            return None
        last = probe.stderr.data.decode("utf-8", "replace").strip().splitlines()[-1:]
        return f"the kernel lets nobody register an emulator (it needs Linux 6.7): {''.join(last).removeprefix(MARK)}"

    def run(self, tree: Tree, command: Command, model: str) -> RunResult:
        """Runs a command under the contract of tests, but for the processor."""
        done = self._call(tree, command, model, None)
        stderr = done.stderr.data.decode("utf-8", "replace").splitlines()
        if done.code == CANNOT and stderr and stderr[-1].startswith(MARK):
            facts = {"engine": "QEMU", "doing": "starting a command", "reason": stderr[-1].removeprefix(MARK)}
            return RunFailed(error(codes.ENGINE_FAILED, None, **facts), done.seconds)
        return CommandResult(
            done.code, done.stdout.captured(), done.stderr.captured(), done.seconds, done.code is None
        )

    def faults(self, tree: Tree, command: Command, model: str) -> tuple[Fault, ...]:
        """The instructions at which the command's processes die; runs it once more, and traces it."""
        traces = self._folder / "traces"
        traces.mkdir()
        try:
            traces.chmod(0o1777)
            self._call(tree, command, model, traces)
            return tuple(dict.fromkeys(_faults(traces, tree.root)))
        finally:
            shutil.rmtree(traces, ignore_errors=True)

    def _call(self, tree: Tree, command: Command, model: str, traces: Path | None) -> Finished:
        ids = self._sandbox.root
        assert ids is not None, "the caller has asked whether it can be used"
        stage = self._folder / "root"
        stage.mkdir(exist_ok=True)
        root = str(stage)
        mounts: list[Bind | Tmpfs] = [
            Tmpfs(str(self._folder / "register"), "mode=755", make=True),
            Bind(tree.root, root),
            Tmpfs(f"{root}/dev", "mode=755"),
        ]
        mounts += [Bind(Path("/dev", name), f"{root}/dev/{name}", make=True) for name in _DEVICES]
        mounts.append(Tmpfs(f"{root}/dev/shm", "mode=1777", make=True))
        mounts += [
            Tmpfs(f"{root}{path}", f"mode={mode:o},size={contract.TMPFS_SIZE}", make=tree.root != Path("/"))
            for path, mode in contract.TMPFS.items()
            if tree.root != Path("/")
        ]
        mounts += (Bind(each.source, f"{root}{each.target}", read_only=True) for each in command.mounts)
        environment = {**tree.environment, "QEMU_CPU": model}
        if traces is not None:
            mounts.append(Bind(traces, f"{root}/dev/traces", make=True))
            environment |= {"QEMU_STRACE": "1", "QEMU_LOG": "page", "QEMU_LOG_FILENAME": "/dev/traces/%d"}
        owned = [Owned(f"{root}{contract.HOME}", 0o700)] if tree.root != Path("/") else []
        user = type(ids)(ids.uid_map, ids.gid_map, contract.UID, contract.GID, helper=ids.helper)
        arguments = self._sandbox.argv(
            user,
            command.arguments,
            network=command.network,
            workdir=command.workdir,
            mounts=mounts,
            folders=owned,
            root=root,
            interpreter=Interpreter(str(self._folder / "register"), self._rule),
        )
        return capture(
            arguments, environment=environment, timeout=command.timeout, limit=contract.OUTPUT_LIMIT
        )

    @cached_property
    def _rule(self) -> str:
        """The kernel's rule; makes the copy of QEMU that it names."""
        program = _program()
        assert program is not None, "the caller has asked whether it can be used"
        copy = self._folder / "qemu"
        content = bytearray(Path(program).read_bytes())
        content[_PAD] = 1
        copy.write_bytes(content)
        copy.chmod(0o755)
        magic, mask = ("".join(f"\\x{byte:02x}" for byte in each) for each in _RULE)
        return f":reproc:M::{magic}:{mask}:{copy}:F"


def _program() -> str | None:
    """QEMU as a static program, which needs nothing of the image."""
    return shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")


# ------------------------------------------------------------------------------------------- traces

_NOISE = re.compile(
    r"page layout changed.*|^(?:[0-9a-f]+-[0-9a-f]+ .*|(?:start  |guest_base|host mmap|Locating).*)\n",
    re.MULTILINE,
)
"""The tables of pages, which QEMU writes also between a call and its result."""
_OPENED = re.compile(r'openat\(-?\w+,"([^"]*)",[^)]*\) = ([0-9]+)$', re.MULTILINE)
_MAPPED = re.compile(r"mmap\([^,]*,([0-9]+),[^,]*,[^,]*,([0-9]+),(0x[0-9a-f]+|[0-9]+)\)\s*= (0x[0-9a-f]+)")
_ILLEGAL = re.compile(r"--- SIGILL \{[^}]*si_addr=(0x[0-9a-f]+)")
_STARTED = re.compile(r'([0-9]+) execve\("([^"]*)"')


def _faults(traces: Path, root: Path) -> Iterator[Fault]:
    """The faults that QEMU's traces tell of, a file a process."""
    texts = {
        path.name: path.read_text(encoding="utf-8", errors="replace") for path in sorted(traces.iterdir())
    }
    programs = {pid: name for text in texts.values() for pid, name in _STARTED.findall(text)}
    for pid, text in texts.items():
        plain = _NOISE.sub("", text)
        for address in (int(found, 16) for found in _ILLEGAL.findall(plain)):
            yield from _placed(address, plain, programs.get(pid), root)


def _placed(address: int, trace: str, program: str | None, root: Path) -> Iterator[Fault]:
    """The file whose mapping holds an address: the newest of a library, else the program itself."""
    opened: dict[str, str] = {}
    found: Fault | None = None
    for line in re.split(r"\n(?=[0-9]+ )", trace):
        if match := _OPENED.search(line):
            opened[match[2]] = match[1]
        elif (match := _MAPPED.search(line)) and match[2] in opened:
            length, offset, start = int(match[1]), int(match[3], 0), int(match[4], 16)
            if start <= address < start + length:
                found = Fault(opened[match[2]], offset + address - start)
    code = re.search(r"^start_code\s+(0x[0-9a-f]+)$", trace, re.MULTILINE)
    if found is not None:
        yield found
    elif program is not None and code is not None:
        yield Fault(program, _first_code(root / program.lstrip("/")) + address - int(code[1], 16))


def _first_code(program: Path) -> int:
    """The offset in an ELF file of the segment with its first code, which QEMU tells the address of."""
    header = program.read_bytes()[:4096]
    table, count = int.from_bytes(header[32:40], "little"), int.from_bytes(header[56:58], "little")
    offsets = []
    for row in (header[at : at + 56] for at in range(table, table + 56 * count, 56)):
        kind, flags = int.from_bytes(row[:4], "little"), int.from_bytes(row[4:8], "little")
        if kind == 1 and flags & 1:  # PT_LOAD, PF_X
            offsets.append(int.from_bytes(row[8:16], "little"))
    return min(offsets, default=0)
