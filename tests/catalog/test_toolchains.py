"""What the catalogue says of tool chains: offers for a base, ways to one, names behind `-march=`."""

from __future__ import annotations

import re

import pytest

from reproc import catalog
from reproc.catalog import elsewhere, marches
from reproc.catalog.ways import every, nearest, numbers, ways


def release(name: str, distribution: str = "debian") -> catalog.Release:
    found = catalog.release(distribution, name)
    assert found is not None
    return found


def test_the_base_s_own_come_first_then_older_then_what_cannot() -> None:
    offers = catalog.toolchain_offers("gcc", release("bookworm"))
    assert [(each.release.codename, each.version, each.own, each.fits) for each in offers] == [
        ("bookworm", "11.3.0", True, True),
        ("bookworm", "12.2.0", True, True),
        ("bullseye", "9.3.0", False, True),
        ("bullseye", "10.2.1", False, True),
        ("buster", "7.4.0", False, True),
        ("buster", "8.3.0", False, True),
        ("stretch", "6.3.0", False, True),
        ("jessie", "4.8.4", False, True),
        ("jessie", "4.9.2", False, True),
        ("wheezy", "4.4.7", False, True),
        ("wheezy", "4.6.3", False, True),
        ("wheezy", "4.7.2", False, True),
        ("trixie", "12.4.0", False, False),
        ("trixie", "13.3.0", False, False),
        ("trixie", "14.2.0", False, False),
    ]


@pytest.mark.parametrize(
    ("base", "version", "found"),
    [
        ("bookworm", "9", ("9.3.0", "bullseye")),
        ("bookworm", "12", ("12.2.0", None)),
        ("bookworm", "12.4", None),
        ("bookworm", "1", None),
        ("trixie", "12", ("12.4.0", None)),
        ("trixie", "12.2", ("12.2.0", "bookworm")),
        ("trixie", "9", ("9.3.0", "bullseye")),
        ("bullseye", "12", None),
        ("bookworm", "4.9", ("4.9.2", "jessie")),
        ("bookworm", "4.4", ("4.4.7", "wheezy")),
        ("trixie", "4.7", ("4.7.2", "wheezy")),
        ("bullseye", "4.6.3", ("4.6.3", "wheezy")),
        ("bookworm", "4.5", None),
        ("trixie", "7", ("7.4.0", "buster")),
        ("bookworm", "5", None),
    ],
)
def test_the_nearest_release_that_can(base: str, version: str, found: tuple[str, str | None] | None) -> None:
    tool = catalog.toolchain("gcc", version, ("c", "c++"), release(base))
    assert (tool and (tool.version, tool.release)) == found


@pytest.mark.parametrize("name", catalog.toolchain_names())
def test_every_offer_can_be_made(name: str) -> None:
    for distribution in ("debian", "ubuntu"):
        for base in catalog.releases(distribution):
            for offer in catalog.toolchain_offers(name, base):
                kinds = {"gfortran": ("fortran",), "clang": ("c", "c++")}
                kinds |= dict.fromkeys(("gcc", "openmpi", "mpich"), ("c", "c++", "fortran"))
                languages = kinds.get(name, (name,))
                tool = catalog.toolchain(name, offer.version, languages, base)
                assert tool is not None or not offer.fits
                if tool is not None:
                    commands = dict(tool.commands)
                    assert {command for _, command in tool.variables} <= commands.keys()
                    assert tool.packages and commands
                    assert (not tool.asks or tool.asks[0] in commands) and tool.key.startswith(f"{name}-")
                    assert "{series}" not in repr(tool)


@pytest.mark.parametrize(
    ("name", "version", "key", "home"),
    [
        ("gcc", "12", "gcc-12", None),
        ("gcc", "4.9", "gcc-4.9", None),
        ("go", "1", "go-1.19", "/usr/lib/go-1.19"),
        ("rust", "1.63", "rust-1.63", None),
        ("java", "17", "java-17", "/usr/lib/jvm/java-17-openjdk-{architecture}"),
    ],
)
def test_keys_and_homes(name: str, version: str, key: str, home: str | None) -> None:
    tool = catalog.toolchain(name, version, (name,), release("bookworm"))
    assert tool is not None
    assert (tool.key, tool.home) == (key, home)


def test_releases_that_left_the_archive_are_no_bases() -> None:
    assert catalog.release("debian", "jessie") is None
    left = {each.codename: each.snapshot for each in catalog.every_release("debian") if each.snapshot}
    assert left == {
        "wheezy": "20180601T000000Z",
        "jessie": "20200701T000000Z",
        "stretch": "20220701T000000Z",
        "buster": "20240701T000000Z",
    }


@pytest.mark.parametrize(
    ("version", "brought"), [("4.9", ("libgfortran3",)), ("7", ("libgfortran4",)), ("8", ()), ("12", ())]
)
def test_old_fortran_brings_its_library(version: str, brought: tuple[str, ...]) -> None:
    for name in ("gcc", "gfortran"):
        tool = catalog.toolchain(name, version, ("fortran",), release("bookworm"))
        assert tool is not None and tool.brought == brought
    plain = catalog.toolchain("gcc", version, ("c", "c++"), release("bookworm"))
    assert plain is not None and plain.brought == ()


