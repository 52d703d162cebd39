#!/bin/sh
# Writes requirements/*.txt anew from pyproject.toml: exact versions with hashes, for every platform, no address.
# usage: tools/requirements.sh [--upgrade]        (also benchmarks/peers.txt; needs uv)
set -eu
cd "$(dirname "$0")/.."
export UV_CUSTOM_COMPILE_COMMAND="make requirements"
uv=${UV:-uv}
upgrade=${1:-}

lock() { # OUT INPUT…
    out=$1
    shift
    # shellcheck disable=SC2086  # an empty $upgrade is no argument
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-emit-find-links $upgrade --output-file "$out" "$@"
}

lock requirements/runtime.txt pyproject.toml
lock requirements/build.txt --constraint requirements/runtime.txt --group build
lock requirements/dev.txt --constraint requirements/runtime.txt pyproject.toml --group dev
lock requirements/fuzz.txt --group fuzz
lock benchmarks/peers.txt benchmarks/peers.in
