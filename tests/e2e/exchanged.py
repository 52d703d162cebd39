"""Runs reproc with a stand-in for one of its Pythons: `exchanged.py PLATFORM RELEASE SHA256 ARGUMENTS…`.

Their address is then one without encryption: through a mirror on loopback also what a recipe fetches itself comes.
"""

from __future__ import annotations

import sys

from reproc.catalog import table
from reproc.cli import main

if __name__ == "__main__":
    platform, release, sha256, *arguments = sys.argv[1:]
    rows = table("pythons.toml")
    assert release in rows["install_only_stripped"][platform], "only what is there can be exchanged"
    rows["install_only_stripped"][platform][release] = sha256
    rows["url"] = rows["url"].replace("https://", "http://")
    sys.exit(main(arguments))
