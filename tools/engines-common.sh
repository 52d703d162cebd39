# shellcheck shell=bash disable=SC2034
# What setup-engines.sh and stop-engines.sh share: where things lie, and how a process of ours is known.
#
# REPROC_ENGINES_CACHE  downloads and package lists; may be deleted at any time
# REPROC_ENGINES_STATE  the daemons that were started here, their images and their logs

if [ "$(id -u)" = 0 ]; then
    ENGINES_CACHE=${REPROC_ENGINES_CACHE:-/var/cache/reproc-engines}
    ENGINES_STATE=${REPROC_ENGINES_STATE:-/var/lib/reproc-engines}
else
    ENGINES_CACHE=${REPROC_ENGINES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/reproc-engines}
    ENGINES_STATE=${REPROC_ENGINES_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/reproc-engines}
fi
OWN_DOCKER=$ENGINES_STATE/docker
OWN_DOCKER_HOST=unix://$OWN_DOCKER/docker.sock
OWN_REGISTRY=$ENGINES_STATE/registry

say() { printf '%s\n' "$*" >&2; }

has_systemd() { [ -d /run/systemd/system ]; }

start_detached() { # LOG COMMAND…: a process that outlives this script; its id is in $started
    local log=$1
    shift
    setsid "$@" >"$log" 2>&1 </dev/null &
    started=$!
}

runs() { # PID_FILE WORD: prints the id of the process in the file if it lives and WORD is in its command line
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] || return 1
    # Ids are used again: one that is alive may have become somebody else's.
    tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$2" || return 1
    echo "$pid"
}

own_daemon_runs() { runs "$OWN_DOCKER/dockerd.pid" "$OWN_DOCKER_HOST" >/dev/null && DOCKER_HOST=$OWN_DOCKER_HOST docker version >/dev/null 2>&1; }

registry_answers() { python3 -c 'import sys, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(sys.argv[1], timeout=2)' "$1" 2>/dev/null; }

start_own_registry() { # PORT
    mkdir -p "$OWN_REGISTRY/data"
    cat >"$OWN_REGISTRY/config.yml" <<CONFIG
version: 0.1
log: { level: warn }
storage:
  filesystem: { rootdirectory: $OWN_REGISTRY/data }
  delete: { enabled: true }
http: { addr: "127.0.0.1:$1" }
CONFIG
    start_detached "$OWN_REGISTRY/log" docker-registry serve "$OWN_REGISTRY/config.yml"
    echo "$started" >"$OWN_REGISTRY/pid"
    for _ in $(seq 100); do
        if registry_answers "http://localhost:$1/v2/"; then return 0; fi
        kill -0 "$started" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}
