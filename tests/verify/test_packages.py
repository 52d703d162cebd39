"""The packages of an image and their licences: read where they are stated, and unknown where they are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reproc.catalog.pythons import PythonArchive
from reproc.verify.audits.image import Image, Unreadable
from reproc.verify.engines.base import Engine
from reproc.verify.packages import licenses_of, licenses_of_metadata, packages
from reproc.verify.report import Package

Images = Callable[[str], tuple[Engine, str]]

DEP5 = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: x

Files: *
Copyright: 2020 A. Person
License: GPL-2+ with Autoconf   exception

Files: lib/*
Copyright: 2021 B. Person
License: Expat
 Permission is hereby granted, free of charge
 License: this line is part of the text

License: GPL-2+ with Autoconf exception
 On Debian systems see /usr/share/common-licenses/GPL-2.
"""
PROSE = """\
This package was debianized by C. Person. License: see below.
On Debian systems the GNU GPL is in `/usr/share/common-licenses/GPL-2'.
The library is under /usr/share/common-licenses/LGPL-2.1.
"""


@pytest.mark.parametrize(
    ("text", "licenses", "mentions"),
    [
        (DEP5, ("Expat", "GPL-2+ with Autoconf exception"), ()),
        (
            DEP5.replace("https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/", "http://dep.debian.net/deps/dep5/"),
            ("Expat", "GPL-2+ with Autoconf exception"),
            (),
        ),
        (PROSE, (), ("GPL-2", "LGPL-2.1")),
        ("This is in the public domain.\n", (), ()),
        ("", (), ()),
        ("Format: of this file is prose\nLicense: no\n", (), ()),
        ("\x00\ufffd\x1b[31mLicense: x", (), ()),
    ],
)  # fmt: skip
def test_licences_of_a_copyright_file(
    text: str, licenses: tuple[str, ...], mentions: tuple[str, ...]
) -> None:
    assert licenses_of(text) == (licenses, mentions)


@pytest.mark.parametrize(
    ("head", "licenses"),
    [
        ([("License-Expression", "MIT OR Apache-2.0"), ("License", "other")], ("MIT OR Apache-2.0",)),
        (
            [
                ("License", "BSD"),
                ("Classifier", "License :: OSI Approved :: BSD License"),
                ("Classifier", "License :: OSI Approved"),
            ],
            ("BSD License",),
        ),
        ([("License", "BSD-3-Clause")], ("BSD-3-Clause",)),
        ([("License", "Copyright (c) 2005-2023, the developers. " * 9)], ()),
        ([("License", "UNKNOWN")], ()),
        ([("License", "LICENSE.txt")], ()),
        ([("License", "")], ()),
        ([], ()),
    ],
)
def test_licences_of_a_python_distribution(head: list[tuple[str, str]], licenses: tuple[str, ...]) -> None:
    assert licenses_of_metadata(head) == licenses


def test_packages_of_an_image(engine_name: str, images: Images, tmp_path: Path) -> None:
    """The image's package database, documentation and environment are written in conftest.py."""
    engine, name = images(engine_name)
    assert packages(Image(engine, name, (), tmp_path), ["/opt/venv", "/opt/there is none"]) == (
        Package("lib-other", "2:1.0", "debian"),
        Package("lib-prose", "3", "debian", (), ("GPL-3",)),
        Package("tool", "1.0-1", "debian", ("Expat", "GPL-2+")),
        Package("tool-data", "1.0-1", "debian", ("Expat", "GPL-2+")),
        Package("a.thing", "2.0", "python", ("MIT License",)),
        Package("other", "1!3", "python"),
    )


def test_an_interpreter_out_of_an_archive(engine_name: str, images: Images, tmp_path: Path) -> None:
    engine, name = images(engine_name)
    archive = PythonArchive("3.8.20", "https://example.org/python.tar.gz", "0" * 64)
    found = packages(Image(engine, name, (), tmp_path), (), (archive,))
    assert [each for each in found if each.kind == "python"] == [
        Package("CPython", "3.8.20", "python", ("CNRI-Python", "Python-2.0"))
    ]


def test_an_image_that_is_not_there_has_no_list(engine_name: str, images: Images, tmp_path: Path) -> None:
    engine, name = images(engine_name)
    with pytest.raises(Unreadable):
        packages(Image(engine, f"{name}-gone", (), tmp_path / "x"), ["/opt/venv"])
