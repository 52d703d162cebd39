"""Programs that a doubter would try: other languages and compilers, optimisation levels, tests of the processor of
people's own making, hand-written assembly, code that only pointers lead to.

All need AVX2, or do not, on every processor. `tests/audit/test_hostile.py` asks QEMU's Nehalem whether that is so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LEVEL = "x86-64-v2"
_FAST = '__attribute__((noinline, target("avx2")))'
_LOOP = "{ int s = 0; for (int i = 0; i < 64; i++) s += a[i] * (n + i); return s; }"
_MAIN = """
static int a[64];
int main(int argc, char **argv) {
    for (int i = 0; i < 64; i++) a[i] = i + argc;
    printf("%d\\n", work(a, argc)); return 0; }
"""
_HEAD = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <immintrin.h>\n#include <cpuid.h>\n"
_KERNELS = f"""
{_FAST} static int fast(const int *a, int n) {{
    __m256i v = _mm256_loadu_si256((const __m256i *)a), s = _mm256_mullo_epi32(v, _mm256_set1_epi32(n));
    for (int i = 8; i < 64; i += 8) s = _mm256_add_epi32(s, _mm256_loadu_si256((const __m256i *)(a + i)));
    int r[8]; _mm256_storeu_si256((__m256i *)r, s); return r[0] + r[7];
}}
__attribute__((noinline)) static int plain(const int *a, int n) {_LOOP}
"""
_OWN_TEST = """
static int detect(void) {
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 6) != 6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    return b & bit_AVX2 ? 2 : 1;
}
"""
_ASKS = '__builtin_cpu_supports("avx2")'


@dataclass(frozen=True)
class Case:
    """A compiled program, and what is known of it."""

    path: Path
    family: str
    name: str
    runs: bool
    """Whether it runs AVX2's instructions on every processor."""


