#!/bin/bash
# All checks, then all tests; the last line is pytest's. Every check runs even if an earlier one failed.
# usage: [JOBS=N] tools/test.sh [PYTEST_ARGUMENT…]        (or: make test)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH=$PWD/.venv/bin:$PATH
. tools/engines-env.sh

failed=()
for check in lint types imports; do
    nox --no-venv -s $check || failed+=("$check")
done
status=0
[ ${#failed[@]} = 0 ] || { status=1 && printf '✗ failed before the tests: %s\n' "${failed[*]}" >&2; }
# Each of the many runs of `reproc` would compile the modules for itself where PYTHONDONTWRITEBYTECODE is set.
python -m compileall -q src grammar backends
# Whole files side by side: what a file builds once, its tests share.
pytest --numprocesses "${JOBS:-2}" --dist loadfile --no-loadscope-reorder --durations 25 "$@" || status=1
exit $status
