"""Programs that need more of a processor than the base, compiled here: some test for it, and some do not.

Every feature comes in every form. What is expected is known from how a program was made, not from an audit.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_INCLUDE = "#include <immintrin.h>\n#include <stdio.h>\n#include <stdlib.h>\n"


@dataclass(frozen=True)
class Feature:
    """A feature by archspec's name, and a loop that uses it."""

    name: str
    gcc: str
    level: str
    """The highest level that does not have it."""
    body: str
    """Of `int NAME(const int *a, int n)`."""


FEATURES = (
    Feature(
        "sse3",
        "sse3",
        "x86-64",
        "__m128i v = _mm_lddqu_si128((void *)a); return _mm_cvtsi128_si32(_mm_add_epi32(v, v)) + n;",
    ),
    Feature(
        "ssse3", "ssse3", "x86-64", "__m128i v = _mm_loadu_si128((void *)a); return _mm_abs_epi32(v)[0] + n;"
    ),
    Feature(
        "sse4_1",
        "sse4.1",
        "x86-64",
        "__m128i v = _mm_loadu_si128((void *)a); return _mm_extract_epi32(_mm_mullo_epi32(v, v), 2) + n;",
    ),
    Feature("sse4_2", "sse4.2", "x86-64", "return _mm_crc32_u32(n, a[0]);"),
    Feature("popcnt", "popcnt", "x86-64", "return __builtin_popcount(a[0]) + n;"),
    Feature(
        "avx",
        "avx",
        "x86-64-v2",
        "__m256 v = _mm256_loadu_ps((void *)a); v = _mm256_add_ps(v, v); return (int)v[3] + n;",
    ),
    Feature(
        "avx2",
        "avx2",
        "x86-64-v2",
        "__m256i v = _mm256_loadu_si256((void *)a); v = _mm256_add_epi32(v, v); return (int)v[1] + n;",
    ),
    Feature(
        "fma",
        "fma",
        "x86-64-v2",
        "__m128d v = _mm_set1_pd(n); return (int)_mm_fmadd_pd(v, v, _mm_set1_pd(a[0]))[0];",
    ),
    Feature(
        "f16c",
        "f16c",
        "x86-64-v2",
        "__m128i v = _mm_loadu_si128((void *)a); return (int)_mm_cvtph_ps(v)[1] + n;",
    ),
    Feature("bmi1", "bmi", "x86-64-v2", "return _andn_u32(a[0], n);"),
    Feature("bmi2", "bmi2", "x86-64-v2", "return _pdep_u32(a[0], n);"),
    Feature("abm", "lzcnt", "x86-64-v2", "return _lzcnt_u32(a[0]) + n;"),
    Feature(
        "avx512f",
        "avx512f",
        "x86-64-v3",
        "__m512i v = _mm512_loadu_si512(a); return _mm512_reduce_add_epi32(_mm512_mullo_epi32(v, v)) + n;",
    ),
)

MNEMONICS = {
    "sse3": "lddqu",
    "ssse3": "pabsd",
    "sse4_1": "pmulld",
    "sse4_2": "crc32",
    "popcnt": "popcnt",
    "avx": "vaddps",
    "avx2": "vpaddd",
    "fma": "vfmadd",
    "f16c": "vcvtph2ps",
    "bmi1": "andn",
    "bmi2": "pdep",
    "abm": "lzcnt",
    "avx512f": "zmm",
}
"""What a disassembler shows of each feature: compilers may find another way."""

