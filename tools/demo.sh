#!/bin/bash
# The whole corridor on specs/quickstart: lock, compile, verify. Sets up what is missing, as far as it may.
# usage: tools/demo.sh        (or: make demo)
# ENGINES=no installs and starts no engine, also as root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
spec=specs/quickstart

say() { printf '%s\n' "$*" >&2; }
title() { printf '\n── %s\n' "$*" >&2; }

title "1 of 5: Python environment (.venv)"
tools/setup-python.sh runtime
export PATH=$PWD/.venv/bin:$PATH

title "2 of 5: engines"
# Says in one line each what is here, what it installed, and how to get what it could not.
engines_complete=yes
install=()
[ "${ENGINES:-yes}" != no ] || install=(--check)
settings=$(tools/setup-engines.sh "${install[@]}") || engines_complete=no
eval "$settings"

title "3 of 5: reproc lock $spec"
reproc lock "$spec"
if ! reproc fetch "$spec"; then
    say "Not everything that $spec/repro.lock names can be had from here; it is locked anew, as of today."
    reproc lock --update-all "$spec" || say "That cannot be done here either; the lock stays as it is."
fi

title "4 of 5: reproc compile $spec"
reproc compile "$spec"

title "5 of 5: reproc verify $spec"
status=0
reproc verify "$spec" || status=$?

case $status in
0) [ $engines_complete = yes ] || say "Not verified: the engines marked ✗ above." ;;
3) say "Compiled, but not verified, for the reason above. The recipes are in $spec/containers/." ; status=0 ;;
esac
[ -z "${DOCKER_HOST:-}" ] || [ -z "$settings" ] || say "The Docker daemon that this started goes on; tools/stop-engines.sh stops it."
exit $status
