"""Directories that are not the author's: the base's, the kernel's, reproc's own."""

from __future__ import annotations

BASE = frozenset(
    "/ /bin /boot /dev /etc /home /lib /lib64 /mnt /opt /proc /root /run /sbin /sys /tmp /usr /usr/bin /usr/lib "
    "/usr/local /usr/local/bin /usr/local/lib /usr/sbin /usr/share /var /var/lib".split()
)
"""Directories that every base has (FHS 3.0)."""
_OWN = "/opt/reproc"
_KERNEL = ("/dev", "/proc", "/sys")


def reserved(path: str) -> str | None:
    """Why nothing of the author's may stand at a path, in words that follow a colon; None if it may."""
    if path.rstrip("/") == "":
        return "it is the whole image"
    if _below(path, _OWN) or path.startswith("/.reproc") or _below(path, "/.singularity.d"):
        return "what makes apps start is kept there"
    if any(_below(path, each) for each in _KERNEL):
        return "the kernel shows its own there in every container"
    return None


def inside(path: str, folder: str) -> bool:
    """Whether a path lies below a folder."""
    return path.startswith(f"{folder.rstrip('/')}/")


def _below(path: str, folder: str) -> bool:
    return path.rstrip("/") == folder or inside(path, folder)
