"""The recipes in real engines: what was asked for is there, and both images are the same tree."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from recipe_engines import (
    BASE_IMAGE,
    Entry,
    apptainer_build,
    docker_tree,
    export_image,
    fails,
    run,
    sif_tree,
)
from recipe_graphs import HOSTILE, graph

from reproc import registry
from reproc.graph import (
    App,
    BuildGraph,
    CopyFile,
    CopyIn,
    CopyKept,
    FetchGit,
    FromStage,
    Rootfs,
    Run,
    Runtime,
    Script,
    SetEnv,
    Stage,
    Variable,
    WriteFile,
)
from reproc.target.backend import Artifact
from reproc.target.legalize import legalize

pytestmark = [pytest.mark.engines, pytest.mark.slow]

HARMLESS = [piece for piece in HOSTILE if piece.isprintable() and piece != "\x1b"]
EVIL = " ".join(HARMLESS)
Build = Callable[[BuildGraph], "Built"]


class Built:
    """Both images of a graph."""

    def __init__(self, context: Path, made: BuildGraph, tag: str) -> None:
        self.context, self.tag = context, tag
        self.recipes = {name: write_recipe(context, made, name) for name in ("docker", "singularity")}
        self.sif = context / "image.sif"
        run(*docker_build(tag), cwd=context)
        self.log = run(*apptainer_build(context, "image.sif"), cwd=context)

    def trees(self) -> tuple[dict[str, Entry], dict[str, Entry], bool]:
        """Both trees, and whether the same files are hard links of one another."""
        tar, folder = self.context / "image.tar", self.context / "image"
        export_image(self.tag, tar)
        docker, docker_links = docker_tree(tar)
        singularity, singularity_links = sif_tree(self.sif, folder)
        tar.unlink()
        shutil.rmtree(folder)
        return docker, singularity, docker_links == singularity_links


def docker_build(tag: str) -> list[str]:
    return ["docker", "build", "--progress=plain", "--network=host", "-t", tag, "."]


def write_recipe(context: Path, made: BuildGraph, name: str) -> Artifact:
    back_end = registry.backend(name).value
    assert back_end is not None
    legal = legalize(made, back_end.features)
    assert legal.value is not None, legal.diagnostics
    artifacts = back_end.render(legal.value, comments=True)
    for artifact in artifacts:
        (context / artifact.filename).write_text(artifact.text, newline="")
    return artifacts[0]


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system: the test image's."""
    found = subprocess.run(["docker", "pull", "-q", BASE_IMAGE], capture_output=True, text=True)
    if found.returncode:
        pytest.skip(f"no image {BASE_IMAGE}: {found.stderr.strip()}; REPROC_TEST_IMAGE names another one")
    path = tmp_path_factory.mktemp("rootfs") / "rootfs.tar"
    export_image(BASE_IMAGE, path)
    return path


@pytest.fixture
def context(tmp_path: Path, rootfs: Path) -> Path:
    """A build context with all kinds of files in it."""
    for folder in ("src/bin", "src/.git", "src/empty", "src/sub", "inputs/debs"):
        (tmp_path / folder).mkdir(parents=True)
    files = {
        **{"src/a b.txt": "ab", "src/bin/run": "#!/bin/sh\n", "src/-dash": "d", "src/sub/#x": "x"},
        **{"src/{{ y }}": "y", "src/%z": "z", "src/.git/no": "no", "src/not listed": "no", "one 'f'": "1"},
        **{"src/f*[g]?": "g", "inputs/debs/x.deb": "deb", "unasked": "no"},
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "src/bin/run").chmod(0o700)
    (tmp_path / "src/%z").chmod(0o600)
    (tmp_path / "src/l[in]k").symlink_to("a b.txt")
    (tmp_path / "rootfs.tar").hardlink_to(rootfs)
    return tmp_path


@pytest.fixture
def base(context: Path) -> Rootfs:
    return Rootfs("rootfs.tar", sha256((context / "rootfs.tar").read_bytes()).hexdigest())


