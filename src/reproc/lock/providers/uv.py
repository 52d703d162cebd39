"""The one call of uv: requirements in, the packages that satisfy them out, and its refusals in plain words."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any
from urllib.parse import urljoin, urlsplit

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Code, Diagnostic, error
from reproc.lock.archives import Site
from reproc.lock.problem import Problem, first_of, problem
from reproc.lock.requests import EVERY
from reproc.lock.requirements import Wanted
from reproc.record import record
from reproc.source import Span


@record
class Ask:
    """For what, and where, packages are looked up."""

    version: str
    platform: str
    """As uv names it."""
    index: str | None = None
    built: tuple[str, ...] = ()
    as_of: int | None = None
    tags: tuple[object, ...] = ()
    """The wheel tags that the target takes, the best first."""
    words: str = ""
    """The platform for people."""
    held: tuple[tuple[str, str], ...] = ()
    """Names and versions at which packages stay where that is possible."""

    def builds(self, name: str) -> bool:
        """Whether a package is to be built from source."""
        return EVERY in self.built or name in self.built


def resolved(
    requirements: Sequence[str],
    ask: Ask,
    site: Site,
    found: Sequence[Wanted],
    *options: str,
) -> Sequence[Mapping[str, Any]]:
    """The packages of uv's answer as a pylock table (PEP 751), from the first index that has them; raises `Problem`."""
    if not requirements:
        return ()
    places = [("--default-index", each) for each in site.around(ask.index)] if ask.index else _indexes(site)
    return first_of(places, lambda place: _answer(requirements, ask, site, found, *place, *options))


def _answer(
    requirements: Sequence[str], ask: Ask, site: Site, found: Sequence[Wanted], *options: str
) -> Sequence[Mapping[str, Any]]:
    with TemporaryDirectory(prefix="reproc-uv-") as folder:  # away from any project's own uv settings
        command = [
            "--no-annotate",
            "--color",
            "never",
            "--format",
            "pylock.toml",
            "--generate-hashes",
            "--python-version",
            ask.version,
            "--python-platform",
            ask.platform,
            *_forms(ask),
            *(("--exclude-newer", _timestamp(ask.as_of)) if ask.as_of is not None else ()),
            *options,
            "--output-file",
            "pylock.toml",
            "requirements.in",
        ]
        Path(folder, "requirements.in").write_text("\n".join(requirements) + "\n", encoding="utf-8")
        if ask.held:  # uv prefers what the file that it writes has already
            Path(folder, "pylock.toml").write_text(_before(ask), encoding="utf-8")
        done = _compile(command, site, folder=folder)
        if done.returncode != 0:
            raise _told(done.stderr, ask, found)
        content = Path(folder, "pylock.toml").read_text(encoding="utf-8")
        packages = tomllib.loads(content).get("packages", ())
        # addresses of a local index are relative to the file
        for package in packages:
            for wheel in files_of(package):
                if "path" in wheel:
                    wheel["path"] = str(Path(folder, wheel["path"]).resolve())
                elif "url" in wheel:
                    wheel["url"] = urljoin(Path(folder, "x").as_uri(), wheel["url"])
        return list(packages)


def _before(ask: Ask) -> str:
    """A pylock file of the versions alone; JSON's strings are TOML's too."""
    tables = (
        f"[[packages]]\nname = {json.dumps(name)}\nversion = {json.dumps(version)}\n"
        for name, version in ask.held
    )
    return "\n".join(('lock-version = "1.0"\ncreated-by = "reproc"\n', *tables))


def files_of(package: Mapping[str, Any]) -> list[Any]:
    """A package's wheels and its source archive, as tables that may be changed."""
    return [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]


def _forms(ask: Ask) -> list[str]:
    """Wheels alone, but for what is built from source; a name overrides `:all:` of the other option."""
    if EVERY in ask.built:
        return ["--no-binary", EVERY]
    return ["--only-binary", EVERY, *(word for name in ask.built for word in ("--no-binary", name))]