_KERNEL = """
__attribute__((noinline, target("{gcc}"))) static int fast(const int *a, int n) {{ {body} }}
__attribute__((noinline)) static int plain(const int *a, int n) {{ return a[0] * n; }}
"""
_MAIN = 'static int a[64];\nint main(int argc, char **argv) { a[0] = argc; printf("%d\\n", work(a, argc)); return 0; }\n'
_CPUID = """
#include <cpuid.h>
__attribute__((noinline)) static int has(void) {{
    unsigned a, b, c, d;
    if (!__get_cpuid_count({leaf}, 0, &a, &b, &c, &d)) return 0;
    return ({register} >> {bit}) & 1;
}}
"""
_BITS = {
    "sse3": (1, "c", 0),
    "ssse3": (1, "c", 9),
    "sse4_1": (1, "c", 19),
    "sse4_2": (1, "c", 20),
    "popcnt": (1, "c", 23),
    "avx": (1, "c", 28),
    "avx2": (7, "b", 5),
    "fma": (1, "c", 12),
    "f16c": (1, "c", 29),
    "bmi1": (7, "b", 3),
    "bmi2": (7, "b", 8),
    "abm": ("0x80000001", "c", 5),
    "avx512f": (7, "b", 16),
}
"""Leaf, register and bit of CPUID (Intel's manual, volume 2, CPUID)."""

_CLONED = """
int work(const int *a, int n) {
    int s = 0, b[64];
    double x = n;
    for (int i = 0; i < 64; i++) b[i] = abs(a[i]) * n;
    for (int i = 0; i < 64; i++) { s += __builtin_popcount(a[i]) + (~b[i] & n); s ^= s << (n & 31); x = x * x + n; }
    return s + (int)x;
}
"""
CLONED = {
    "ssse3": "pabsd",
    "sse4_1": "pmulld",
    "sse4_2": "popcnt",
    "popcnt": "popcnt",
    "avx": "vaddsd",
    "avx2": "vpmulld",
    "fma": "vfmadd",
    "bmi1": "andn",
    "bmi2": "shlx",
    "avx512f": "zmm",
}
"""What a disassembler shows of a clone for each feature."""

# by name: whether the program runs the instructions on every processor, and how `work` calls them
_WAYS = {
    "direct": (True, "int work(const int *a, int n) { return fast(a, n); }"),
    "pointer": (
        True,
        "int (*volatile chosen)(const int *, int) = fast;\n"
        "int work(const int *a, int n) { return chosen(a, n); }",
    ),
    "beside a test": (
        True,
        'int work(const int *a, int n) {{ int r = fast(a, n); if (__builtin_cpu_supports("{gcc}")) r += 3; return r; }}',
    ),
    "after a test": (
        True,
        'int work(const int *a, int n) {{ int r = n; if (__builtin_cpu_supports("{gcc}")) r = puts("it is there");'
        " return r + fast(a, n); }}",
    ),
    "builtin": (
        False,
        'int work(const int *a, int n) {{ return __builtin_cpu_supports("{gcc}") ? fast(a, n) : plain(a, n); }}',
    ),
    "builtin, not": (
        False,
        'int work(const int *a, int n) {{ if (!__builtin_cpu_supports("{gcc}")) return plain(a, n); puts("fast");'
        " return fast(a, n); }}",
    ),
    "ifunc": (
        False,
        "static int (*resolve(void))(const int *, int) {{ __builtin_cpu_init();"
        ' return __builtin_cpu_supports("{gcc}") ? fast : plain; }}\n'
        'int work(const int *a, int n) __attribute__((ifunc("resolve")));',
    ),
    "clones": (False, ""),
    "cpuid": (False, "{cpuid}int work(const int *a, int n) {{ return has() ? fast(a, n) : plain(a, n); }}"),
    "flag": (
        False,
        "{cpuid}static int there;\n__attribute__((constructor)) static void start(void) {{ there = has(); }}\n"
        "int work(const int *a, int n) {{ return there ? fast(a, n) : plain(a, n); }}",
    ),
    "choice": (
        False,
        "{cpuid}static int (*chosen)(const int *, int);\n"
        "__attribute__((constructor)) static void start(void) {{ chosen = plain; if (has()) chosen = fast; }}\n"
        "int work(const int *a, int n) {{ return chosen(a, n); }}",
    ),
    "inline": (
        False,
        'int work(const int *a, int n) {{ if (__builtin_cpu_supports("{gcc}"))'
        ' {{ int r; __asm__("{assembly}" : "=r"(r) : : "xmm0"); return r; }} return plain(a, n); }}',
    ),
}
_ASSEMBLY = {"avx": "vxorps %%xmm0,%%xmm0,%%xmm0; xor %0,%0", "bmi2": "mulx %%rax,%%rax,%%rax; xor %0,%0"}


