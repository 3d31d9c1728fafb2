#!/usr/bin/env sh
# A model on a BEIR set: the usual metrics of its ranking, and which relevant documents it confuses with which others.
#
#     run.sh BEIR_DIR MODEL
#
# BEIR_DIR has corpus.jsonl, queries.jsonl and qrels/test.tsv; MODEL is a folder of sentence-transformers or model2vec, or a
# checkpoint.
set -eu
set_dir=$1 model=$2

# nDCG, recall, MRR and MAP, with intervals; the same commands take the run file of any other program.
crucible export trec --checkpoint "$model" --beir "$set_dir" --split test --output run.trec
crucible import predictions --predictions run.trec --qrels "$set_dir/qrels/test.tsv" --output results/ranking.json

# Each relevant document against its nearest confusers: a frozen eval that later models are compared on.
crucible import beir "$set_dir" --split test --output frozen.jsonl
crucible eval --checkpoint "$model" --eval-set frozen.jsonl --output results/frozen.json

crucible report --results-dir results --output report.html