@pytest.fixture
def build(context: Path) -> Iterator[Build]:
    """Builds a graph in both engines."""
    tags: list[str] = []

    def made(wanted: BuildGraph) -> Built:
        tags.append(f"reproc-test-{context.name}-{len(tags)}".lower().replace("_", "-"))
        return Built(context, wanted, tags[-1])

    yield made
    for tag in tags:
        subprocess.run(["docker", "rmi", "-f", tag], capture_output=True)


MAKE = """\
mkdir -p /opt/a/bin '/opt/k e'"'"'p'
echo hi > /opt/a/real
ln /opt/a/real /opt/a/hard
cp /bin/true /opt/a/bin/su
chown 12:34 /opt/a/real; chmod 4755 /opt/a/bin/su
ln -s ../real /opt/a/bin/inner; ln -s /no/where /opt/a/dangling
mkdir /opt/a/sticky; chmod 1777 /opt/a/sticky
printf '%s' "$EVIL" > "/opt/k e'p/evil"
cat > /opt/a/text <<'EOF'
%post
{{ x }}
Bootstrap: docker
EOF
cat > /opt/a/more <<'EOF_2'
EOF
a\\
EOF_2
[ "$B" = "it's" ] && [ "$(umask)" = 0022 ] && [ "$(pwd)" = "/opt/work dir" ] && [ ! -t 0 ]
[ "$SOURCE_DATE_EPOCH" = 1717200000 ] && [ -z "${LD_LIBRARY_PATH:-}" ] && [ "$(id -u)" = 0 ]
exit 0
# what follows is nothing to anybody: ' " ` $( (
"""
LISTED = ("%z", "-dash", "a b.txt", "bin/run", "f*[g]?", "l[in]k", "sub/#x", "{{ y }}")


def everything(base: Rootfs, count: int = 0) -> BuildGraph:
    """Every kind of step; with a count, so many more that layers have to be shared."""
    evil = Variable("EVIL", EVIL)
    more = tuple(Script(f"more {n}", f"echo {n} >> /opt/more\nexit 0\n%post") for n in range(count))
    common = Stage(
        "common",
        base,
        (
            SetEnv("environment", (evil, Variable("BUILD_ONLY", "$x"))),
            Run("mounts", ("cat /mnt/debs/x.deb > /opt/deb", "cd /etc", "X=1"), ("debs",)),
            Run("nothing is left of it", ('[ "$PWD" = / ]', '[ -z "${X:-}" ]', "[ \"$BUILD_ONLY\" = '$x' ]")),
            WriteFile("a directory of its own", "/opt/work dir/x", "", 0o600),
        ),
    )
    build = Stage(
        "build",
        FromStage("common"),
        (Script("build it", MAKE, "/bin/sh", "/opt/work dir", (Variable("B", "it's"),)),),
    )
    final = Stage(
        "image",
        FromStage("common"),
        (
            *more,
            CopyKept("kept", "build", ("/opt/a", "/opt/k e'p")),
            CopyIn("code", "src", LISTED, "/opt/co de/$x"),
            CopyIn("into what is there", "src", LISTED, "/usr/local"),
            CopyFile("a file", "one 'f'", '/etc/o"n"e', True),
            CopyFile("over a file", "one 'f'", "/etc/issue", False),
            WriteFile(
                "main", "/opt/reproc/bin/main", '#!/bin/sh\nprintf "<%s>" "$@"\nexit 3\n%post\n', 0o755
            ),
            WriteFile("no newline", "/etc/new dir/{{ x }}", "%post", 0o640),
        ),
    )
    path = Variable("PATH", "/opt/reproc/bin:/usr/local/bin:/usr/bin:/bin")
    labels = (("org.example.evil", EVIL), ("org.example.plain", "x"))
    return graph(common, build, final, runtime=Runtime((evil, path), labels, (App("main"),), "/opt/work dir"))


