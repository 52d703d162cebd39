"""Packages of a conda channel, installed together at the place where they are to lie, as a canonical archive."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from reproc.diagnostics.codes import lock as codes
from reproc.lock import tar
from reproc.lock.archives import Site
from reproc.lock.conda import channel, package
from reproc.lock.model import CondaPackage, CondaTree
from reproc.lock.net import Client
from reproc.lock.problem import problem
from reproc.lock.requests import CondaRequest
from reproc.lock.store import Store
from reproc.record import replace
from reproc.source import Span

_AT_ONCE = 4


def lock(request: CondaRequest, client: Client, site: Site, store: Store) -> CondaTree:
    """The packages as the channel has them now, their tree put into the store; raises `Problem`."""
    packages = channel.solved(request, client, site, store)
    public = channel.address(request.channel)
    tree = CondaTree(request.channel, public, request.prefix, packages, "")
    return replace(tree, sha256=_installed(tree, client, site, store, request.origin))


def fetch(tree: CondaTree, client: Client, site: Site, store: Store) -> None:
    """Puts the tree of locked packages into the store; raises `Problem`."""
    found = _installed(tree, client, site, store, None)
    if found != tree.sha256:
        what = f"what the packages in `{tree.prefix}` hold together"
        raise problem(codes.DIGEST_MISMATCH, None, what=what, found=found, expected=tree.sha256)


def download(tree: CondaTree, each: CondaPackage, client: Client, site: Site, store: Store) -> None:
    """Puts the file of one package into the store; raises `Problem`."""
    urls = [f"{place}/{each.path}" for place in channel.places(tree.channel, tree.address, site)]
    client.download(urls, each.sha256, store, f"`{each.filename}`")


def _installed(tree: CondaTree, client: Client, site: Site, store: Store, origin: Span | None) -> str:
    """The sha256 of the tree's canonical archive, which is then in the store."""
    missing = [each for each in tree.packages if store.path(each.sha256) is None]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda each: download(tree, each, client, site, store), missing))
    with ExitStack() as stack:
        brought = [
            (
                each.filename,
                package.members(store.place(each.sha256), each.filename, tree.prefix, origin, store, stack),
            )
            for each in tree.packages
        ]
        return tar.write(package.together(brought, origin), store)