# by family and name: whether it runs them everywhere, and the C or C++ code behind the kernels
_C: dict[tuple[str, str], tuple[bool, str]] = {
    ("callback", "to the C library"): (
        True,
        "int b[64];\nstatic int order(const void *x, const void *y) { return fast(b, *(int *)x) - fast(b, *(int *)y); }\n"
        "int work(int *a, int n) { memcpy(b, a, sizeof b); qsort(a, 64, 4, order); return a[3]; }",
    ),
    ("callback", "to the C library, beside a test"): (
        True,
        "int b[64];\nstatic int order(const void *x, const void *y) { return fast(b, *(int *)x) - fast(b, *(int *)y); }\n"
        "int work(int *a, int n) { memcpy(b, a, sizeof b); "
        f'if ({_ASKS}) puts("fast"); qsort(a, 64, 4, order); return a[3]; }}',
    ),
    ("callback", "a constructor"): (
        True,
        "static int kept, b[64];\nstatic volatile int seed = 2;\n"
        "__attribute__((constructor)) static void start(void) { b[9] = seed; kept = fast(b, seed); }\n"
        "int work(int *a, int n) { return plain(a, n) + kept; }",
    ),
    ("callback", "at exit"): (
        True,
        "static int b[64];\nstatic volatile int kept, seed = 2;\n"
        "static void last(void) { b[9] = seed; kept = fast(b, seed); }\n"
        "int work(int *a, int n) { atexit(last); return plain(a, n); }",
    ),
    ("table", "constant"): (
        True,
        "static int (*const table[])(const int *, int) = {plain, fast, plain};\n"
        "int work(int *a, int n) { return table[n & 1](a, n); }",
    ),
    ("table", "by a test"): (
        False,
        f"{_OWN_TEST}static int (*const table[])(const int *, int) = {{plain, plain, fast}};\n"
        "int work(int *a, int n) { return table[detect()](a, n); }",
    ),
    ("table", "switch on a level"): (
        False,
        f"{_OWN_TEST}int work(int *a, int n) {{ switch (detect()) {{ case 2: return fast(a, n);"
        " case 1: return plain(a, n) + 1; default: return plain(a, n); } }",
    ),
    ("own test", "direct"): (
        False,
        f"{_OWN_TEST}int work(int *a, int n) {{ return detect() == 2 ? fast(a, n) : plain(a, n); }}",
    ),
    ("own test", "kept"): (
        False,
        f"{_OWN_TEST}static int level = -1;\n"
        "int work(int *a, int n) { if (level < 0) level = detect(); return level > 1 ? fast(a, n) : plain(a, n); }",
    ),
    ("own test", "kept in a structure"): (
        False,
        f"{_OWN_TEST}static struct {{ int sse, avx2; const char *name; }} cpu;\n"
        '__attribute__((constructor)) static void start(void) { cpu.avx2 = detect() > 1; cpu.name = "x"; }\n'
        "int work(int *a, int n) { return cpu.avx2 ? fast(a, n) : plain(a, n); }",
    ),
    ("own test", "pointers in a structure"): (
        False,
        f"{_OWN_TEST}static struct {{ int (*sum)(const int *, int); }} dsp;\n"
        "static void start(int level) { dsp.sum = plain; if (level > 1) dsp.sum = fast; }\n"
        "int work(int *a, int n) { if (!dsp.sum) start(detect()); return dsp.sum(a, n); }",
    ),
    ("own test", "answer is a parameter"): (
        False,
        f"{_OWN_TEST}__attribute__((noinline)) static int with(const int *a, int n, int level) {{"
        " return level > 1 ? fast(a, n) : plain(a, n); }\n"
        "int work(int *a, int n) { return with(a, n, detect()); }",
    ),
    ("own test", "leaves early"): (
        False,
        f'{_OWN_TEST}int work(int *a, int n) {{ if (detect() < 2) {{ puts("too old"); exit(0); }} return fast(a, n); }}',
    ),
    ("own test", "for nothing"): (
        True,
        f'{_OWN_TEST}int work(int *a, int n) {{ if (detect() < 2) puts("too old, but we try"); return fast(a, n); }}',
    ),
    ("own test", "an environment variable"): (
        True,
        'int work(int *a, int n) { return getenv("PLAIN") ? plain(a, n) : fast(a, n); }',
    ),
    ("assembly", "data in the text"): (
        False,
        '__asm__(".text\\n.type walk, @function\\nwalk: jmp 2f\\n.p2align 4\\n'
        "1: .byte 0xc5,0xfd,0xfe,0xc1,0xc5,0xf5,0xfe,0xc2,0xc4,0xe2,0x7d,0x40,0xc1,0xc5,0xfd,0x6f\\n"
        '2: movl 1b(%rip), %eax\\nret\\n.size walk, .-walk\\n");\nextern int walk(void);\n'
        "int work(int *a, int n) { return plain(a, n) + (walk() & 1); }",
    ),
    ("assembly", "in the middle of a function"): (
        True,
        'int work(int *a, int n) { int r; __asm__ volatile("vpxor %%ymm1, %%ymm1, %%ymm1; vmovd %%xmm1, %0; vzeroupper"'
        ' : "=r"(r) : : "xmm1"); return r + plain(a, n); }',
    ),
    ("assembly", "behind a test"): (
        False,
        f'int work(int *a, int n) {{ int r = 0; if ({_ASKS}) __asm__ volatile("vpxor %%ymm1, %%ymm1, %%ymm1;'
        ' vmovd %%xmm1, %0; vzeroupper" : "=r"(r) : : "xmm1"); return r + plain(a, n); }',
    ),
    ("assembly", "cpuid by hand"): (
        False,
        'int work(int *a, int n) { int r = 0; __asm__ volatile("push %%rbx; mov $7, %%eax; xor %%ecx, %%ecx; cpuid;'
        ' bt $5, %%ebx; jnc 1f; vpxor %%ymm1, %%ymm1, %%ymm1; vmovd %%xmm1, %0; vzeroupper; 1: pop %%rbx"'
        ' : "+r"(r) : : "rax", "rcx", "rdx", "xmm1"); return r + plain(a, n); }',
    ),
}
_CXX: dict[tuple[str, str], tuple[bool, str]] = {
    ("C++", "templates"): (
        True,
        f"template <class T> struct Sum {{ {_FAST} static T of(const T *a, int n) {{"
        ' __asm__ volatile("vpaddd %%ymm0, %%ymm0, %%ymm0; vzeroupper" : : : "xmm0"); return a[0] * n; } };\n'
        "int work(int *a, int n) { return Sum<int>::of(a, n) + (int)Sum<long>::of((const long *)a, n & 1); }",
    ),
    ("C++", "templates by a test"): (
        False,
        f"enum class Isa {{ plain, avx2 }};\ntemplate <Isa> int sum(const int *a, int n) {_LOOP}\n"
        f"template <> {_FAST} int sum<Isa::avx2>(const int *a, int n) {_LOOP}\n"
        f"int work(int *a, int n) {{ return {_ASKS} ? sum<Isa::avx2>(a, n) : sum<Isa::plain>(a, n); }}",
    ),
    ("C++", "virtual, by a test"): (
        False,
        "struct Base { virtual int sum(const int *a, int n) { return plain(a, n); } virtual ~Base() {} };\n"
        "struct Fast : Base { int sum(const int *a, int n) override { return fast(a, n); } };\n"
        f"int work(int *a, int n) {{ Base *b = {_ASKS} ? new Fast : new Base;"
        " int r = b->sum(a, n); delete b; return r; }",
    ),
    ("C++", "virtual"): (
        True,
        "struct Base { virtual int sum(const int *a, int n) { return plain(a, n); } virtual ~Base() {} };\n"
        "struct Fast : Base { int sum(const int *a, int n) override { return fast(a, n); } };\n"
        "int work(int *a, int n) { Base *b = n ? new Fast : new Base; int r = b->sum(a, n); delete b; return r; }",
    ),
    ("C++", "static object by a test"): (
        False,
        "static int (*choose())(const int *, int) { return " + _ASKS + " ? fast : plain; }\n"
        "int work(int *a, int n) { static int (*const chosen)(const int *, int) = choose(); return chosen(a, n); }",
    ),
    ("C++", "versions of a function"): (
        False,
        f'__attribute__((target("avx2"))) int sum(const int *a, int n) {_LOOP}\n'
        f'__attribute__((target("default"))) int sum(const int *a, int n) {_LOOP}\n'
        "int work(int *a, int n) { return sum(a, n); }",
    ),
    ("C++", "in an exception's handler"): (
        True,
        "int work(int *a, int n) { try { if (n) throw n; return 0; } catch (int x) { return fast(a, x); } }",
    ),
}
_WHOLE = f"int work(int *a, int n) {_LOOP}"
_FORTRAN = """
program fit
    implicit none
    integer :: i
    integer, dimension(64) :: a, b
    do i = 1, 64
        a(i) = i * command_argument_count(); b(i) = 3
    end do
    a = a * b + 7
    print *, sum(a)
end program
"""
_LEVELS = ("-O0", "-O2", "-O3", "-Os")
_FORMS = {
    "": (),
    "not position-independent": ("-no-pie",),
    "static": ("-static",),
    "static, stripped": ("-static", "-s"),
    "static, position-independent": ("-static-pie",),
    "stripped": ("-s",),
    "with -flto": ("-flto",),
}
_FULL = (("own test", "direct"), ("callback", "to the C library"), ("table", "constant"))
"""These come in every form, the others in some."""


