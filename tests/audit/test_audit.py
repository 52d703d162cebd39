"""The static audit of ELF files: compiled programs, what is found in them, and what is not."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from types import ModuleType

import pytest

from reproc import audit
from reproc.audit import File, Finding, Kind, Promise
from reproc.audit.facts import document, read, restored
from reproc.audit.reading import Cache, facts_of
from reproc.catalog import processors
from reproc.lock.store import Store

TEXT = "int work(const int *a, int n) { return a[0] * n; }\n"
NVCC = (
    "nvidia-cuda-nvcc==13.0.88",
    "nvidia-nvvm==13.0.88",
    "nvidia-cuda-crt==13.0.88",
    "nvidia-cuda-runtime==13.0.96",
)


def _neighbour() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_corpus", Path(__file__).with_name("corpus.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


corpus = _neighbour()
Compile = Callable[..., Path]


@pytest.fixture
def compiled(tmp_path: Path) -> Compile:
    """Compiles a C text with options of GCC."""

    def make(text: str, *options: str) -> Path:
        path: Path = corpus.compiled(tmp_path, f"{text}{options}", text, *options)
        return path

    return make


def promise(
    level: str = "x86-64-v2", *, without: str = "", platform: str = "linux/amd64", gpus: str = ""
) -> Promise:
    return Promise(platform, processors.level(level), frozenset(without.split()), tuple(gpus.split()))


def found(path: Path, wanted: Promise, kind: Kind, name: str = "/opt/program") -> list[Finding]:
    """What an audit of one file finds that does not hold."""
    findings = audit.scan([File(name, path)], wanted, workers=1)
    return [each for each in findings if each.kind is kind and not each.holds]


@pytest.mark.parametrize(
    ("feature", "shape"),
    [
        ("avx2", "stripped"),
        ("avx2", "module, stripped"),
        ("popcnt", "library"),
        ("avx512f", "program"),
    ],
)
def test_programs_are_told_apart(feature: str, shape: str, tmp_path: Path) -> None:
    wrong = []
    for program in corpus.programs(tmp_path, [feature], [shape]):
        alarms = found(program.path, promise(program.feature.level), Kind.CPU)
        if bool(alarms) != program.runs:
            wrong.append(program.name)
        elif alarms:
            assert feature in alarms[0].needs
    assert not wrong


def test_the_corpus_holds_what_it_says(tmp_path: Path) -> None:
    """By another disassembler than the audit's."""
    for feature in corpus.FEATURES:
        for way, mnemonics in (
            ("direct", corpus.MNEMONICS),
            ("builtin", corpus.MNEMONICS),
            ("clones", corpus.CLONED),
        ):
            text = corpus.source(feature, way, "library")
            if text is None:
                continue
            path = corpus.compiled(tmp_path, f"{feature.name}{way}", text, *corpus.SHAPES["library"])
            shown = subprocess.run(["objdump", "-d", path], capture_output=True, text=True, check=True).stdout
            assert mnemonics[feature.name] in shown, (feature.name, way)


@pytest.mark.parametrize("way", ["direct", "pointer", "after a test"])
def test_a_static_program_is_more_than_its_c_library(way: str, tmp_path: Path) -> None:
    (feature,) = (each for each in corpus.FEATURES if each.name == "avx2")
    path = corpus.compiled(tmp_path, way, corpus.source(feature, way, "static"), *corpus.SHAPES["static"])
    (alarm,) = found(path, promise(), Kind.CPU)
    assert alarm.needs == ("avx", "avx2")
    assert alarm.function == "fast"
    assert not found(path, promise("x86-64-v3"), Kind.CPU)


def test_the_message_names_file_function_and_feature(compiled: Compile) -> None:
    text = '__attribute__((target("avx2"))) void add(int *a) { for (int i = 0; i < 64; i++) a[i] += 3; }\n'
    path = compiled(text, "-O3", "-shared", "-fPIC")
    (alarm,) = found(path, promise(), Kind.CPU, "/opt/fit/lib/libfit.so")
    assert alarm.message == (
        f"`/opt/fit/lib/libfit.so` needs avx, avx2, and the target allows x86-64-v2: `{alarm.instruction}` in `add`; "
        "nothing in the file tests the processor"
    )