@dataclass(frozen=True)
class Program:
    """A compiled program, and what is known of it."""

    path: Path
    feature: Feature
    way: str
    shape: str
    runs: bool
    """Whether it runs the feature's instructions on every processor."""

    @property
    def name(self) -> str:
        return f"{self.feature.name}, {self.way}, {self.shape}"


_PYTHON = """
#include <stddef.h>
/* what Python.h has of it, as far as a loader can see */
struct method { const char *name; void *function; int flags; const char *doc; };
struct module { size_t base[5]; const char *name, *doc; size_t size; struct method *methods; void *rest[4]; };
extern void *PyModule_Create2(struct module *, int);
extern void *PyLong_FromLong(long);
static int a[64];
static void *call(void *self, void *args) { a[0] = args != 0; return PyLong_FromLong(work(a, 3)); }
static struct method methods[] = {{"call", call, 4, 0}, {0, 0, 0, 0}};
static struct module module = {{1}, "fast", 0, -1, methods, {0}};
__attribute__((visibility("default"))) void *PyInit_fast(void) { return PyModule_Create2(&module, 1013); }
"""
SHAPES = {
    "program": ("-O2",),
    "stripped": ("-O2", "-s"),
    "static": ("-O2", "-static"),
    "static, stripped": ("-O2", "-static", "-s"),
    "library": ("-O2", "-fPIC", "-shared"),
    "library, stripped": ("-O2", "-fPIC", "-shared", "-s"),
    "module": ("-O2", "-fPIC", "-shared", "-fvisibility=hidden"),
    "module, stripped": ("-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-s"),
}


def source(feature: Feature, way: str, shape: str) -> str | None:
    """The C code of a program; None if there is none in this way."""
    text = _WAYS[way][1]
    leaf, register, bit = _BITS[feature.name]
    cpuid = _CPUID.format(leaf=leaf, register=register, bit=bit)
    parts = [_INCLUDE]
    if way == "clones":
        if feature.name not in CLONED:
            return None  # GCC makes no clone for it, or none that uses it
        attributes = f'__attribute__((target_clones("{feature.gcc}", "default"), optimize("O3")))'
        parts.append(f"{attributes} {_CLONED}")
    else:
        if way == "inline" and feature.name not in _ASSEMBLY:
            return None
        parts.append(_KERNEL.format(gcc=feature.gcc, body=feature.body))
        filled = (
            text.format(gcc=feature.gcc, cpuid=cpuid, assembly=_ASSEMBLY.get(feature.name, ""))
            if "{{" in text
            else text
        )
        parts.append(filled + "\n")
    if shape.startswith("module"):
        parts.append(_PYTHON)
    elif not shape.startswith("library"):
        parts.append(_MAIN)
    return "".join(parts)


def programs(
    folder: Path, features: Sequence[str] | None = None, shapes: Sequence[str] | None = None
) -> Iterator[Program]:
    """Compiles the corpus, or some of it."""
    for feature in FEATURES:
        if features is not None and feature.name not in features:
            continue
        for way, (runs, _) in _WAYS.items():
            for shape, options in SHAPES.items():
                if shapes is not None and shape not in shapes:
                    continue
                text = source(feature, way, shape)
                if text is not None:
                    name = f"{feature.name}-{way}-{shape}".replace(", ", "-").replace(" ", "-")
                    yield Program(compiled(folder, name, text, *options), feature, way, shape, runs)


def compiled(folder: Path, name: str, text: str, *options: str, language: str = "c") -> Path:
    """A program, compiled from a text."""
    # no part of the name may say what the program needs: audits read names
    path = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:12]}.elf"
    subprocess.run(
        ["gcc", "-x", language, "-w", "-o", str(path), "-", *options],
        input=text.encode(),
        check=True,
    )
    return path
