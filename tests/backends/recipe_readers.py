"""Independent readers of both recipe formats, written after what BuildKit's and Apptainer's own parsers do.

They share no code with the emitters: a recipe is read back from its text alone.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import dataclass, field


@dataclass
class Recipe:
    """What a recipe means, as far as a text can say it."""

    environment: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    scripts: list[str] = field(default_factory=list)
    default: list[str] = field(default_factory=list)
    stages: list[tuple[str, str]] = field(default_factory=list)
    """Name and base of each."""
    entry: list[str] = field(default_factory=list)
    """What commands are started with."""


# ---------------------------------------------------------------------------------------------- Dockerfiles


@dataclass
class Instruction:
    name: str
    flags: list[str]
    rest: str
    body: str | None


def instructions(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile, heredocs attached (frontend/dockerfile/parser in BuildKit)."""
    found: list[Instruction] = []
    source = iter(text.split("\n")[:-1])
    for raw in source:
        if not raw.strip() or raw.lstrip().startswith("#"):
            continue
        line = raw
        while re.search(r"\\[ \t]*$", line):
            line = re.sub(r"\\[ \t]*$", "", line)
            following = next(source)
            if not following.lstrip().startswith("#"):
                line += following
        name, _, rest = line.strip().partition(" ")
        flags = []
        rest = rest.lstrip()
        while rest.startswith("--"):
            flag, _, rest = rest.partition(" ")
            flags.append(flag)
            rest = rest.lstrip()
        body = None
        mark = re.search(r"<<'([^']+)'", rest) if name in ("RUN", "COPY", "ADD") else None
        if mark:
            held = []
            for inner in source:
                if inner.rstrip("\r") == mark.group(1):
                    break
                held.append(inner + "\n")
            else:
                raise ValueError("unterminated heredoc")
            body = "".join(held)
        found.append(Instruction(name, flags, rest, body))
    return found


def _pairs(rest: str) -> dict[str, str]:
    """`a="b" c="d"`, with the escapes of a Dockerfile's double quotes."""
    found: dict[str, str] = {}
    at = 0
    while at < len(rest):
        head = re.compile(r'\s*([^\s=]+)="').match(rest, at)
        assert head, rest[at:]
        at = head.end()
        value = ""
        while rest[at] != '"':
            assert rest[at] != "$", "an unescaped $ would be expanded"
            if rest[at] == "\\":
                at += 1
                value += rest[at] if rest[at] in '\\"$' else "\\" + rest[at]
            else:
                value += rest[at]
            at += 1
        found[head.group(1)] = value
        at += 1
        while at < len(rest) and rest[at] in " \t":
            at += 1
    return found


def docker_operands(rest: str) -> list[str]:
    """Paths of COPY and ADD after BuildKit's expansion; wildcards are left escaped in sources."""
    if rest.startswith("["):
        raw: list[str] = json.loads(rest)
    else:
        raw = rest.split()
    expanded = []
    for word in raw:
        assert not re.search(r"(?<!\\)(\\\\)*[$'\"]", word), f"{word} would be expanded"
        expanded.append(re.sub(r"\\(.)", r"\1", word))
    return expanded


def read_dockerfile(text: str) -> Recipe:
    recipe = Recipe()
    environments: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for each in instructions(text):
        match each.name:
            case "FROM":
                base, _, name = each.rest.partition(" AS ")
                current = dict(environments.get(base, {}))
                environments[name] = current
                recipe.stages.append((name, base))
            case "ENV":
                current.update(_pairs(each.rest))
            case "LABEL":
                recipe.labels.update(_pairs(each.rest))
            case "CMD":
                recipe.default = json.loads(each.rest)
            case "RUN":
                body = each.body or ""
                written = shell_writes(body)
                _, script = written.pop("/.reproc.script", (0, None if written else body))
                recipe.files.update(written)
                recipe.scripts += [script] if script is not None else []
            case "ADD":
                docker_operands(each.rest)
            case "ENTRYPOINT":
                recipe.entry = json.loads(each.rest)
            case "USER" | "WORKDIR" | "ARG" | "EXPOSE":
                pass
            case _:
                raise ValueError(f"what is {each.name}?")
    recipe.environment = current
    return recipe


# --------------------------------------------------------------------------------------------------- shell


def in_shell(script: str) -> str:
    """What a real /bin/sh prints."""
    done = subprocess.run(["/bin/sh", "-eu", "-c", script], capture_output=True, check=True)
    return done.stdout.decode()


