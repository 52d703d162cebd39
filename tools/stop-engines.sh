#!/bin/bash
# Stops the daemons that setup-engines.sh started, and nothing else.
#
# usage: tools/stop-engines.sh [--purge]
#   --purge    also delete their images, containers and logs (the packages stay installed)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/engines-common.sh
. "$here/engines-common.sh"

case ${1:-} in '' | --purge) ;; *) sed -n '2,/^set -e/{/^#/!d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;; esac

stop() { # NAME PID_FILE WORD
    local pid
    if ! pid=$(runs "$2" "$3"); then
        say "$1: not running"
        return
    fi
    kill "$pid"
    for _ in $(seq 300); do
        if ! kill -0 "$pid" 2>/dev/null; then
            rm -f "$2"
            say "$1: stopped"
            return
        fi
        sleep 0.1
    done
    say "$1: process $pid does not end; left alone"
    return 1
}

stop docker "$OWN_DOCKER/dockerd.pid" "$OWN_DOCKER_HOST"
stop registry "$OWN_REGISTRY/pid" "$OWN_REGISTRY/config.yml"

# The daemon binds its data folder onto itself and leaves the mount behind.
while mountpoint -q "$OWN_DOCKER/data" 2>/dev/null; do umount "$OWN_DOCKER/data"; done

if [ "${1:-}" = --purge ] && [ -d "$ENGINES_STATE" ]; then
    if grep -qF " $ENGINES_STATE/" /proc/self/mounts; then
        say "something is still mounted under $ENGINES_STATE; nothing was deleted"
        exit 1
    fi
    rm -rf -- "$OWN_DOCKER" "$OWN_REGISTRY"
    say "deleted $OWN_DOCKER and $OWN_REGISTRY"
fi
