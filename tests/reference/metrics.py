"""What an evaluation must say of a bundle file whose events carry `embedding`, computed a second time with numpy.

    python tests/reference/metrics.py BUNDLES.jsonl EXPECTED.json

Written apart from the program, and by other means where there are any: passes and ties are decided in exact integer
arithmetic, Wilson's interval is the root of the score equation, the space's numbers come from the full matrix of
cosines and from eigenvalues. Vectors must have whole numbers. Items are rows of
[bundle_id, group, tier, pool, margin, rank, pos_sim, max_neg_sim, winning_negative, zero_vector].
"""

import json
import sys
from collections import Counter
from fractions import Fraction

import numpy as np

Z = 1.959963984540054  # scipy.stats.norm.ppf(0.975)
TIERS = ["tier1_easy", "tier2_robust", "tier3_adversarial"]


def pool_of(tier, metadata):
    if tier != "tier3_adversarial":
        return None
    if metadata.get("source") == "tier3_organic_miner":
        return "organic"
    if metadata.get("expansion") == "tier3x" or metadata.get("source") == "tier3_expansion":
        return "expanded"
    return "legacy"


def exact(anchor, other):
    """Orders cosines to one anchor without rounding: the sign and the square of (anchor · other) / |other|."""
    dot = sum(int(a) * int(b) for a, b in zip(anchor, other))
    square = Fraction(dot * dot, sum(int(b) ** 2 for b in other))
    return square if dot >= 0 else -square


def item(bundle):
    metadata = bundle.get("metadata", {})
    tier = metadata.get("tier", bundle.get("tier"))
    anchor = bundle["anchor"]
    group = str(anchor["doc"]) if "doc" in anchor else anchor["sense"].split("#")[0]
    head = [bundle["bundle_id"], group, tier, pool_of(tier, metadata)]
    negatives = bundle["negatives"]
    a, p = np.array(anchor["embedding"], float), np.array(bundle["positive"]["embedding"], float)
    ns = np.array([n["embedding"] for n in negatives], float)
    if not (a.any() and p.any() and ns.any(axis=1).all()):
        return [*head, -2.0, 1 + len(negatives), -1.0, 1.0, negatives[0]["event_id"], True]
    cosine = lambda v: float(a @ v / np.linalg.norm(a) / np.linalg.norm(v))
    order = [exact(a, n) for n in ns]
    positive = exact(a, p)
    winner = max(range(len(order)), key=lambda i: (order[i], -i))
    pos_sim, max_neg_sim = cosine(p), cosine(ns[winner])
    margin = 0.0 if order[winner] == positive else pos_sim - max_neg_sim
    rank = 1 + sum(n > positive for n in order)
    return [*head, margin, rank, pos_sim, max_neg_sim, negatives[winner]["event_id"], False]


def wilson(k, n):
    # Both p with (k/n - p)² = Z² p (1 - p) / n.
    p, z2n = k / n, Z * Z / n
    low, high = sorted(np.roots([1 + z2n, -(2 * p + z2n), p * p]).real)
    return [float(low), float(high)]


def summary(items):
    if not items:
        return {"n": 0}
    margins = np.array([i[4] for i in items])
    n, correct = len(items), int((margins > 0).sum())
    q10, median, q90 = np.quantile(margins, [0.1, 0.5, 0.9])
    low, high = wilson(correct, n)
    return {
        "n": n,
        "correct": correct,
        "pass_rate": correct / n,
        "mean_margin": float(margins.mean()),
        "median_margin": float(median),
        "q10_margin": float(q10),
        "q90_margin": float(q90),
        "mean_rank": float(np.mean([i[5] for i in items])),
        "ci_low": low,
        "ci_high": high,
    }


def space(bundles):
    events = {e["event_id"]: e["embedding"] for b in bundles for e in [b["anchor"], b["positive"], *b["negatives"]]}
    vectors = np.array(list(events.values()), float)
    norms = np.linalg.norm(vectors, axis=1)
    zero = int((norms == 0).sum())
    units, norms = vectors[norms > 0] / norms[norms > 0, None], norms[norms > 0]
    cosines = (units @ units.T)[~np.eye(len(units), dtype=bool)]
    shares = np.linalg.eigvalsh(np.cov(units.T, bias=True))
    shares = shares / shares.sum()
    return zero, {
        "sample": len(units),
        "mean_cosine": float(cosines.mean()),
        "sd_cosine": float(cosines.std()),
        "effective_rank": float(1 / (shares**2).sum()),
        "norms": [float(norms.mean()), float(norms.std()), float(norms.min()), float(norms.max())],
    }


def main():
    with open(sys.argv[1], encoding="utf-8") as lines:
        bundles = [json.loads(line) for line in lines]
    items = [item(b) for b in bundles]
    chance = {t: [1 / (1 + len(b["negatives"])) for b, i in zip(bundles, items) if i[2] == t] for t in TIERS}
    chance["overall"] = [1 / (1 + len(b["negatives"])) for b in bundles]
    sound = [i for i in items if not i[9]]
    q10, q90 = np.quantile([x for i in sound for x in (i[6], i[7])], [0.1, 0.9])
    zero_texts, spread = space(bundles)
    near = [i[0] for i in sound if 0 < abs(i[4]) < 1e-6]
    assert not near, f"margins that rounding decides: {near}"
    out = {
        "overall": summary(items),
        "by_tier": {t: summary([i for i in items if i[2] == t]) for t in TIERS},
        "by_pool": {p: summary([i for i in items if i[3] == p]) for p in ["legacy", "organic", "expanded"]},
        "tier_counts": Counter(i[2] or "untiered" for i in items),
        "chance": {name: float(np.mean(levels)) for name, levels in chance.items()},
        "ties": sum(i[4] == 0 for i in sound),
        "zero_items": len(items) - len(sound),
        "zero_texts": zero_texts,
        "similarity": [float(q10), float(q90)],
        "space": spread,
    }
    short = lambda x: round(x, 9) if isinstance(x, float) else x
    rows = ",\n".join(json.dumps([short(x) for x in i], separators=(",", ":")) for i in items)
    with open(sys.argv[2], "w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(out, indent=1, sort_keys=True)[:-2] + ',\n "items": [\n' + rows + "\n ]\n}\n")


main()
