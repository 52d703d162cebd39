#!/bin/bash
# Brings up the engines that `reproc verify` builds with: Docker (with buildx) and Apptainer.
#
# usage: tools/setup-engines.sh [docker] [singularity] [--registry] [--qemu] [--check]
#   docker, singularity   only these (default: both)
#   --registry            also a registry on localhost:5000 with a Debian image in it, for tests without Docker Hub
#   --qemu                also QEMU's user-mode emulators, for other processors and older CPUs
#   --check               install and start nothing, only say what is here
#
# Says what it does on stderr; prints on stdout what a shell has to set, so this works: eval "$(tools/setup-engines.sh)"
# Exit status: 0 everything that was asked for is usable, 3 something is not (each with its reason).
#
# What is here already is used and never replaced: a daemon that answers, an apptainer or singularity on PATH.
# The host's own package sources stay as they are: newer packages come through a second view of the archive
# (an apt configuration in the cache folder), at the address that the host's own apt uses. Safe to run again.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
# shellcheck source=tools/engines-common.sh
. "$here/engines-common.sh"

OLDEST_DOCKER=23      # the first with BuildKit's dialect of the Dockerfile as it is
APPTAINER_LIBC=2.38   # what Debian's package of Apptainer is linked against
REGISTRY_PORT=5000
BUILD_CACHE=6GB           # what a daemon started here keeps of builds

want_docker=no want_singularity=no want_registry=no want_qemu=no check=no
for argument; do
    case $argument in
    docker) want_docker=yes ;;
    singularity | apptainer) want_singularity=yes ;;
    --registry) want_registry=yes ;;
    --qemu) want_qemu=yes ;;
    --check) check=yes ;;
    *) sed -n '2,/^set -e/{/^#/!d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
    esac
done
if [ $want_docker$want_singularity = nono ]; then want_docker=yes want_singularity=yes; fi

status=0
lacks() { # what could not be done, and what a person can do about it
    say "✗ $*"
    status=3
}
step() { say "· $*"; }
good() { say "✓ $*"; }

may_install() { # ENGINE HELP: whether packages may be installed; says why not
    if [ $check = yes ]; then
        lacks "$1: not here; $2"
    elif [ "$(id -u)" != 0 ]; then
        lacks "$1: not here, and installing it needs root; $2"
    elif ! command -v apt-get >/dev/null || ! [ -e /etc/os-release ]; then
        lacks "$1: not here, and this is neither Debian nor Ubuntu; $2"
    else
        return 0
    fi
    return 1
}

