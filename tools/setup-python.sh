#!/bin/sh
# Makes .venv, reproc's Python environment, from hash-pinned requirements; does nothing where it is up to date.
# usage: tools/setup-python.sh runtime|dev
#   runtime  what reproc needs          dev  the tools of its developers as well
# PYTHON names the interpreter to use (3.11 or newer).
set -eu
cd "$(dirname "$0")/.."
kind=${1:-runtime}
case $kind in runtime | dev) ;; *) echo "usage: tools/setup-python.sh runtime|dev" >&2; exit 2 ;; esac

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            command -v "$candidate"
            return
        fi
    done
    say "setup-python: reproc needs Python 3.11 or newer, and there is none on PATH"
    say "  Debian 12, Ubuntu 24.04 and later have it: apt-get install python3 python3-venv"
    say "  elsewhere, install one without root, for example with uv: uv python install 3.12"
    say "  then name it: make setup PYTHON=/path/to/python3"
    exit 3
}

# What .venv was made from: it is up to date while this does not change.
mark_of() {
    cat requirements/runtime.txt requirements/build.txt "requirements/$1.txt" pyproject.toml hatch_build.py \
        grammar/reproc_grammar/repro.lark "$0" | cksum
}
is_made() { [ -x .venv/bin/python ] && [ "$(cat ".venv/reproc-$1" 2>/dev/null)" = "$(mark_of "$1")" ]; }
# The developers' environment holds everything that reproc needs.
if is_made "$kind" || is_made dev; then exit 0; fi

python=$(find_python)
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "setup-python: installing python3-venv (Debian keeps it apart from python3)"
        { apt-get install -y -q --no-install-recommends python3-venv ||
            { apt-get update -q && apt-get install -y -q --no-install-recommends python3-venv; }; } \
            </dev/null >.setup-python.log 2>&1 || { tail -n 5 .setup-python.log >&2; rm -f .setup-python.log; exit 3; }
        rm -f .setup-python.log
    else
        say "setup-python: $python cannot make environments; ask for the package python3-venv (apt-get install python3-venv)"
        exit 3
    fi
fi

say "setup-python: $($python --version), requirements/$kind.txt → .venv"
[ -x .venv/bin/python ] || "$python" -m venv .venv
pip() { PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip --quiet --no-input "$@" </dev/null; }
pip install --require-hashes --only-binary :all: -r "requirements/$kind.txt"
[ "$kind" = dev ] || pip install --require-hashes --only-binary :all: -r requirements/build.txt
pip install --no-deps --no-build-isolation --no-index --editable .
mark_of "$kind" >".venv/reproc-$kind"
