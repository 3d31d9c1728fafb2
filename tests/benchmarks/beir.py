"""A BEIR folder of any size, for times and memory: passages of three sentences each, and queries that are the middle sentence of
one of them. Sentences stand in many passages and one of them is judged, so the metrics mean little. OUT must not exist yet.

    python tests/benchmarks/beir.py OUT --events E.jsonl [--passages 500000] [--queries 2000] [--seed 5]

Then `crucible export trec --beir OUT …` ranks all passages for each query, and `crucible import beir OUT …` makes bundles.
"""

import argparse
import json
import random
from pathlib import Path

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("out", type=Path)
p.add_argument("--events", required=True, nargs="+")
p.add_argument("--passages", type=int, default=500_000)
p.add_argument("--queries", type=int, default=2_000)
p.add_argument("--seed", type=int, default=5)
a = p.parse_args()

rng = random.Random(a.seed)
texts = list(dict.fromkeys(json.loads(line)["text"] for file in a.events for line in open(file, encoding="utf-8")))
(a.out / "qrels").mkdir(parents=True)
middles = []
with open(a.out / "corpus.jsonl", "w", encoding="utf-8") as corpus:
    for number in range(a.passages):
        three = rng.sample(texts, 3)
        middles.append(three[1])
        corpus.write(json.dumps({"_id": f"d{number}", "title": three[0][:40], "text": " ".join(three)}) + "\n")
with open(a.out / "queries.jsonl", "w", encoding="utf-8") as queries, open(a.out / "qrels/test.tsv", "w") as qrels:
    qrels.write("query-id\tcorpus-id\tscore\n")
    for number in range(a.queries):
        passage = rng.randrange(a.passages)
        queries.write(json.dumps({"_id": f"q{number}", "text": middles[passage]}) + "\n")
        qrels.write(f"q{number}\td{passage}\t1\n")
