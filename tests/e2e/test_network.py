"""A build that asks for the network has it, no other step does, and the report says which one had: both engines."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.engines("docker", "singularity")]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
SPEC = r"""
reproc 1
base debian bookworm {{ from bootstrap }}

build before {{
    in   /opt
    run  "if bash -c 'exec 3<> /dev/tcp/{host}/{port}'; then exit 7; fi"
    run  "bash -c 'exec 3<> /dev/tcp/127.0.0.1/1' 2>&1 | grep refused > /opt/before"
    keep /opt/before
}}

build open {{
    in      /opt
    network yes
    run     "bash -c 'exec 3<> /dev/tcp/{host}/{port}; cat <&3' > /opt/open"
    keep    /opt/open
}}

build after {{
    in   /opt
    run  "if bash -c 'exec 3<> /dev/tcp/{host}/{port}'; then exit 7; fi"
    run  "bash -c 'exec 3<> /dev/tcp/127.0.0.1/1' 2>&1 | grep refused > /opt/after"
    run  "cd /proc; test -r \"$PWD/self/status\"; id -u > /opt/root"
}}

test "only one step was open" {{
    run    "cat /opt/open /opt/root && grep -q refused /opt/before /opt/after"
    expect stdout equals "from outside\n0"
}}

target open

target closed {{ build open {{ in /opt; run "bash -c 'exec 3<> /dev/tcp/{host}/{port}'"; keep /opt/open }} }}
"""


@pytest.fixture
def listener() -> Iterator[tuple[str, int]]:
    """An address of this machine that containers reach too, where somebody answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect(
                ("192.0.2.1", 9)
            )  # sends nothing (RFC 5737); says which of our addresses would be used
        except OSError:
            pytest.skip("this machine has no address but loopback")
        host = str(way.getsockname()[0])
    with socket.create_server((host, 0)) as server:

        def answer() -> None:
            while True:
                try:
                    with server.accept()[0] as peer:
                        peer.sendall(b"from outside\n")
                except OSError:
                    return

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield host, server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_one_build_is_open_and_the_report_says_so(
    listener: tuple[str, int], tmp_path: Path, reproc: Reproc
) -> None:
    host, port = listener
    text = SPEC.format(host=host, port=port).lstrip()
    (tmp_path / "repro.spec").write_text(text)
    locked = reproc("lock", tmp_path)
    assert locked.returncode == 0, locked.stderr
    done = reproc("verify", "--no-cache", tmp_path)
    assert done.returncode == 1, done.stderr[-4000:] + done.stdout
    report = json.loads((tmp_path / ".reproc/report.json").read_text(encoding="utf-8"))
    line = next(number for number, row in enumerate(text.splitlines(), 1) if row.startswith("    run     "))
    for target in report["targets"]:
        for row in target["engines"]:
            status = "passed" if target["name"] == "open" else "failed"
            assert row["build"]["status"] == status, (target["name"], row["engine"], done.stderr[-4000:])
            named = [(each["build"], each["place"].split(":")[1]) for each in row["build"]["network"]]
            assert named == ([("open", str(line))] if target["name"] == "open" else [])
    assert {test["status"] for row in report["targets"][0]["engines"] for test in row["tests"]} == {"passed"}
