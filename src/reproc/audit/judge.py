"""Facts against what a target promises: what an image needs beyond it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum

from reproc.audit.dispatch import Verdict
from reproc.audit.elf import AARCH64, MACHINES, X86_64
from reproc.audit.facts import Facts, Group, numbers
from reproc.audit.fatbin import Code
from reproc.audit.names import is_chosen, known_features
from reproc.catalog import processors
from reproc.record import record

_FAMILIES = {"x86_64": X86_64, "aarch64": AARCH64}
_BESIDE = {X86_64: frozenset({3}), AARCH64: frozenset({40})}
"""The 32-bit machines whose programs a processor runs as well."""
_WHOLE = 0.9
"""From this share of vector instructions on that are encoded as AVX has them, all of a file was compiled for AVX:
of those that choose, none has more than 0.82, and of those compiled for it none less than 0.99."""
_NO_PROGRAMS = frozenset({190, 247})
"""ELF files that no processor is to run: CUDA's and the kernel's (BPF)."""


class Kind(Enum):
    """What a finding is about."""

    CPU = "cpu"
    MACHINE = "machine"
    NATIVE = "native"
    LIBC = "libc"
    GPU = "gpu"
    DAMAGED = "damaged"


@record
class Promise:
    """What a target says of the hardware that it runs on."""

    platform: str
    """`linux/amd64`."""
    level: processors.Level | None = None
    """None: nothing is said of the processor."""
    without: frozenset[str] = frozenset()
    """Features that the processor may lack all the same, by archspec's names."""
    gpus: tuple[str, ...] = ()
    """Compute capabilities, `sm_80`."""

    @property
    def features(self) -> frozenset[str]:
        """What instructions may need."""
        family = processors.family_of(self.platform)
        level = self.level or processors.Level(family, family, processors.features(family))
        return processors.reachable(level, self.without)

    @property
    def limits(self) -> bool:
        """Whether anything is said of the processor."""
        return self.level is not None or bool(self.without)

    @property
    def words(self) -> str:
        """It as a person says it, `x86-64-v2 without avx`."""
        name = processors.written(self.level.name) if self.level else self.platform
        return f"{name} without {', '.join(sorted(self.without))}" if self.without else name


@record
class Finding:
    """One thing about one file."""

    kind: Kind
    path: str
    message: str
    holds: bool = True
    """Whether it is as it should be."""
    doubtful: bool = False
    """Whether it may be as it should not be."""
    function: str | None = None
    address: int | None = None
    """Of the instruction, as the file has it in memory."""
    instruction: str | None = None
    needs: tuple[str, ...] = ()
    """The features that are not promised."""


def judge(
    files: Sequence[tuple[str, Facts]], promise: Promise, own: Callable[[str], bool] = lambda path: True
) -> tuple[Finding, ...]:
    """What there is to say of some files; what does not hold comes first, then by path.

    `own` says of a path whether the author's builds made it: nobody else has an eye on how that chooses.
    """
    libc = max((facts.offers for _, facts in files if facts.offers), key=numbers, default=None)
    found: list[Finding] = []
    for path, facts in files:
        if facts.damaged:
            found.append(Finding(Kind.DAMAGED, path, f"`{path}` is a damaged ELF file: {facts.damaged}"))
        elif facts.program:
            found += _machine(path, facts, promise)
            found += _cpu(path, facts, promise, own(path))
            found += _native(path, facts)
            found += _libc(path, facts, libc)
            found += _gpu(path, facts, promise)
    return tuple(sorted(found, key=lambda each: (each.holds, each.path, each.kind.value)))


def _machine(path: str, facts: Facts, promise: Promise) -> Iterator[Finding]:
    wanted = _FAMILIES[processors.family_of(promise.platform)]
    fits = {wanted, *_BESIDE[wanted], *_NO_PROGRAMS}
    if facts.machine not in fits:
        name = MACHINES.get(facts.machine, f"machine {facts.machine}")
        message = f"`{path}` is for {name}, and the target is `{promise.platform}`"
        yield Finding(Kind.MACHINE, path, message, holds=False)


