#!/usr/bin/env sh
# Vectors of a model that runs elsewhere: how good they are on hard cases, and how good with a head that learns on them.
#
#     run.sh EVENTS.jsonl VECTORS.npy WIDTH
#
# VECTORS.npy (32-bit floats) has a row for each event, and VECTORS_ids.jsonl beside it the event ids, a JSON text a line. In
# Python: numpy.save("v.npy", vectors), and json.dumps of each id into v_ids.jsonl. WIDTH is the number of columns.
set -eu
events=$1 vectors=$2 width=$3

# Negatives are the nearest by these very vectors; a fifth of the texts is held back.
crucible bundle --events "$events" --embeddings "$vectors" --output train.jsonl --holdout frozen.jsonl

crucible eval --checkpoint "$vectors" --eval-set frozen.jsonl --output results/vectors.json

crucible train --bundles train.jsonl --embeddings "$vectors" --output-dir run --model.type adapter \
    --model.embedding_dim "$width" --model.hidden_dim "$width" --training.steps 1000
crucible eval --checkpoint run/checkpoint_final.safetensors --embeddings "$vectors" --eval-set frozen.jsonl \
    --output results/adapter.json

# PASS, FAIL (exit status 6) or INCONCLUSIVE (7).
verdict=0
crucible compare results/vectors.json results/adapter.json || verdict=$?

crucible report --results-dir results --output report.html
exit "$verdict"