def shell_writes(script: str) -> dict[str, tuple[int, str]]:
    """The files that a script writes in one of the forms that recipes use, with the mode set afterwards."""
    found: dict[str, tuple[int, str]] = {}
    lines = iter(script.split("\n"))
    for line in lines:
        if match := re.fullmatch(r"cat > (.+) <<'(\w+)'", line):
            held = []
            for inner in lines:
                if inner == match.group(2):
                    break
                held.append(inner + "\n")
            found[shlex.split(match.group(1))[0]] = (0, "".join(held))
        elif line == "{":
            held = [line]
            for inner in lines:
                held.append(inner)
                if inner.startswith("}"):
                    break
            if target := re.fullmatch(r"\} > (.+)", held[-1]):
                found[shlex.split(target.group(1))[0]] = (0, in_shell("\n".join([*held[:-1], "}"])))
        elif match := re.fullmatch(r": > (.+)", line):
            found[shlex.split(match.group(1))[0]] = (0, "")
        elif (match := re.fullmatch(r"chmod (\d+) (.+)", line)) and (
            path := shlex.split(match.group(2))[0]
        ) in found:
            found[path] = (int(match.group(1), 8), found[path][1])
    return found


def exports(script: str) -> dict[str, str]:
    """The variables that lines of `export` set, as a real shell sees them."""
    names = re.findall(r"(?m)^\s*export (\w+)=", script)
    prints = "".join(f"printf '%s\\0' \"${name}\"\n" for name in names)
    return dict(zip(names, in_shell(script + "\n" + prints).split("\0")[:-1], strict=True))


# ---------------------------------------------------------------------------------------------- definitions

SECTIONS = {"help", "setup", "files", "labels", "environment", "post", "runscript", "apprun", "apphelp"}
SCANNER = 65_536


def read_sections(text: str) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Header and sections of every stage (pkg/build/types/parser, internal/pkg/build/args)."""
    if match := re.search(r"\{\{\s*(\w+)\s*\}\}", text):
        raise ValueError(f"build var {match.group(1)} is not defined")
    starts = [match.start() for match in re.finditer(r"(?mi)^bootstrap:", text)]
    assert not re.search(r"(?m)^\s*[^#\s]", text[: starts[0]]), "something before the first stage"
    bounds = [*starts, len(text)]
    return [_read_stage(text[a:b]) for a, b in zip(bounds, bounds[1:], strict=False)]


def _read_stage(text: str) -> tuple[dict[str, str], dict[str, str]]:
    chunks: list[list[str]] = [[]]
    for raw in text.split("\n")[:-1]:
        line = raw.removesuffix("\r")
        if line.lstrip().startswith("%"):
            chunks.append([])
        chunks[-1].append(line)
    header = {}
    for line in chunks[0]:
        if line.strip() and not line.strip().startswith("#"):
            key, _, value = line.partition("#")[0].partition(":")
            header[key.strip().lower()] = value.strip()
    sections: dict[str, str] = {}
    for chunk in chunks[1:]:
        assert sum(len(line.encode()) + 1 for line in chunk) < SCANNER - 4096, "section too long"
        name = chunk[0].lstrip("%")
        if name.partition(" ")[0] not in SECTIONS:
            raise ValueError(f"invalid section {name!r}")
        sections[name] = sections.get(name, "") + "".join(line + "\n" for line in chunk[1:])
    return header, sections


def read_definition(text: str) -> Recipe:
    recipe = Recipe()
    stages = read_sections(text)
    for header, sections in stages:
        recipe.stages.append((header.get("stage", ""), header.get("from", header["bootstrap"])))
        for path, written in _post_writes(sections.get("post", "")):
            if path == "/.reproc/script":
                recipe.scripts.append(written[1])
            else:
                recipe.files[path] = written
    last = stages[-1][1]
    activates = r"(?ms)^ *if \[ \"\$\{REPROC_ACTIVE:-\}\" != \w+ \]; then\n.*?^ *fi\n"
    environment, found = re.subn(activates, "", last.get("environment", ""))
    recipe.entry = ["/opt/reproc/enter"] if found else []
    recipe.environment = exports(environment)
    for line in last["labels"].split("\n"):
        if line.strip() and not line.strip().startswith("#"):
            name, _, value = line.strip().partition(" ")
            recipe.labels[name] = value.strip()
    for line in re.findall(r"(?m)^(printf '%s %b\\n' .+) >> ", last["post"]):
        name, _, value = in_shell(line).removesuffix("\n").partition(" ")
        recipe.labels[name] = value.strip()
    chosen = re.search(r"exec (\S+)\n\s*fi", last["runscript"])
    assert chosen
    recipe.default = [chosen.group(1)]
    return recipe


def _post_writes(post: str) -> list[tuple[str, tuple[int, str]]]:
    """Every write of `%post`, in order: the same path may be written for each script."""
    found: list[tuple[str, tuple[int, str]]] = []
    for part in re.split(r"(?m)^(?=echo '==> reproc step )", post):
        found += shell_writes(part).items()
    return found
