# shellcheck shell=bash
# To be sourced: points DOCKER_HOST at the daemon that setup-engines.sh started, where nothing else is named and
# no other daemon answers. It never starts anything.
if [ -z "${DOCKER_HOST:-}" ] && ! docker version >/dev/null 2>&1; then
    reproc_socket=${REPROC_ENGINES_STATE:-/var/lib/reproc-engines}/docker/docker.sock
    if [ -S "$reproc_socket" ] && DOCKER_HOST=unix://$reproc_socket docker version >/dev/null 2>&1; then
        export DOCKER_HOST=unix://$reproc_socket
    fi
    unset reproc_socket
fi