@pytest.mark.parametrize("count", [0, 150], ids=["by-itself", "shared-layers"])
def test_every_kind_of_step_comes_out_the_same(build: Build, base: Rootfs, count: int) -> None:
    built = build(everything(base, count))
    docker, singularity, same_links = built.trees()
    assert docker == singularity
    assert same_links

    found = {path: entry for path, entry in docker.items() if path.startswith("/opt/co de")}
    text = lambda content: sha256(content.encode()).hexdigest()  # noqa: E731
    assert found["/opt/co de/$x/%z"] == Entry("file", 0o644, (0, 0), text("z"))
    assert found["/opt/co de/$x/bin/run"] == Entry("file", 0o755, (0, 0), text("#!/bin/sh\n"))
    assert found["/opt/co de/$x/l[in]k"].content == "a b.txt"
    assert {path.removeprefix("/opt/co de/$x/") for path in found} == {
        *LISTED,
        *("bin", "sub", "/opt/co de", "/opt/co de/$x"),
    }
    assert docker["/opt/a/real"] == docker["/opt/a/hard"] == Entry("file", 0o644, (12, 34), text("hi\n"))
    assert docker["/opt/a/bin/su"].mode == 0o4755 and docker["/opt/a/sticky"].mode == 0o1777
    assert docker["/opt/a/bin/inner"].content == "../real"
    assert docker["/opt/a/text"].content == text("%post\n{{ x }}\nBootstrap: docker\n")
    assert docker["/opt/a/more"].content == text("EOF\na\\\n")
    assert docker["/opt/k e'p/evil"].content == text(EVIL)
    assert docker["/opt/deb"].content == text("deb")
    assert docker["/etc/issue"] == Entry("file", 0o644, (0, 0), text("1"))
    assert docker["/etc/new dir/{{ x }}"] == Entry("file", 0o640, (0, 0), text("%post"))
    assert docker['/etc/o"n"e'].mode == 0o755 and docker["/opt/work dir/x"].mode == 0o600
    assert not [path for path in docker if "reproc" in path and not path.startswith("/opt/reproc")]
    if count:
        assert docker["/opt/more"].content == text("".join(f"{n}\n" for n in range(count)))
    layers = json.loads(run("docker", "inspect", built.tag))[0]["RootFS"]["Layers"]
    assert len(layers) < 100
    images_say_the_same_of_themselves(built)


