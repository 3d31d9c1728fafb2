#!/usr/bin/env sh
# From labelled texts and two model folders to a verdict and a page to send around.
#
#     run.sh TEXTS.csv OLD_MODEL NEW_MODEL
#
# TEXTS.csv has a column of texts and one of labels (`text` and `label`, or name them with --text and --label). A label such as
# `billing#refund` says that it is confused with the other labels of `billing`. The models are folders of sentence-transformers
# (BERT family) or model2vec.
set -eu
texts=$1 old=$2 new=$3

crucible import labelled --input "$texts" --output events.jsonl
crucible bundle --events events.jsonl --output eval.jsonl

# Did the old one ever do better than guessing? Each scoreboard says so, tier by tier.
crucible eval --checkpoint "$old" --eval-set eval.jsonl --output results/old.json
crucible eval --checkpoint "$new" --eval-set eval.jsonl --output results/new.json

# PASS, FAIL (exit status 6) or INCONCLUSIVE (7), and the bundles that changed sides.
verdict=0
crucible compare results/old.json results/new.json || verdict=$?

crucible report --results-dir results --output report.html
exit "$verdict"
