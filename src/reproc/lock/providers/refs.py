"""Where the branches and tags of a git repository stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reproc.lock.archives import Site
from reproc.lock.problem import first_of
from reproc.lock.providers.git import _client, _told
from reproc.lock.requests import GitRequest
from reproc.record import replace

if TYPE_CHECKING:
    from dulwich.client import GitClient
    from dulwich.objects import ObjectID
    from dulwich.refs import Ref


def refs(request: GitRequest, site: Site) -> dict[str, str]:
    """Commits by `refs/heads/…` and `refs/tags/…`, as the first place tells them; raises `Problem`."""
    places = [replace(request, url=place) for place in site.around(request.url)]
    return first_of(places, _refs)


def _refs(request: GitRequest) -> dict[str, str]:
    try:
        found = {
            name.decode("utf-8", "replace"): commit.decode()
            for name, commit in _listed(*_client(request.url)).items()
            if commit is not None
        }
    except Exception as trouble:
        told = _told(request, trouble)
        if told is None:
            raise
        raise told from trouble
    # behind an annotated tag a server also names the commit that it is of
    plain = {name: commit for name, commit in found.items() if not name.endswith("^{}")}
    return plain | {name[:-3]: commit for name, commit in found.items() if name.endswith("^{}")}


def _listed(client: GitClient, path: str) -> dict[Ref, ObjectID | None]:
    """The refs as the repository tells them; one on this machine is asked itself for what its tags are of."""
    from dulwich.client import LocalGitClient
    from dulwich.repo import Repo

    if not isinstance(client, LocalGitClient):
        return dict(client.get_refs(path.encode()).refs)
    with Repo(path) as repository:
        return {name: repository.get_peeled(name) for name in repository.get_refs()}
