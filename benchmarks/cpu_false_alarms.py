"""How often the audit of processors speaks up about packages that choose their instructions when they run.

    python benchmarks/cpu_false_alarms.py [--level x86-64-v2] [--folder FOLDER] [--only TEXT] [--json FILE]

Debian's packages run on every x86-64 processor (its policy says so), and so do these wheels as far as their projects
say: what is failed or doubted here is a false alarm. Three counts of files: failed and
doubted as in an image that got them from others, and failed if the author's own builds had made them. Needs pip,
and apt of Debian 12 for Debian's part.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from reproc import audit
from reproc.catalog import processors

WHEELS = """
numpy==1.26.4 numpy==2.2.6 scipy-openblas64==0.3.29.0.0 scipy==1.15.3 pandas==2.2.3 scikit-learn==1.5.2 matplotlib==3.9.2
pillow==11.0.0 h5py==3.12.1 lxml==5.3.0 numba==0.60.0 llvmlite==0.43.0 zstandard==0.23.0 blosc2==2.7.1
cryptography==43.0.3 orjson==3.10.11 tokenizers==0.20.3 pyzmq==26.2.0 pyarrow==18.1.0 onnxruntime==1.20.1
faiss-cpu==1.9.0 lightgbm==4.5.0 opencv-python-headless==4.10.0.84 av==13.1.0
""".split()
DEBS = """
libc6 libstdc++6 libgomp1 libgfortran5 libblas3 liblapack3 libopenblas0-pthread libopenblas0-serial libatlas3-base
libfftw3-double3 libfftw3-single3 libgsl27 libhdf5-103 libmpich12 libopenmpi3 libx264-164 libx265-199 libavcodec59
libavutil57 libswscale6 libswresample4 libvpx7 libdav1d6 libaom3 libsvtav1enc1 librav1e0 libyuv0 libssl3 libcrypto++8
libzstd1 libsodium23 libgnutls30 libgcrypt20 libjpeg62-turbo libpng16-16 libwebp7 libpixman-1-0 libpython3.11 libsqlite3-0
libblosc1 libxxhash0 libb2-1 libabsl20220623 libitm1 libllvm14 libopencv-core406 libopencv-imgproc406 libembree3-3
libvolk2.5 libceres3 libcholmod3 libumfpack5 gcc-12 cpp-12 perl-base
""".split()
_PLATFORMS = (
    "manylinux2014_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_28_x86_64",
)


def fetched(folder: Path, only: str) -> Iterator[tuple[str, str, Path]]:
    """Kind, name and tree of every package."""
    for wheel in (each for each in WHEELS if only in each):
        tree = folder / "wheels" / wheel
        if not tree.exists():
            tree.mkdir(parents=True)
            platforms = [word for each in _PLATFORMS for word in ("--platform", each)]
            options = ["--no-deps", "--only-binary", ":all:", "--python-version", "3.11", *platforms]
            command = [sys.executable, "-m", "pip", "download", "-q", *options, "-d", str(tree), wheel]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            for archive in tree.glob("*.whl"):
                zipfile.ZipFile(archive).extractall(tree)
                archive.unlink()
        yield "wheel", wheel, tree
    for deb in (each for each in DEBS if only in each and shutil.which("apt-get")):
        tree = folder / "debs" / deb
        if not tree.exists():
            tree.mkdir(parents=True)
            subprocess.run(["apt-get", "download", "-q", deb], cwd=tree, check=True, capture_output=True)
            for archive in tree.glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", archive, tree], check=True)
                archive.unlink()
        yield "deb", deb, tree


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--level", default="x86-64-v2")
    parser.add_argument("--folder", type=Path, help="where packages are kept (default: nowhere)")
    parser.add_argument("--only", default="", help="only packages whose name holds this")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    options = parser.parse_args()
    promise = audit.Promise("linux/amd64", processors.level(options.level))
    rows = []
    print(f"{'package':<40}{'programs':>9}{'failed':>8}{'doubted':>9}{'as own':>8}")
    with tempfile.TemporaryDirectory() as temporary:
        for kind, name, tree in fetched(options.folder or Path(temporary), options.only):
            paths = [each for each in sorted(tree.rglob("*")) if each.is_file() and not each.is_symlink()]
            found = audit.facts_of([audit.File(f"/{each.relative_to(tree)}", each) for each in paths])
            facts = [(file.path, each) for file, each in found]
            others = [
                each
                for each in audit.judge(facts, promise, lambda path: False)
                if each.kind is audit.Kind.CPU
            ]
            own = [
                each for each in audit.judge(facts, promise) if each.kind is audit.Kind.CPU and not each.holds
            ]
            failed = sum(not each.holds for each in others)
            doubted = sum(each.doubtful for each in others)
            row = {"kind": kind, "name": name, "programs": len(facts), "failed": failed, "doubted": doubted}
            rows.append({**row, "own": len(own), "said": [each.message for each in own]})
            print(f"{name:<40}{len(facts):>9}{failed:>8}{doubted:>9}{len(own):>8}", flush=True)
            for each in own:
                print(f"    {each.message}")
    sums = {key: sum(int(str(row[key])) for row in rows) for key in ("programs", "failed", "doubted", "own")}
    print(f"{'all':<40}{sums['programs']:>9}{sums['failed']:>8}{sums['doubted']:>9}{sums['own']:>8}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return int(sums["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())
