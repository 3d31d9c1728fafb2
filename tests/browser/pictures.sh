#!/usr/bin/env bash
# Takes the pictures of docs/pictures anew: the page as headless Chromium shows it, with models that the command trained.
#
#     tests/browser/pictures.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
CRUCIBLE_REQUIRE_BROWSER=1 CRUCIBLE_SCREENSHOTS="$PWD/docs/pictures" \
    cargo test --locked -p crucible-cli --test browser pictures -- --exact pictures::pictures
ls -l docs/pictures