def _cpu(path: str, facts: Facts, promise: Promise, own: bool) -> Iterator[Finding]:
    if facts.machine != X86_64 or processors.family_of(promise.platform) != "x86_64" or not promise.limits:
        return
    allowed = promise.features
    if facts.level > 1:
        named = "x86_64_v" + str(facts.level)
        level = processors.level(named)
        if level is None or not level.features <= allowed:
            message = f"`{path}` says that it needs {processors.written(named)}, and the target allows {promise.words}"
            yield Finding(Kind.CPU, path, message, is_chosen(path))
            return
    spare = known_features(facts.library)
    beyond = [each for each in facts.groups if {*each.needs} - allowed]
    runs = [each for each in beyond if each.verdict == Verdict.RUNS.value and {*each.needs} - allowed - spare]
    if not runs:
        if beyond:
            yield Finding(
                Kind.CPU, path, _chooses(path, facts, beyond, allowed), needs=_missing(beyond, allowed)
            )
        return
    first = min((each.examples[0] for each in runs), key=lambda each: each.address)
    missing = _missing(runs, allowed)
    more = sum(each.count for each in runs) - 1
    others = f" and {more} other function{'s' * (more > 1)}" if more else ""
    chosen = is_chosen(path)
    doubtful = not chosen and not own and facts.tests and facts.share < _WHOLE
    why = "by its name it is loaded where it fits" if chosen else _why(facts, more, doubtful)
    message = (
        f"`{path}` needs {', '.join(missing)}, and the target allows {promise.words}: "
        f"`{first.instruction}` in `{first.function}`{others}; {why}"
    )
    yield Finding(
        Kind.CPU,
        path,
        message,
        chosen or doubtful,
        doubtful,
        first.function,
        first.address,
        first.instruction,
        missing,
    )


def _why(facts: Facts, more: int, doubtful: bool) -> str:
    if doubtful:
        return "it tests the processor, perhaps for this too: `reproc verify --emulate` tells"
    if facts.tests:
        return f"{'they run' if more else 'it runs'} without a test of the processor"
    return "nothing in the file tests the processor"


def _chooses(path: str, facts: Facts, groups: Iterable[Group], allowed: frozenset[str]) -> str:
    groups = [*groups]
    count = sum(each.count for each in groups)
    known = f" ({facts.library})" if facts.library else ""
    names = ", ".join(_missing(groups, allowed))
    return f"`{path}` chooses when it runs{known}: {count} functions that need {names} are behind a test"


def _missing(groups: Iterable[Group], allowed: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted({name for each in groups for name in each.needs} - allowed))


def _native(path: str, facts: Facts) -> Iterator[Finding]:
    if facts.native:
        found = ", ".join(f"`{each}`" for each in facts.native)
        message = (
            f"`{path}` was compiled for the machine that built it (`-march=native`, which there is {found})"
        )
        if facts.native in (("-march=native",), ("-mcpu=native",)):
            message = f"`{path}` was compiled with {found}, for the machine that built it"
        yield Finding(Kind.NATIVE, path, message, holds=False)


def _libc(path: str, facts: Facts, libc: str | None) -> Iterator[Finding]:
    if facts.glibc is None:
        return
    if libc is None:
        yield Finding(Kind.LIBC, path, f"`{path}` needs glibc {facts.glibc}, and the image's is not known")
    elif numbers(facts.glibc) > numbers(libc):
        message = f"`{path}` needs glibc {facts.glibc}, and the image has {libc}"
        yield Finding(Kind.LIBC, path, message, holds=False)


def _gpu(path: str, facts: Facts, promise: Promise) -> Iterator[Finding]:
    codes = [Code(kind, capability) for kind, capability, _ in facts.gpus]
    if not codes:
        return
    names = ", ".join(each.name for each in sorted(codes, key=lambda each: (each.kind != "sm", each.number)))
    lacking, compiled = [], []
    for gpu in promise.gpus:
        capability = int(gpu.removeprefix("sm_").rstrip("af"))
        fits = {each.kind for each in codes if each.runs_on(capability)}
        if not fits:
            lacking.append(gpu)
        elif fits == {"ptx"}:
            compiled.append(gpu)
    if lacking:
        message = f"`{path}` has no code for {', '.join(lacking)}: it has {names}"
        yield Finding(Kind.GPU, path, message, holds=False)
    elif compiled:
        message = (
            f"`{path}` is compiled by the driver when it starts on {', '.join(compiled)}: it has {names}"
        )
        yield Finding(Kind.GPU, path, message)
    else:
        yield Finding(Kind.GPU, path, f"`{path}` has code for {names}")