@cache
def zig() -> tuple[str, ...] | None:
    """Clang with musl, as the Python Package Index has it; None if it is not installed."""
    return (sys.executable, "-m", "ziglang") if importlib.util.find_spec("ziglang") else None


def cases(folder: Path) -> Iterator[Case]:
    """Compiles them, with the compilers that are here: GCC, and as far as they are G++, gfortran, Clang (zig)."""
    for level in _LEVELS:
        yield from one_of_each(folder, level)
    for key, (runs, text) in _C.items():
        source = _HEAD + _KERNELS + text + _MAIN
        for form, options in _FORMS.items():
            if form and (key in _FULL or form in ("stripped", "static, stripped")):
                yield _case(folder, key, form, runs, source, "c", ("gcc", "-O2", *options))
        yield from _by_clang(folder, key, runs, source, "c")
    for key, (runs, text) in _CXX.items() if shutil.which("g++") else ():
        source = _HEAD + _KERNELS + text + _MAIN
        for level in ("-O2 -s", "-O2 -flto"):
            yield _case(folder, key, level, runs, source, "c++", ("g++", *level.split()))
        yield from _by_clang(folder, key, runs, source, "c++")
    for form, options in _FORMS.items():
        for march, runs in (("x86-64-v2", False), ("x86-64-v3", True), ("haswell", True)):
            command = ("gcc", "-O3", f"-march={march}", *options)
            yield _case(folder, ("whole program", march), form, runs, _HEAD + _WHOLE + _MAIN, "c", command)
    for level in ("-O2", "-O3", "-O3 -s") if shutil.which("gfortran") else ():
        for march, runs in (("x86-64-v2", False), ("haswell", True)):
            command = ("gfortran", *level.split(), "-ftree-vectorize", f"-march={march}")
            yield _case(folder, ("Fortran", march), level, runs, _FORTRAN, "f95", command)


def one_of_each(folder: Path, level: str) -> Iterator[Case]:
    """The programs in C and C++ at one level of optimisation, dynamic and with their names."""
    for language, compiler, texts in (("c", "gcc", _C), ("c++", "g++", _CXX)):
        for key, (runs, text) in texts.items() if shutil.which(compiler) else ():
            yield _case(
                folder, key, level, runs, _HEAD + _KERNELS + text + _MAIN, language, (compiler, level)
            )


def _by_clang(folder: Path, key: tuple[str, str], runs: bool, source: str, language: str) -> Iterator[Case]:
    program = zig()
    # zig leaves out what that asks; and Clang spells versions of a function otherwise
    if program is None or _ASKS in source or '"default"' in source:
        return
    name = "c++" if language == "c++" else "cc"
    for target, options in (("x86_64-linux-gnu", ("-O2",)), ("x86_64-linux-musl", ("-O2", "-s", "-static"))):
        command = (*program, name, "-target", target, "-mcpu=x86_64", "-fno-sanitize=all", *options)
        form = "Clang" if target.endswith("gnu") else "Clang, static with musl, stripped"
        yield _case(folder, key, form, runs, source, language, command)


def _case(
    folder: Path,
    key: tuple[str, str],
    form: str,
    runs: bool,
    source: str,
    language: str,
    command: tuple[str, ...],
) -> Case:
    name = ", ".join(filter(None, (key[1], form)))
    # no part of the path may say what the program needs: audits read names
    path = folder / hashlib.sha256(f"{key}{form}{command}".encode()).hexdigest()[:12]
    suffix = {"c": "c", "c++": "cc", "f95": "f95"}[language]
    text = path.with_suffix(f".{suffix}")
    text.write_text(source)
    subprocess.run([*command, "-w", "-o", str(path), str(text)], check=True, cwd=folder)
    text.unlink()
    return Case(path, key[0], name, runs)