def test_a_feature_that_is_taken_away(compiled: Compile) -> None:
    path = compiled("float f(float a, float b) { return a * b; }\n", "-O2", "-mavx", "-shared", "-fPIC")
    assert not found(path, promise("haswell"), Kind.CPU)
    (alarm,) = found(path, promise("haswell", without="avx"), Kind.CPU)
    assert "haswell without avx" in alarm.message
    assert found(path, promise("haswell", without="sse4_2"), Kind.CPU), "no processor has AVX without SSE4.2"


def test_data_between_functions_is_no_code(compiled: Compile) -> None:
    table = '__asm__(".text\\n.p2align 4\\n.byte 0xc5,0xfd,0xfe,0xc1,0xc5,0xfd,0xfe,0xc1,0x0f,0x38,0xf0,0x00\\n");\n'
    for options in (("-shared", "-fPIC"), ("-shared", "-fPIC", "-s")):
        assert not found(compiled(TEXT + table, "-O2", *options), promise("x86-64"), Kind.CPU)


def test_data_within_a_function_is_no_code(compiled: Compile) -> None:
    text = 'int work(void) { __asm__("jmp 1f\\n.byte 0xc5,0xfd,0xfe,0xc1\\n1:"); return 3; }\n'
    assert not found(compiled(text, "-O2", "-shared", "-fPIC"), promise("x86-64"), Kind.CPU)


def test_a_file_that_is_chosen_by_its_name(compiled: Compile) -> None:
    path = compiled("float f(float a, float b) { return a * b; }\n", "-O2", "-mavx", "-shared", "-fPIC")
    chosen = ["/usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v3/libm.so.6", "/opt/mkl/lib/libmkl_avx2.so.2"]
    for name in chosen:
        assert not found(path, promise(), Kind.CPU, name)
    assert found(path, promise(), Kind.CPU, "/opt/mkl/lib/libmkl_core.so.2")


def test_a_property_that_demands_a_level(compiled: Compile) -> None:
    path = compiled(
        TEXT, "-shared", "-fPIC", "-march=x86-64-v3", "-Wa,-mx86-used-note=yes", "-Wl,-z,x86-64-v3"
    )
    (alarm,) = found(path, promise(), Kind.CPU)
    assert "says that it needs x86-64-v3" in alarm.message
    assert not found(path, promise("haswell"), Kind.CPU)


@pytest.mark.parametrize("options", [("-g",), ("-g", "-gz"), ("-frecord-gcc-switches",)])
def test_what_was_compiled_for_the_machine_that_built_it(options: tuple[str, ...], compiled: Compile) -> None:
    native = compiled(TEXT, "-march=native", "-shared", "-fPIC", *options)
    (alarm,) = found(native, promise("x86-64-v4"), Kind.NATIVE)
    assert "-march=" in alarm.message
    assert not found(compiled(TEXT, "-march=x86-64-v2", "-shared", "-fPIC", *options), promise(), Kind.NATIVE)


def test_a_file_for_another_machine(compiled: Compile, tmp_path: Path) -> None:
    path = compiled(TEXT, "-shared", "-fPIC")
    (alarm,) = found(path, promise("aarch64", platform="linux/arm64"), Kind.MACHINE)
    assert alarm.message == "`/opt/program` is for x86-64, and the target is `linux/arm64`"
    content = bytearray(path.read_bytes())
    content[18:20] = (183).to_bytes(2, "little")
    other = tmp_path / "other"
    other.write_bytes(content)
    assert "is for arm64" in found(other, promise(), Kind.MACHINE)[0].message
    assert not found(other, promise("aarch64", platform="linux/arm64"), Kind.MACHINE)


def test_glibc_that_is_too_old(compiled: Compile) -> None:
    program = compiled('#include <stdio.h>\nint main(void) { return puts(""); }\n')
    facts = read(program)
    assert facts is not None
    assert facts.glibc is not None
    old = compiled(
        TEXT, "-shared", "-fPIC", "-Wl,-soname,libc.so.6", f"-Wl,--version-script={_versions(program)}"
    )
    findings = audit.scan([File("/opt/p", program), File("/lib/libc.so.6", old)], promise(), workers=1)
    (alarm,) = (each for each in findings if not each.holds)
    assert alarm.message == f"`/opt/p` needs glibc {facts.glibc}, and the image has 2.3.4"


def _versions(beside: Path) -> Path:
    script = beside.with_suffix(".map")
    script.write_text("GLIBC_2.2.5 { global: work; };\nGLIBC_2.3.4 { } GLIBC_2.2.5;\n")
    return script


