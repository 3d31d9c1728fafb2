#!/usr/bin/env bash
# Takes the pictures of reports in docs/pictures anew, as headless Chromium shows them.
#
#     tests/browser/report_pictures.sh REPORT.html [CONDITION [BUNDLE]]
#
# REPORT.html is a report of a sweep; those in the repository are of docs/VALIDATION.md's sweep over ratios.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
report=$(realpath "$1")
condition=${2:-R10_80_10}
bundle=${3:-bundle_evt_164b6057c8}
mkdir -p docs/pictures

# take NAME WIDTH HEIGHT FRAGMENT [FLAG...]
take() {
    local name=$1 width=$2 height=$3 fragment=$4
    shift 4
    chromium --headless=new --no-sandbox --hide-scrollbars --force-device-scale-factor=1 --virtual-time-budget=8000 \
        --window-size="$width,$height" --screenshot="docs/pictures/$name.png" "$@" "file://$report#$fragment" 2>/dev/null
}

take report-summary 1100 900 tab=summary
take report-pareto 1000 960 "tab=pareto&c=$condition&layers=seeds,ellipses,intervals,changes"
take report-pareto-dark 1200 880 "tab=pareto&c=$condition&layers=seeds,ellipses,intervals,changes" --force-dark-mode --enable-features=WebContentsForceDark:inversion_method/none
take report-margins 1100 820 "tab=margin-dist&c=$condition"
take report-bundles 1100 800 "tab=bundles&c=$condition&status=persistent&item=$bundle"
take report-dilution 1100 760 tab=dilution
take report-narrow 500 900 "tab=pareto&c=$condition"
ls -l docs/pictures
