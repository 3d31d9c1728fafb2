"""Data for the benchmarks of mining.

    python tests/benchmarks/mining.py semcor DATA/semcor_events.jsonl 20000 OUT   # the first 20,000 events
    python tests/benchmarks/mining.py synthetic 1000000 384 OUT                  # events.jsonl, vectors.npy, ids

The synthetic events have lemmas of 40 events in 4 senses; vectors lie around the mean of their sense.
"""

import json
import sys
from pathlib import Path

import numpy as np

PER_LEMMA, SENSES, BLOCK = 40, 4, 40_000


def semcor(source, count, out):
    with open(source, encoding="utf-8") as events, open(out / "events.jsonl", "w", encoding="utf-8") as f:
        for _, line in zip(range(count), events):
            f.write(line)


def synthetic(count, dim, out):
    rng = np.random.default_rng(1)
    rows = np.lib.format.open_memmap(out / "vectors.npy", mode="w+", dtype="<f4", shape=(count, dim))
    with open(out / "events.jsonl", "w", encoding="utf-8") as events, open(out / "vectors_ids.jsonl", "w") as ids:
        for first in range(0, count, BLOCK):
            n = min(BLOCK, count - first)
            index = np.arange(first, first + n)
            sense = index // PER_LEMMA * SENSES + index % SENSES
            # The mean of a sense from its number, so that blocks need no memory of it.
            means = np.stack([np.random.default_rng(s).standard_normal(dim) for s in np.unique(sense)])
            _, at = np.unique(sense, return_inverse=True)
            block = means[at] + 0.8 * rng.standard_normal((n, dim))
            rows[first : first + n] = block / np.linalg.norm(block, axis=1, keepdims=True)
            for i, s in zip(index.tolist(), sense.tolist()):
                words = " ".join(f"w{x}" for x in rng.integers(0, 50_000, 12).tolist())
                lemma = i // PER_LEMMA
                event = {"event_id": f"e{i}", "sense": f"l{lemma}#{s}", "lemma": f"l{lemma}", "text": f"{words} {i}"}
                events.write(json.dumps(event) + "\n")
                ids.write(json.dumps(event["event_id"]) + "\n")


def main(kind, *args):
    out = Path(args[-1])
    out.mkdir(parents=True, exist_ok=True)
    if kind == "semcor":
        semcor(args[0], int(args[1]), out)
    else:
        synthetic(int(args[0]), int(args[1]), out)


if __name__ == "__main__":
    main(*sys.argv[1:])