def test_an_archive_without_a_libc_takes_the_base_s() -> None:
    alone = catalog.archived_toolchain("gcc", "4.8.5", ("c", "c++"), catalog.Archived("bin", "root"))
    other = catalog.archived_toolchain("gcc", "7.3.0", ("c",), catalog.Archived("bin", None))
    assert (alone.key, alone.packages) == ("gcc-4.8.5", ())
    assert (other.key, other.packages) == ("gcc-7.3.0", ("binutils", "libc6-dev"))
    assert dict(other.variables) == {"CC": "gcc"}


@pytest.mark.parametrize("name", catalog.toolchain_names())
def test_the_way_that_is_taken_is_the_one_that_a_spec_gets(name: str) -> None:
    for base in (*catalog.releases("debian"), *catalog.releases("ubuntu")):
        for version in {each.version.partition(".")[0] for each in every(name, base)} | {"0.1"}:
            found = ways(name, version, base)
            taken = [way for way in found if way.taken]
            chosen = elsewhere.provider(name, version, (name,), base)
            assert [way.provider for way in taken] == ([chosen] if chosen else [])
            assert all(way.reason for way in found)
            assert {"distro", "image", "source", "archive"} <= {way.provider for way in found}


BESIDE = "its packages stand beside the base's own, of which none moves"


def told(name: str, version: str, base: str = "bookworm") -> list[tuple[str, bool, str]]:
    return [(way.provider, way.taken, way.reason) for way in ways(name, version, release(base))]


def test_why_a_way_is_taken_or_not() -> None:
    assert told("gcc", "4.9")[1:3] == [
        ("image", False, "packages come first; `provider image` takes it"),
        ("source", False, "packages come first; `provider source` takes it"),
    ]
    assert told("gcc", "15")[1:3] == [
        ("image", True, "a folder of an official image, pinned by its digest"),
        ("source", False, "an image comes first; `provider source` takes it"),
    ]
    source = [each for each in told("gcc", "16") if each[0] == "source"]
    hours = "its release is compiled on the base, which takes hours: only with `provider source`"
    assert source == [("source", False, hours)]
    assert ("image", False, "it needs glibc 2.41, and the base has 2.36") in told("gcc", "16")
    assert ("source", True, "its release is compiled on the base") in told("cmake", "3.16")


def test_conda_comes_last() -> None:
    assert ("conda", False, "packages come first; `provider conda` takes it") in told("gcc", "9")
    assert ("conda", False, "an image comes first; `provider conda` takes it") in told("gcc", "15")
    taken = "packages of conda-forge with all that they need, each by its digest"
    assert ("conda", True, taken) in told("gcc", "13", "bullseye"), (
        "too new for its images, and long to compile"
    )
    (lacks,) = [each for each in told("gcc", "8.1") if each[0] == "conda"]
    assert lacks[1] is False and lacks[2].startswith("it has 7.3.0, 7.5.0, 8.4.0, ")
    assert ("conda", True, taken) in told("cmake", "3.10.2"), (
        "of a release that is quick to compile, but another"
    )
    assert ("conda", False, "a release to compile comes first; `provider conda` takes it") in told(
        "cmake", "3.10.3"
    )


def test_packages_of_conda_forge() -> None:
    assert elsewhere.provider("gcc", "13", ("c",), release("bullseye")) == "conda"
    found = elsewhere.conda_package("gfortran", "9")
    assert found is not None and found.version == "9.5.0"
    assert found.on("linux/arm64", ("fortran",)) == ("gcc_impl_linux-aarch64", "gfortran_impl_linux-aarch64")
    made = elsewhere.from_conda("gcc", found, ("c", "c++"), release("bookworm"))
    assert (made.key, made.packages) == ("gcc-9.5.0-conda-bookworm", ("binutils", "libc6-dev"))
    assert made.archive is not None and made.archive.libraries is None, "the base's own are newer"


@pytest.mark.parametrize("name", [each for each in catalog.toolchain_names() if each != "gfortran"])
def test_every_tool_is_among_the_packages_of_conda_forge(name: str) -> None:
    found = elsewhere.conda_packages(name)
    assert [each.version for each in found] == sorted(
        {each.version for each in found}, key=numbers, reverse=True
    )
    parts = ("c", "c++", "fortran") if name in ("gcc", "clang", "openmpi", "mpich") else (name,)
    for each in found:
        assert each.on("linux/amd64", parts), "something is asked of the channel"
        made = elsewhere.from_conda(name, each, parts, release("bookworm"))
        assert made.archive is not None and made.archive.bin and made.archive.programs


