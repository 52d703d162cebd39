"""What ELF files say of themselves: who made them, and what they need."""

from __future__ import annotations

from pathlib import Path

from reproc.record import record

_LOADERS = {"EM_X86_64": "/lib64/ld-linux-x86-64.so.2", "EM_AARCH64": "/lib/ld-linux-aarch64.so.1"}
"""The loaders of machines' ABIs, for libraries, which name none."""


@record
class Elf:
    """A program or a shared library."""

    producers: tuple[str, ...]
    """The texts of its section `.comment`, such as `GCC: (Debian 9.3.0-22) 9.3.0`, sorted."""
    loader: str | None
    """What starts it, or loads it; None if that is not known."""
    soname: str | None
    needs: tuple[str, ...]
    """The sonames that it needs; none if it is static."""


def read(path: Path) -> Elf | None:
    """A program or a library; None for any other file, also for object files."""
    with path.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return None
        from elftools.common.exceptions import ELFError
        from elftools.elf.dynamic import DynamicSection
        from elftools.elf.elffile import ELFFile
        from elftools.elf.segments import InterpSegment

        try:
            elf = ELFFile(file)
            if elf["e_type"] not in ("ET_EXEC", "ET_DYN"):
                return None
            comment = elf.get_section_by_name(".comment")
            texts = comment.data().split(b"\0") if comment is not None else []
            producers = {text.decode("utf-8", "replace") for text in texts if text.strip()}
            loader = next(
                (s.get_interp_name() for s in elf.iter_segments() if isinstance(s, InterpSegment)), None
            )
            soname: str | None = None
            needs: list[str] = []
            for section in elf.iter_sections():
                if isinstance(section, DynamicSection):
                    for tag in section.iter_tags():
                        # the library sets an attribute for each kind of tag, which its types do not know
                        if tag.entry.d_tag == "DT_NEEDED":
                            needs.append(str(getattr(tag, "needed")))  # noqa: B009
                        elif tag.entry.d_tag == "DT_SONAME":
                            soname = str(getattr(tag, "soname"))  # noqa: B009
            return Elf(
                tuple(sorted(producers)), loader or _LOADERS.get(elf["e_machine"]), soname, tuple(needs)
            )
        except (ELFError, ValueError, KeyError, UnicodeDecodeError, AssertionError):
            return None  # damaged, or only named like one: the loader's word on it counts