def _timestamp(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_ONE_AT_A_TIME = Lock()


def _uv() -> str:
    """Where uv is; asked by one thread at a time, as `sysconfig`, which it asks, is half filled when first used."""
    try:
        import uv

        with _ONE_AT_A_TIME:
            return str(uv.find_uv_bin())
    except (ImportError, FileNotFoundError) as trouble:
        raise problem(
            codes.TOOL_MISSING,
            None,
            tool="uv",
            purpose="locking Python packages",
            advice="install it: `pip install uv`",
        ) from trouble


def _environment(site: Site) -> dict[str, str]:
    kept = {
        k: v for k, v in site.environment.items() if k not in ("UV_PYTHON", "VIRTUAL_ENV", "UV_OUTPUT_FORMAT")
    }
    return kept | {"UV_NO_PROGRESS": "1", "UV_HTTP_RETRIES": kept.get("UV_HTTP_RETRIES", "2")}


def _indexes(site: Site) -> list[tuple[str, ...]]:
    """uv's options for each place where PyPI is: the named mirrors, uv's own settings, or else pip's."""
    if mirrors := site.mirrors("pypi"):
        return [("--default-index", mirror) for mirror in mirrors]
    if any(name in site.environment for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE")):
        return [()]
    index = site.environment.get("PIP_INDEX_URL") or _pip_index(site)
    return [("--default-index", index) if index else ()]


def addresses(index: str | None, site: Site) -> Iterator[str]:
    """Where the package index is, or the one that an author names: the addresses that uv would ask, in turn."""
    if index is not None:
        yield from site.around(index)
        return
    for options in _indexes(site):
        yield options[1] if options else _own_index(site)


def _compile(
    options: Sequence[str], site: Site, *, folder: str | None = None, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """What `uv pip compile` says, called in a folder or with requirements that are given."""
    return subprocess.run(
        [_uv(), "pip", "compile", "--quiet", "--no-header", "--python", sys.executable, *options],
        cwd=folder,
        env=_environment(site),
        input=given,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _own_index(site: Site) -> str:
    """The index that uv asks of itself, as it writes it at the head of what it compiles."""
    done = _compile(["--emit-index-url", "-"], site, given="")
    found = re.search(r"--index-url (\S+)", done.stdout)
    if done.returncode != 0 or found is None:
        reason = "uv does not tell where its index is"
        raise problem(codes.UNSATISFIABLE_PYTHON, None, output=done.stderr.strip(), reason=reason)
    return found[1]


def _pip_index(site: Site) -> str | None:
    home = Path(site.environment.get("HOME", "/"))
    files = [
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        home / ".config" / "pip" / "pip.conf",
        Path(sys.prefix, "pip.conf"),
        Path(site.environment.get("PIP_CONFIG_FILE", os.devnull)),
    ]
    settings = configparser.RawConfigParser()
    try:
        settings.read(files, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):  # pip's own trouble; its settings say nothing then
        return None
    return settings.get("global", "index-url", fallback=None)


def _told(said: str, ask: Ask, found: Sequence[Wanted]) -> Problem:
    """What uv's refusal means to the user."""
    text = " ".join(said.split())
    reached = re.search(r"[Ff]ailed to fetch: `?(https?://[^\s`]+)|url \((https?://[^\s)]+)\)", text)
    if reached and re.search(r"connect|dns error|tcp|timed out|error sending request", text):
        host = urlsplit(reached[1] or reached[2]).netloc.rpartition("@")[2]
        reason = "its name cannot be resolved" if "dns error" in text else "the connection fails"
        return problem(codes.NETWORK, None, host=host, reason=reason, variable="REPROC_MIRROR_PYPI")
    by_name = {w.name: w for w in found}
    late = re.search(
        r"`([\w.-]+)` was filtered by `exclude-newer`.*?latest version .*? is \S+( published at)?", text
    )
    if ask.as_of is not None and late:
        name, day = late[1], f"{datetime.fromtimestamp(ask.as_of, UTC):%Y-%m-%d}"
        if late[2] is None:
            return Problem(_at(codes.AS_OF_INDEX, by_name.get(name), found, name=name))
        reason = f"no version of `{name}` that would do was published before {day}"
        return Problem(_at(codes.UNSATISFIABLE_PYTHON, by_name.get(name), found, reason=reason))
    unknown = re.findall(r"([\w.-]+) was not found in the package registry", text)
    if unknown:
        return Problem(
            *(_at(codes.UNKNOWN_REQUIREMENT, by_name.get(name), found, name=name) for name in unknown)
        )
    unpacked = re.findall(r"([\w.-]+?)(?:[=<>!~]=?\S+)? has no (?:usable )?source distribution", text)
    if unpacked:
        name = unpacked[0]
        return Problem(_at(codes.NO_SOURCE_ARCHIVE, by_name.get(name), found, name=name))
    wheelless = re.findall(
        r"([\w.-]+?)(?:[=<>!~]=?\S+)? has no (?:usable wheels|wheels with a matching)", text
    )
    if wheelless:
        name = wheelless[0]
        facts = {"name": name, "python": ask.version, "platform": ask.platform.replace("-", " ")}
        return Problem(_at(codes.NO_WHEEL, by_name.get(name), found, **facts))
    reasons = re.findall(r"(?:cause: |[Bb]ecause )(.*)", " ".join(said.split()))
    named = next((w for w in found if re.search(rf"\b{re.escape(w.name)}\b", text)), None)
    told = reasons[0].split(" hint:")[0] if reasons else None
    return Problem(_at(codes.UNSATISFIABLE_PYTHON, named, found, output=said.strip(), reason=told))


def _at(
    code: Code, asked: Wanted | None, found: Sequence[Wanted], *, output: str = "", **facts: str | None
) -> Diagnostic:
    origin = asked.origin if asked is not None else place_of(found)
    return error(code, origin, *(asked.labels if asked is not None else ()), output=output, **facts)


def place_of(found: Sequence[Wanted]) -> Span | None:
    """The place of the first requirement."""
    return found[0].origin if found else None