def test_java_8_lies_elsewhere_among_them() -> None:
    for version, inside, home in (("17", "lib/jvm/bin", "lib/jvm"), ("8", "bin", "")):
        package = elsewhere.conda_package("java", version)
        assert package is not None
        found = elsewhere.from_conda("java", package, ("java",), release("bookworm")).archive
        assert found is not None and (found.bin, found.home) == (inside, home)


@pytest.mark.parametrize("name", ["gcc", "gfortran"])
def test_images_that_are_lost_are_told_by_their_names(name: str) -> None:
    (lost,) = [way for way in ways(name, "4.8.5", release("bookworm")) if way.version == "4.8.5"]
    assert lost.what == f"{name} 4.8.5 of docker.io/library/gcc:4.8.5"


@pytest.mark.parametrize("version", ["4.4", "4.6", "4.7", "4.8"])
def test_the_oldest_compilers_come_as_packages(version: str) -> None:
    for base in ("bullseye", "bookworm", "trixie"):
        found = told("gcc", version, base)
        old, moment = ("jessie", "20200701") if version == "4.8" else ("wheezy", "20180601")
        assert ways("gcc", version, release(base))[0].what.endswith(f" of debian {old}")
        assert found[0] == ("distro", True, f"{BESIDE}, as of {moment} from the snapshot service")
        lost = (
            "image",
            False,
            "its manifest is of the first form, which registries and clients have dropped",
        )
        assert (lost in found) is (version != "4.4")


def test_what_another_distribution_has_is_told() -> None:
    jammy = release("jammy", "ubuntu")
    own = next(each for each in ways("gcc", "4.4", jammy) if each.provider == "distro")
    assert not own.fits and own.reason.endswith("; debian wheezy has 4.4.7, for a base of debian")
    assert "for a base of" not in next(iter(ways("gcc", "9", jammy))).reason
    assert "for a base of" not in next(iter(ways("gcc", "5", jammy))).reason


def test_folders_of_images() -> None:
    assert elsewhere.provider("rust", "1.70", ("rust",), release("bookworm")) == "image"
    found = elsewhere.folder("rust", "1.70", release("bullseye"))
    assert found is not None
    assert found.reference == "docker.io/library/rust:1.70.0-bullseye"
    assert found.on("linux/arm64") == "/usr/local/rustup/toolchains/1.70.0-aarch64-unknown-linux-gnu"
    java = elsewhere.folder("java", "8", release("jammy", "ubuntu"))
    assert java is not None and java.reference == "docker.io/library/eclipse-temurin:8-jdk-jammy"
    assert elsewhere.folder("gcc", "16", release("bookworm")) is None
    plain = elsewhere.folder("gcc", "4.9", release("bullseye"))
    assert plain is not None and (plain.version, plain.built_on) == ("4.9.4", "buster")
    assert elsewhere.folder("clang", "9", release("bookworm")) is None


def test_what_every_row_must_say() -> None:
    for name in catalog.toolchain_names():
        for folder in elsewhere.folders(name):
            assert "{" not in folder.reference and folder.path.startswith("/")
        for recipe in elsewhere.recipes(name):
            assert re.fullmatch(r"[0-9a-f]{64}", recipe.sha256 or "")
            assert recipe.packages and all(url.startswith("https://") for url in recipe.urls)
            assert not re.search(r"\{(?!prefix|options|languages|jobs)", "".join(recipe.commands))
    digests = [
        each.sha256
        for name in ("gcc", "make", "ninja", "cmake", "openmpi", "mpich")
        for each in elsewhere.recipes(name)
    ]
    assert len(digests) == len(set(digests)) > 80


def test_the_nearest_versions() -> None:
    known = ["9.5.0", "9.4.0", "4.9.4", "15.1.0", "12.2.0", "12.5.0"]
    assert nearest("16", known, 1) == ["15.1.0"]
    assert nearest("9", known, 1) == ["9.5.0"]
    assert nearest("12.4", known, 1) == ["12.5.0"]
    assert nearest("4.4", known) == ["4.9.4", "9.4.0", "9.5.0", "12.2.0", "12.5.0", "15.1.0"]


@pytest.mark.parametrize(
    ("version", "name", "knows"),
    [
        ("11.3.0", "x86-64-v3", True),
        ("10.2.0", "x86-64-v3", False),
        ("9", "x86-64-v2", False),
        ("11", "x86-64-v2", True),
        ("10.2.1", "znver3", True),  # made on the way to 10.3.0
        ("10.2.0", "znver3", False),
        ("4.8.5", "haswell", False),
        ("9.3.0", "a-name-that-nobody-knows", True),
    ],
)
def test_names_behind_march(version: str, name: str, knows: bool) -> None:
    assert marches.knows(version, name) is knows


def test_what_means_the_same() -> None:
    assert marches.instead("4.8.5", "haswell") == "-march=core-avx2 -mtune=core-avx2"
    assert "-mavx2" in (marches.instead("9.3.0", "x86-64-v3") or "")
    assert marches.instead("9.3.0", "sapphirerapids") is None
