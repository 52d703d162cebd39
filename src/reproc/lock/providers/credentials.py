"""What `docker login` left on this machine for a registry: in its configuration, or with a credential helper."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reproc.record import record

HUB = "docker.io"
_HUB_LOGIN = f"https://index.{HUB}/v1/"
"""The name under which Docker keeps the login of its own registry."""
_TOKEN = "<token>"
"""The user name that stands for an identity token (docker-credential-helpers, README)."""


@record
class Login:
    """A name and a password, or a token that stands for both."""

    name: str
    secret: str

    @property
    def is_token(self) -> bool:
        """Whether the secret is an identity token, which only the registry's own login page takes."""
        return self.name == _TOKEN

    @property
    def basic(self) -> str:
        """As basic authentication wants it (RFC 7617)."""
        return base64.b64encode(f"{self.name}:{self.secret}".encode()).decode()


@record
class Known:
    """What is known of a registry's login."""

    login: Login | None = None
    trouble: str | None = None
    """Why a login that should be there cannot be had."""


def known(registry: str, environment: Mapping[str, str]) -> Known:
    """The login for a registry, from a helper that is set for it, the common helper, or the file itself."""
    settings = _settings(environment)
    servers = (_HUB_LOGIN, HUB, f"index.{HUB}") if registry == HUB else (registry, f"https://{registry}")
    found = Known()
    for helper in _helpers(settings, servers):
        for server in servers[:1]:
            found = _ask(helper, server, environment)
            if found.login is not None:
                return found
    entries = settings.get("auths")
    for key, entry in entries.items() if isinstance(entries, dict) else ():
        if key in servers or _host(key) in servers:
            login = _login(entry) if isinstance(entry, dict) else None
            if login is not None:
                return Known(login)
    return found


def _settings(environment: Mapping[str, str]) -> dict[str, Any]:
    folder = environment.get("DOCKER_CONFIG") or os.path.join(environment.get("HOME", "/"), ".docker")
    try:
        settings = json.loads(Path(folder, "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):  # none, or one that Docker cannot read either
        return {}
    return settings if isinstance(settings, dict) else {}


def _helpers(settings: Mapping[str, Any], servers: tuple[str, ...]) -> Iterator[str]:
    """The helpers to ask: the registry's own comes before the common one."""
    own = settings.get("credHelpers")
    named = [own.get(server) for server in servers] if isinstance(own, dict) else []
    helper = next((each for each in (*named, settings.get("credsStore")) if each), None)
    if isinstance(helper, str) and re.fullmatch(r"[\w.-]+", helper):
        yield helper


def _host(key: str) -> str:
    """The host of a key, which may be an address."""
    return re.sub(r"^https?://", "", key).partition("/")[0]


def _login(entry: Mapping[str, Any]) -> Login | None:
    """A login as the file has it: an identity token, name and password, or both in base64."""
    token, name, password = (entry.get(key) for key in ("identitytoken", "username", "password"))
    if isinstance(token, str) and token:
        return Login(_TOKEN, token)
    if isinstance(name, str) and isinstance(password, str) and name:
        return Login(name, password)
    auth = entry.get("auth")
    try:
        text = base64.b64decode(auth, validate=True).decode() if isinstance(auth, str) else ""
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, password = text.partition(":")
    return Login(name, password.rstrip("\0")) if colon else None


def _ask(helper: str, server: str, environment: Mapping[str, str]) -> Known:
    """What a credential helper answers (docker-credential-helpers, README, "Development")."""
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=30,
            check=False,
            env=dict(environment),
        )
    except FileNotFoundError:
        return Known(trouble=f"`{program}` is not installed")
    except (OSError, subprocess.TimeoutExpired):
        return Known(trouble=f"`{program}` does not answer")
    if done.returncode != 0:  # it keeps nothing for that server
        return Known()
    try:
        answer = json.loads(done.stdout)
        name, secret = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError):
        return Known(trouble=f"`{program}` gives no login")
    if not isinstance(name, str) or not isinstance(secret, str):
        return Known(trouble=f"`{program}` gives no login")
    return Known(Login(name, secret))
