"""The image's user is one that no base has, with a home of its own."""

from __future__ import annotations

from collections.abc import Iterator

from reproc.check.checked import Target
from reproc.check.rules.places import BASE, reserved
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import image as codes
from reproc.folder import Folder

_SYSTEM = frozenset(
    "_apt backup bin daemon games gnats irc list lp mail man messagebus news nobody proxy root sshd sync sys "
    "systemd-network systemd-resolve systemd-timesync uucp www-data adm audio cdrom dialout dip disk fax floppy "
    "input kmem kvm nogroup operator plugdev render sasl sgx shadow src staff sudo tape tty users utmp video "
    "voice".split()
)
"""Users and groups of Debian's and Ubuntu's base systems (base-passwd's `passwd.master` and `group.master`)."""


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    user = target.user
    if user is None:
        return
    if user.name in _SYSTEM:
        instead = "choose another name, such as `researcher`"
        if user.name == "root":
            instead = "leave the statement out: without one, the image runs as root"
        yield error(codes.SYSTEM_USER, user.origin, name=user.name, instead=instead)
    if user.uid < 1000:
        yield error(codes.LOW_UID, user.origin, uid=user.uid)
    if user.home is None:
        return
    why = reserved(user.home)
    if ":" in user.home:
        why = "a `:` ends it in `/etc/passwd`"
    elif user.home in BASE:
        why = "it belongs to the base"
    if why:
        yield error(codes.BAD_HOME, user.origin, home=user.home, name=user.name, why=why)