def images_say_the_same_of_themselves(built: Built) -> None:
    """Environment, labels, what runs: from both images."""
    config = json.loads(run("docker", "inspect", built.tag))[0]["Config"]
    assert f"EVIL={EVIL}" in config["Env"] and not any("BUILD_ONLY" in each for each in config["Env"])
    assert config["Labels"] == {"org.example.evil": EVIL, "org.example.plain": "x"}
    labels = json.loads(run("apptainer", "inspect", "--json", "--labels", built.sif))
    labels = labels["data"]["attributes"]["labels"]
    assert labels["org.example.evil"] == EVIL and labels["org.example.plain"] == "x"
    assert labels["org.label-schema.build-date"] == "fixed"
    shown = ("sh", "-c", 'printf "%s" "$EVIL"; [ -z "${BUILD_ONLY:-}" ]; pwd')
    assert run("docker", "run", "--rm", built.tag, *shown) == f"{EVIL}/opt/work dir\n"
    options = ("--cleanenv", "--containall", built.sif)
    inside = run("apptainer", "run", *options, *shown, APPTAINER_NO_PRIVS="1")
    assert inside.endswith(f"{EVIL}/opt/work dir\n")
    for command in (["run", *options, "main", "a b", ""], ["run", "--app", "main", *options, "a b", ""]):
        done = subprocess.run(
            ["env", "APPTAINER_NO_PRIVS=1", "apptainer", *map(str, command)], capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (3, "<a b><>")
    done = subprocess.run(["docker", "run", "--rm", built.tag], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "<>")


def test_a_failing_step_is_named(context: Path, base: Rootfs) -> None:
    from recipe_graphs import at

    steps = (
        Script("good", "true\n", origin=at(5)),
        Script("bad", "true\nfalse && true\nfalse\n", origin=at(7)),
    )
    made = graph(Stage("image", base, steps, at(2)))
    recipe = write_recipe(context, made, "singularity")
    log = fails(*apptainer_build(context, "x.sif"), cwd=context)
    last = re.findall(r"(?m)^==> reproc step (\d+): (.+)$", log)[-1]
    assert last[1] == "bad" and recipe.line_origins[int(last[0]) - 1] == at(7)
    recipe = write_recipe(context, made, "docker")
    log = fails(*docker_build("never"), cwd=context)
    place = re.search(r"(?m)^Dockerfile:(\d+)", log)
    assert place and recipe.line_origins[int(place.group(1)) - 1] == at(7)


def test_a_kept_link_is_refused_in_both(context: Path, base: Rootfs) -> None:
    first = Stage("build", base, (Run("link", ("ln -s /etc /opt/kept",)),))
    made = graph(first, Stage("image", base, (CopyKept("k", "build", ("/opt/kept",)),)))
    write_recipe(context, made, "singularity")
    write_recipe(context, made, "docker")
    said = "reproc: /opt/kept is to be kept, but is a symbolic link to /etc"
    assert said in fails(*apptainer_build(context, "x.sif"), cwd=context)
    assert said in fails(*docker_build("never"), cwd=context)


def test_no_network_where_none_is_asked_for(context: Path, base: Rootfs) -> None:
    """A def cannot say this: who builds it cuts the network (`reproc build` does)."""
    see = '[ "$(ls /sys/class/net)" = lo ]'
    write_recipe(context, graph(Stage("image", base, (Script("alone", see),))), "docker")
    run(*docker_build("reproc-test-network"), cwd=context)
    run("docker", "rmi", "-f", "reproc-test-network")
    write_recipe(context, graph(Stage("image", base, (Script("not alone", see, network=True),))), "docker")
    fails(*docker_build("never"), cwd=context)


@pytest.mark.parametrize("name", ["plain", "floating", "hostile"])
@pytest.mark.parametrize("form", ["commented", "bare"])
def test_docker_has_nothing_to_warn_of(name: str, form: str, tmp_path: Path) -> None:
    golden = Path(__file__).parent / "golden" / name / form / "Dockerfile"
    # The check asks the registry about the base; another base changes nothing of what is looked at.
    text = re.sub(r"(?m)^FROM docker\.io/\S+", "FROM scratch", golden.read_text())
    (tmp_path / "Dockerfile").write_text(text)
    said = run("docker", "build", "--check", ".", cwd=tmp_path)
    assert "no warnings found" in said


@pytest.fixture
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A git repository behind a server on the loopback: its address and a commit that no branch points at."""
    top = tmp_path_factory.mktemp("git")
    work = top / "work"
    work.mkdir()

    def git(*argv: str) -> str:
        return run("git", "-c", "user.name=a", "-c", "user.email=a@example.org", *argv, cwd=work).strip()

    git("init", "-q", "-b", "main")
    (work / "%post").write_text("1\r\n")
    (work / "prog").write_text("#!/bin/sh\n")
    (work / "prog").chmod(0o755)
    (work / "link").symlink_to("prog")
    (work / ".gitattributes").write_text("hidden export-ignore\n* text=auto eol=lf\n")
    (work / "hidden").write_text("here all the same\n")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    commit = git("rev-parse", "HEAD")
    (work / "later").write_text("no")
    git("add", ".")
    git("commit", "-q", "-m", "two")
    run("git", "clone", "-q", "--bare", work, top / "code.git")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--export-all", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}", f"--base-path={top}"]
    server = subprocess.Popen(
        ["git", "daemon", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"git://127.0.0.1:{port}/code.git", commit
    server.terminate()
    server.wait()


@pytest.mark.parametrize("count", [0, 120], ids=["by-itself", "shared-layers"])
def test_a_commit_comes_out_the_same(
    build: Build, base: Rootfs, repository: tuple[str, str], count: int
) -> None:
    url, commit = repository
    steps = (*(Run("r", ("true",)) for _ in range(count)), FetchGit("code", url, commit, "/opt/co de"))
    docker, singularity, _ = build(graph(Stage("image", base, steps))).trees()
    assert docker == singularity
    found = {path for path in docker if path.startswith("/opt/co de/")}
    names = (".gitattributes", "%post", "hidden", "link", "prog")
    assert found == {f"/opt/co de/{name}" for name in names}
    assert docker["/opt/co de/prog"].mode == 0o755 and docker["/opt/co de/%post"].mode == 0o644
