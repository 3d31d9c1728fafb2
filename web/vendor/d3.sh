#!/usr/bin/env bash
# Makes d3.min.js anew: the parts of d3 that the pages use (d3.entry.js), and nothing else. Needs npm and the network; a
# build of Crucible needs neither, as the file is in the repository.
#
#     web/vendor/d3.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-save --prefix "$work" d3@7.9.2 esbuild@0.28.2
node "$work/node_modules/esbuild/install.js"
{ printf '/*! Parts of d3 7.9.2, https://d3js.org\n\n'; cat d3.LICENSE; printf '*/\n'; } >"$work/banner"
cp d3.entry.js "$work/entry.mjs"
"$work/node_modules/.bin/esbuild" "$work/entry.mjs" --bundle --minify --format=iife --global-name=d3 --target=es2022 \
    --legal-comments=none --banner:js="$(cat "$work/banner")" --outfile=d3.min.js
