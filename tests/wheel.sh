#!/usr/bin/env bash
# Builds the wheel, installs it in a fresh virtual environment, and runs the demo from there, far from the sources.
#
#     tests/wheel.sh [PROFILE]      # of cargo; `release` without it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

profile=${1:-release}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/build"
"$work/build/bin/pip" install -q 'maturin>=1.16,<2'
"$work/build/bin/maturin" build --locked --profile "$profile" --out "$work/dist"

python3 -m venv "$work/user"
"$work/user/bin/pip" install -q --no-index "$work"/dist/crucible_ml-*.whl
cd "$work"
PATH=$work/user/bin:$PATH
crucible --version
crucible demo --output-dir demo
test -s demo/report.html
"$work/user/bin/pip" uninstall -q --yes crucible-ml
if [[ -e $work/user/bin/crucible ]]; then
    echo "the command is still there" >&2
    exit 1
fi