def test_a_damaged_file_is_said_to_be(tmp_path: Path, compiled: Compile) -> None:
    whole = compiled(TEXT, "-shared", "-fPIC").read_bytes()
    path = tmp_path / "damaged"
    for size in (4, 10, 30, 64, 200, 4096, len(whole) // 2, len(whole) - 100):
        path.write_bytes(whole[:size])
        for finding in audit.scan([File("/opt/damaged", path)], promise(), workers=1):
            assert finding.holds
    path.write_bytes(whole[:64])
    assert [each.kind for each in audit.scan([File("/opt/d", path)], promise())] == [Kind.DAMAGED]


def test_facts_are_kept_by_digest(compiled: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = compiled("float f(float a, float b) { return a * b; }\n", "-O2", "-mavx", "-shared", "-fPIC")
    facts = read(path)
    assert facts is not None
    assert restored(document(facts)) == facts
    store = Store(tmp_path / "store")
    cache = Cache(store)
    first = facts_of([File("/a", path), File("/b", path)], cache, 1)
    monkeypatch.setattr("reproc.audit.reading.read", lambda copy: pytest.fail("it was read before"))
    assert facts_of([File("/a", path), File("/b", path)], cache, 1) == first
    monkeypatch.undo()
    for kept in (tmp_path / "store/index").rglob("*"):
        if kept.is_file():
            kept.write_text("{}")
    assert facts_of([File("/a", path), File("/b", path)], cache, 1) == first


def test_reading_ends_when_nobody_waits(compiled: Compile, tmp_path: Path) -> None:
    content = compiled("int main(void) { return 0; }\n", "-static").read_bytes()
    files = []
    for number in range(8):
        path = tmp_path / f"{number}.so"
        path.write_bytes(content + bytes([number]))
        files.append(File(f"/{number}.so", path))
    with pytest.raises(CancelledError):
        facts_of(files, None, 2, lambda: False)
    assert multiprocessing.active_children() == []


@pytest.fixture(scope="session")
def nvcc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CUDA's compiler, as the Python Package Index has it."""
    folder = tmp_path_factory.mktemp("cuda")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), *NVCC]
    subprocess.run(command, check=True)
    program = folder / "nvidia" / "cu13" / "bin" / "nvcc"
    assert program.exists()
    return program


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--compress-mode=size",), ("--compress-mode=none",)])
def test_code_for_gpus(options: tuple[str, ...], nvcc: Path, tmp_path: Path) -> None:
    source = tmp_path / "twice.cu"
    source.write_text("__global__ void twice(float *v) { v[threadIdx.x] *= 2; }\n")
    codes = ("compute_80,code=sm_80", "compute_90a,code=sm_90a", "compute_100,code=compute_100")
    wanted = [word for code in codes for word in ("-gencode", f"arch={code}")]
    program = tmp_path / "twice.so"
    command = [str(nvcc), "-shared", "-Xcompiler", "-fPIC", "--cudart=none", *wanted, *options]
    subprocess.run([*command, "-o", str(program), str(source)], check=True, cwd=tmp_path)
    facts = read(program)
    assert facts is not None
    assert facts.gpus == (("ptx", "100", 1), ("sm", "80", 1), ("sm", "90a", 1))
    for gpus in ("sm_80", "sm_86", "sm_90", "sm_120"):
        assert not found(program, promise(gpus=gpus), Kind.GPU)
    (alarm,) = found(program, promise(gpus="sm_75 sm_80"), Kind.GPU)
    assert alarm.message == "`/opt/program` has no code for sm_75: it has sm_80, sm_90a, compute_100"
    assert found(program, promise(gpus="sm_89"), Kind.GPU) == []


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("package", ["numpy==1.26.4", "numpy==2.2.6", "scipy==1.15.3"])
def test_wheels_that_choose_when_they_run(package: str, tmp_path: Path) -> None:
    options = [
        "--no-deps",
        "--only-binary",
        ":all:",
        "--platform",
        "manylinux2014_x86_64",
        "--python-version",
        "3.11",
    ]
    command = [sys.executable, "-m", "pip", "install", "-q", *options, "--target", str(tmp_path), package]
    subprocess.run(command, check=True)
    files = [File(f"/{each.relative_to(tmp_path)}", each) for each in tmp_path.rglob("*") if each.is_file()]
    findings = audit.scan(files, promise(), workers=min(2, os.cpu_count() or 1))
    assert [each.message for each in findings if not each.holds] == []
    assert any(each.kind is Kind.CPU and "chooses" in each.message for each in findings)