distribution() { (. /etc/os-release && echo "$ID"); }
libc_version() { getconf GNU_LIBC_VERSION | cut -d' ' -f2; }
older() { [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# ------------------------------------------------------------------------------------------- packages

quietly() { # NAME COMMAND…: runs it with its output in a log, whose end is shown if it fails
    local log=$ENGINES_CACHE/$1.log
    shift
    mkdir -p "$ENGINES_CACHE"
    "$@" </dev/null >"$log" 2>&1 && return
    say "  the last lines of $log:"
    tail -n 6 "$log" | sed 's/^/    /' >&2
    return 1
}

debian_archive() { # the address of Debian's archive that this machine's apt uses
    # shellcheck disable=SC2016  # apt's own variables
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null |
        grep -m 1 . && return
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/*$' # no lists yet
}

refresh_apt() { # brings the package lists up to date, once in a run
    [ "${refreshed:-no}" = no ] || return 0
    if [ "$(distribution)" = debian ]; then sid_view || return 1; fi
    quietly apt-update apt-get update -q && refreshed=yes
}

install() { # PACKAGE…: those that are not there yet; `name/sid` takes one from sid
    local wanted=() package
    for package; do
        dpkg-query -W -f '${Status}' "${package%%/*}" 2>/dev/null | grep -q ' installed$' || wanted+=("$package")
    done
    [ ${#wanted[@]} != 0 ] || return 0
    refresh_apt || return 1
    step "installing ${wanted[*]}"
    quietly apt-install apt-get install -y -q --no-install-recommends "${wanted[@]}"
}

sid_view() { # makes the second view: the host's sources plus sid, from which only what is asked for by name comes
    local view=$ENGINES_CACHE/apt archive file
    archive=$(debian_archive) || return 1
    rm -rf "$view/sources.list.d" "$view/preferences.d" "$view/sources.list" "$view/preferences"
    mkdir -p "$view/sources.list.d" "$view/preferences.d" "$view/lists/partial"
    for file in sources.list sources.list.d preferences preferences.d; do # the order of the sources matters to apt
        if [ -e "/etc/apt/$file" ]; then cp -RL "/etc/apt/$file" "$view/"; else touch "$view/$file"; fi
    done
    if ! grep -rqE '^[^#]*\<(sid|unstable)\>' "$view/sources.list" "$view/sources.list.d"; then
        cat >"$view/sources.list.d/reproc-sid.sources" <<SOURCE
Types: deb
URIs: $archive
Suites: sid
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
# A mirror that stands still serves a Release file past its date; its signature is checked all the same.
Check-Valid-Until: no
SOURCE
        printf 'Package: *\nPin: release n=sid\nPin-Priority: 10\n' >"$view/preferences.d/reproc-sid"
    fi
    cat >"$view/apt.conf" <<CONFIG
Dir::Etc::SourceList "$view/sources.list";
Dir::Etc::SourceParts "$view/sources.list.d";
Dir::Etc::Preferences "$view/preferences";
Dir::Etc::PreferencesParts "$view/preferences.d";
Dir::State::Lists "$view/lists";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
CONFIG
    export APT_CONFIG=$view/apt.conf
}

# ------------------------------------------------------------------------------------------- Docker

docker_answers() { docker version --format '{{.Server.Version}}' 2>/dev/null; }

containerd_store() { docker info --format '{{json .DriverStatus}}' 2>/dev/null | grep -q io.containerd.snapshotter; }

check_docker() { # WHERE: reports on a daemon that answers
    local version
    version=$(docker_answers)
    if older "$version" $OLDEST_DOCKER; then
        lacks "docker: $version $1 is too old, reproc's Dockerfiles need $OLDEST_DOCKER or newer; it was left as it is"
        return
    fi
    if ! docker buildx version >/dev/null 2>&1; then
        lacks "docker: $version $1 has no buildx; install docker-buildx (Debian, Ubuntu) or docker-buildx-plugin (Docker's own packages)"
        return
    fi
    good "docker $version $1"
    containerd_store || say "  images cannot be built to the same bytes twice: set \"features\": {\"containerd-snapshotter\": true} in daemon.json"
}

install_docker() {
    case $(distribution) in
    debian)
        refresh_apt || return 1
        if older "$(apt-cache policy docker.io | sed -n 's/^ *Candidate: *//p' | sed 's/[+~-].*//')" $OLDEST_DOCKER; then
            install iptables procps docker.io/sid docker-cli/sid docker-buildx/sid
        else
            install iptables procps docker.io docker-cli docker-buildx
        fi
        ;;
    *) install iptables docker.io docker-buildx ;;
    esac
}

setup_docker() {
    local help="as root, tools/setup-engines.sh docker installs it, or see docs/engines.md"
    if command -v docker >/dev/null && docker_answers >/dev/null; then
        check_docker "(the daemon that was running)"
        return
    fi
    if own_daemon_runs; then
        export DOCKER_HOST=$OWN_DOCKER_HOST
        check_docker "(the daemon that this script started)"
        return
    fi
    if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null || ! docker buildx version >/dev/null 2>&1; then
        may_install docker "$help" || return 0
        # A daemon that an installation starts should have the right image store from its first moment.
        if has_systemd && [ ! -e /etc/docker/daemon.json ]; then
            mkdir -p /etc/docker
            daemon_configuration >/etc/docker/daemon.json
        fi
        install_docker || { lacks "docker: its packages could not be installed; $help"; return 0; }
    fi
    if [ $check = yes ] || [ "$(id -u)" != 0 ]; then
        lacks "docker: installed, but no daemon answers to $(id -un); as root, tools/setup-engines.sh docker starts one (the group docker may use the system's)"
    elif has_systemd; then
        quietly docker-service systemctl start docker || { lacks "docker: its service does not start; see journalctl -u docker"; return 0; }
        check_docker "(the system's service)"
    else
        start_own_daemon || { lacks "docker: the daemon did not start; see $OWN_DOCKER/dockerd.log"; return 0; }
        export DOCKER_HOST=$OWN_DOCKER_HOST
        check_docker "(started here; tools/stop-engines.sh stops it)"
    fi
}

daemon_configuration() { # old steps of builds make room for new ones; a registry of our own is asked before Docker Hub
    local mirrors=
    [ $want_registry = no ] || mirrors=", \"registry-mirrors\": [\"http://localhost:$REGISTRY_PORT\"]"
    printf '{ "features": { "containerd-snapshotter": true }, "builder": { "gc": { "enabled": true, "defaultKeepStorage": "%s" } }%s }\n' \
        $BUILD_CACHE "$mirrors"
}

start_own_daemon() {
    step "starting a Docker daemon in $OWN_DOCKER"
    mkdir -p "$OWN_DOCKER/data" "$OWN_DOCKER/exec"
    daemon_configuration >"$OWN_DOCKER/daemon.json"
    # A pid file left by a machine that went down would keep the new daemon from starting.
    rm -f "$OWN_DOCKER/dockerd.pid"
    start_detached "$OWN_DOCKER/dockerd.log" dockerd --host "$OWN_DOCKER_HOST" --config-file "$OWN_DOCKER/daemon.json" \
        --data-root "$OWN_DOCKER/data" --exec-root "$OWN_DOCKER/exec" --pidfile "$OWN_DOCKER/dockerd.pid"
    for _ in $(seq 300); do
        if DOCKER_HOST=$OWN_DOCKER_HOST docker version >/dev/null 2>&1; then return 0; fi
        kill -0 "$started" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 3 "$OWN_DOCKER/dockerd.log" | sed 's/^/    /' >&2
    return 1
}

# ------------------------------------------------------------------------------------------- Apptainer

apptainer_program() { command -v apptainer || command -v singularity; }

debian_apptainer() { # Debian has it in sid only; a host whose libc is older gets it relinked
    local package=$ENGINES_CACHE/apptainer.deb host
    host=$(libc_version)
    if ! older "$host" $APPTAINER_LIBC; then
        install apptainer/sid
        return
    fi
    if [ ! -f "$package" ]; then
        refresh_apt || return 1
        step "adapting sid's Apptainer to glibc $host"
        quietly apptainer repack_apptainer "$host" "$package" || return 1
    fi
    step "installing Apptainer"
    quietly apt-install apt-get install -y -q --no-install-recommends "$package"
}

# shellcheck disable=SC2329  # called by name
repack_apptainer() { # HOST_LIBC OUT: sid's package, its programs and its dependency on libc adapted
    (
        set -e
        work=$(mktemp -d "$ENGINES_CACHE/repack.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        cd "$work"
        apt-get download apptainer/sid
        dpkg-deb --raw-extract ./*.deb root
        readarray -t programs < <(find root/usr -type f -perm -100 -exec sh -c '[ "$(head -c 4 "$1" | tail -c 3)" = ELF ]' - {} \; -print)
        python3 "$here/relink-libc.py" "$1" "${programs[@]}"
        sed -i -E "s/(libc6 \(>= )$APPTAINER_LIBC\)/\1$1)/; s/^(Version: .*)$/\1+libc$1/" root/DEBIAN/control
        (cd root && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
        dpkg-deb --root-owner-group -Zgzip -z1 --build root out.deb
        mv out.deb "$2"
    )
}

ubuntu_apptainer() { # its own archive has none; the project's PPA does
    install software-properties-common || return 1
    quietly apptainer-ppa add-apt-repository -y ppa:apptainer/ppa || return 1
    refreshed=no
    install apptainer
}

setup_singularity() {
    local program help="as root, tools/setup-engines.sh singularity installs it, or see docs/engines.md"
    if ! apptainer_program >/dev/null; then
        may_install singularity "$help" || return 0
        case $(distribution) in
        debian) debian_apptainer ;;
        ubuntu) ubuntu_apptainer ;;
        *) false ;;
        esac || { lacks "singularity: Apptainer could not be installed; $help"; return 0; }
    fi
    program=$(apptainer_program) || { lacks "singularity: installed, but not on PATH"; return 0; }
    if [ $check = no ] && [ "$(id -u)" = 0 ]; then
        command -v mksquashfs >/dev/null || install squashfs-tools || lacks "singularity: no mksquashfs, so nothing can be built"
        command -v squashfuse_ll >/dev/null || install squashfuse || say "  without squashfuse an image is unpacked anew for each command that runs in it"
        open_device /dev/fuse
        open_device /dev/net/tun
    fi
    good "singularity: $("$program" --version) ($program)"
    if [ "$(id -u)" = 0 ] && ! has_capability 24; then
        say "  root here has no CAP_SYS_RESOURCE: builds run in a user namespace, which reproc does by itself"
    fi
}

open_device() { # where no udev sets modes (containers, small virtual machines), users cannot open these
    if [ -c "$1" ] && ! has_systemd && [ "$(stat -c %a "$1")" != 666 ]; then chmod 666 "$1"; fi
}

has_capability() { # NUMBER, as in linux/capability.h
    local effective
    effective=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
    (((16#$effective >> $1) & 1))
}

# ------------------------------------------------------------------------------------------- the rest

setup_bootstrap() { # what `from bootstrap` needs
    command -v mmdebstrap >/dev/null && return
    may_install "mmdebstrap (for 'from bootstrap')" "install the package mmdebstrap" || return 0
    install mmdebstrap || lacks "mmdebstrap: could not be installed; bases 'from bootstrap' cannot be made here"
}

setup_registry() {
    local url=http://localhost:$REGISTRY_PORT/v2/ base=$ENGINES_CACHE/debian-bookworm.tar image
    image=localhost:$REGISTRY_PORT/library/debian:bookworm-slim
    if registry_answers "$url"; then
        good "registry on localhost:$REGISTRY_PORT (was running)"
    else
        command -v docker-registry >/dev/null || may_install registry "install the package docker-registry" || return 0
        [ $check = no ] || { lacks "registry: installed, not running"; return 0; }
        install docker-registry curl || { lacks "registry: docker-registry could not be installed"; return 0; }
        start_own_registry $REGISTRY_PORT || { lacks "registry: it did not start; see $OWN_REGISTRY/log"; return 0; }
        good "registry on localhost:$REGISTRY_PORT (started here)"
    fi
    [ $check = no ] && command -v mmdebstrap >/dev/null && docker_answers >/dev/null || return 0
    if docker buildx imagetools inspect "$image" >/dev/null 2>&1; then return; fi
    if [ ! -f "$base" ]; then
        step "making a Debian image"
        SOURCE_DATE_EPOCH=1700000000 quietly mmdebstrap mmdebstrap --skip=output/dev --variant=minbase \
            --include=ca-certificates bookworm "$base.part.tar" "$(debian_archive)" || { lacks "registry: no Debian image could be made"; return 0; }
        mv "$base.part.tar" "$base"
    fi
    # shellcheck disable=SC2016  # for the inner shell
    quietly push-image sh -c 'docker import -c "CMD [\"bash\"]" "$1" "$2" && docker push -q "$2"' - "$base" "$image" ||
        lacks "registry: the Debian image could not be pushed"
}

setup_qemu() {
    if compgen -c qemu-x86_64 >/dev/null; then
        good "qemu ($(compgen -c qemu-x86_64 | head -n 1))"
        return
    fi
    may_install qemu "install the package qemu-user-static" || return 0
    if install qemu-user-static || install qemu-user; then good "qemu"; else lacks "qemu: qemu-user-static could not be installed"; fi
}

[ $want_docker = no ] || setup_docker
[ $want_singularity = no ] || setup_singularity
setup_bootstrap
[ $want_registry = no ] || setup_registry
[ $want_qemu = no ] || setup_qemu

if [ "${DOCKER_HOST:-}" = "$OWN_DOCKER_HOST" ]; then
    say "to use this daemon: export DOCKER_HOST=$DOCKER_HOST"
    echo "export DOCKER_HOST=$DOCKER_HOST"
fi
exit $status
