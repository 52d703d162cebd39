"""Puts stand-ins for public images into the registry on localhost:5000: Debian's image, and a layer on top."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import pytest
import requests

REGISTRY = "http://localhost:5000"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def push(name: str, tag: str, layer: bytes, environment: Mapping[str, str] | None = None) -> None:
    """Puts `NAME:TAG` there: bookworm's slim image with one more layer, and with variables."""
    try:
        base = answer("GET", "library/debian/manifests/bookworm-slim", headers={"Accept": MANIFEST}).json()
    except requests.ConnectionError as problem:
        text = f"no registry at localhost:5000 ({problem}); `tools/setup-engines.sh --registry` starts one"
        if os.environ.get("REPROC_REQUIRE_ENGINES"):
            pytest.fail(text)
        pytest.skip(text)
    config = answer("GET", f"library/debian/blobs/{base['config']['digest']}").json()
    config["rootfs"]["diff_ids"].append(digest(layer))
    if environment:
        config["config"]["Env"] = [f"{key}={value}" for key, value in environment.items()]
    packed, said = gzip.compress(layer, 1, mtime=0), json.dumps(config).encode()
    for each in base["layers"]:
        found = answer("POST", f"{name}/blobs/uploads/?mount={each['digest']}&from=library/debian")
        assert found.status_code == 201, "the layer is there already"
    for blob in (packed, said):
        place = answer("POST", f"{name}/blobs/uploads/").headers["Location"]
        at = place if place.startswith("http") else f"{REGISTRY}{place}"
        put = requests.put(f"{at}&digest={digest(blob)}", data=blob, timeout=60)
        assert put.status_code == 201, put.text
    base["config"] |= {"digest": digest(said), "size": len(said)}
    kind = base["layers"][0]["mediaType"]
    base["layers"].append({"mediaType": kind, "digest": digest(packed), "size": len(packed)})
    headers = {"Content-Type": base.get("mediaType", MANIFEST)}
    put = answer("PUT", f"{name}/manifests/{tag}", data=json.dumps(base).encode(), headers=headers)
    assert put.status_code == 201, put.text


def answer(method: str, path: str, **more: Any) -> requests.Response:
    """What the registry says."""
    found = requests.request(method, f"{REGISTRY}/v2/{path}", timeout=60, **more)
    found.raise_for_status()
    return found


def digest(content: bytes) -> str:
    """A content's digest as registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
