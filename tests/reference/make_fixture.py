"""Writes the eval set of tests/fixtures/metrics: 1,000 bundles, seeded, the same everywhere.

    python tests/reference/make_fixture.py tests/fixtures/metrics/bundles.jsonl

Vectors have five small whole numbers, so that ties are exact and can be decided without rounding. Planted: negatives
with the positive's own vector and permuted or doubled ones (ties), zero vectors as anchor, positive and negative, one
to nine negatives, bundles of every tier and pool and without a tier, anchors with `doc` (text and number).

A bundle whose outcome would hang on rounding (two different cosines nearer than 1e-6, or equal cosines of vectors
that do not round alike) is drawn again: no two correct programs need agree on it.
"""

import json
import random
import sys
from math import sqrt

DIM, SENSES, PER_SENSE, BUNDLES = 5, 60, 6, 1000
NEAR = 1e-6


def events(rng):
    out = []
    for sense in range(SENSES):
        centre = [rng.randint(-4, 4) for _ in range(DIM)]
        for k in range(PER_SENSE):
            vector = [c + rng.randint(-3, 3) for c in centre]
            if rng.random() < 0.008:
                vector = [0] * DIM
            elif out and rng.random() < 0.15:
                # The vector of an event of an earlier one, as it is or doubled: cosines tie exactly.
                scale = rng.choice([1, 1, 2])
                vector = [scale * x for x in rng.choice([e for e in out if any(e["embedding"])])["embedding"]]
            event = {"event_id": str(len(out)), "sense": f"{sense // 3}#{sense % 3}", "text": "t"}
            if rng.random() < 0.1:
                event["doc"] = rng.choice(["d1", "d2", 3])
            event["embedding"] = vector
            out.append(event)
    return out


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def rounds_alike(a, b):
    """Whether two vectors of equal cosine to anything also have equal rounded forms: one is 2^k times the other."""
    for k in (1, 2, 4):
        if [k * x for x in a] == b or [k * x for x in b] == a:
            return True
    return False


def cosines_clear(anchor, vectors):
    """Whether any two vectors' cosines to the anchor are clearly apart, or equal in a way that rounding keeps."""
    for i, a in enumerate(vectors):
        for b in vectors[:i]:
            left, right = dot(anchor, a) / sqrt(dot(a, a)), dot(anchor, b) / sqrt(dot(b, b))
            if abs(left - right) / sqrt(dot(anchor, anchor)) < NEAR and not rounds_alike(a, b):
                return False
    return True


def bundle(rng, number, pool):
    by_sense = {}
    for event in pool:
        by_sense.setdefault(event["sense"], []).append(event)
    while True:
        anchor, positive = rng.sample(by_sense[rng.choice(sorted(by_sense))], 2)
        others = [e for e in pool if e["sense"] != anchor["sense"]]
        count = min(9, 1 + int(rng.expovariate(1.0)))
        negatives = rng.sample(others, count)
        if rng.random() < 0.3:
            twins = [e for e in others if rounds_alike(e["embedding"], positive["embedding"])]
            negatives[rng.randrange(count)] = rng.choice(twins or others)
        if len({e["event_id"] for e in negatives}) < count:
            continue
        vectors = [e["embedding"] for e in [positive, *negatives]]
        if all(any(v) for v in [anchor["embedding"], *vectors]) and not cosines_clear(anchor["embedding"], vectors):
            continue
        break
    out = {"bundle_id": f"b{number}", "anchor": anchor, "positive": positive, "negatives": negatives}
    kind = number % 10
    if number % 97 == 0:
        return out
    if kind < 5:
        return out | {"tier": "tier1_easy"}
    if kind < 7:
        return out | {"tier": "tier2_robust"}
    # Every way in which a pool is told, one after another.
    sources = [
        {},
        {"source": "manual_curation"},
        {"source": "tier3_organic_miner"},
        {"source": "tier3_expansion"},
        {"expansion": "tier3x"},
        {"source": "tier3_organic_miner", "expansion": "tier3x"},
    ]
    return out | {"metadata": {"tier": "tier3_adversarial"} | sources[rng.randrange(len(sources))]}


def main():
    rng = random.Random(20240501)
    pool = events(rng)
    with open(sys.argv[1], "w", encoding="utf-8", newline="\n") as out:
        for number in range(BUNDLES):
            out.write(json.dumps(bundle(rng, number, pool), separators=(",", ":")) + "\n")


main()
