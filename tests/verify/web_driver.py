"""A real browser for tests of pages: Chromium, without a window, steered by the WebDriver protocol (W3C)."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)
"""Runs as root in a container too, and asks for nothing on its own."""


class Browser:
    """One window."""

    def __init__(self, address: str) -> None:
        self._address = address

    def call(self, method: str, path: str, **values: Any) -> Any:
        """What a command of the protocol gives."""
        body = None if method == "GET" else values
        answer = requests.request(method, self._address + path, json=body, timeout=60)
        found = answer.json()["value"]
        assert answer.ok, found
        return found

    def open(self, path: Path) -> None:
        self.call("POST", "/url", url=path.as_uri())

    def run(self, script: str, *values: object) -> Any:
        """What a script returns; it runs whatever the page's policy says."""
        return self.call("POST", "/execute/sync", script=script, args=list(values))

    def press(self, *keys: str) -> None:
        """Presses and releases keys, one after the other."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def pretend(self, **features: str) -> None:
        """Media features, such as `prefers-color-scheme`, or `media` itself, as the page is to see them."""
        media = features.pop("media", "")
        values = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.chrome("Emulation.setEmulatedMedia", media=media, features=values)

    def chrome(self, command: str, **values: Any) -> Any:
        """A command of Chromium's own protocol."""
        return self.call("POST", "/goog/cdp/execute", cmd=command, params=values)

    def log(self, kind: str) -> list[dict[str, Any]]:
        """What the browser noted: `browser` (the console) or `performance` (requests)."""
        found: list[dict[str, Any]] = self.call("POST", "/se/log", type=kind)
        return found


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser that ends with the block; `folder` is for its profile."""
    program = shutil.which("chromedriver")
    assert program is not None, "the caller has looked"
    output = folder / "chromedriver.log"
    with output.open("w", encoding="utf-8") as log:
        driver = subprocess.Popen([program, "--port=0"], stdout=log, stderr=subprocess.STDOUT)
    try:
        root = f"http://localhost:{_port(output, driver)}/session"
        arguments = [*_QUIET, f"--user-data-dir={folder / 'profile'}", "--window-size=1100,900"]
        wanted = {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
        }
        answer = requests.post(root, json={"capabilities": {"alwaysMatch": wanted}}, timeout=60).json()[
            "value"
        ]
        assert "sessionId" in answer, answer
        window = Browser(f"{root}/{answer['sessionId']}")
        try:
            yield window
        finally:
            window.call("DELETE", "")
    finally:
        driver.terminate()
        driver.wait(30)


def _port(output: Path, driver: subprocess.Popen[bytes]) -> int:
    for _ in range(300):
        text = output.read_text(encoding="utf-8")
        if found := re.search(r"started successfully on port ([0-9]+)\.", text):
            return int(found[1])
        assert driver.poll() is None, text
        time.sleep(0.1)
    raise AssertionError(output.read_text(encoding="utf-8"))
