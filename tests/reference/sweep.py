"""Reference values of a sweep's analysis, from numpy, SciPy and statsmodels.

    python tests/reference/sweep.py > tests/fixtures/statistics/sweep.json

A small sweep is drawn: conditions times seeds times items in groups of uneven size. Everything about it is computed
again here by other means than the program's: resamples by writing samples out item by item, the frontier by comparing
all pairs, the area by inclusion and exclusion, the ellipse by an eigenvalue solver.
"""
import itertools
import json

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

CONDITIONS, SEEDS, RESAMPLES = ["base", "keeps", "learns", "worse"], 5, 20_000
REFERENCE = (0.15, 0.20)
rng = np.random.default_rng(11)


def table(rates, sizes):
    """passes[condition, seed, item] with effects of seed, group and item, and the group of each item."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    ease = rng.normal(0, 0.08, len(sizes))[group]
    seed = rng.normal(0, 0.03, SEEDS)
    item = rng.uniform(size=(SEEDS, len(group)))
    own = rng.uniform(-0.12, 0.12, (len(rates), SEEDS, len(group)))
    chance = np.array(rates)[:, None, None] + seed[None, :, None] + ease[None, None, :] + own
    return (item[None] < chance), group


truths = [table([0.35, 0.41, 0.33, 0.34], rng.integers(1, 9, 40)), table([0.40, 0.39, 0.44, 0.40], rng.integers(2, 7, 60))]


def rates(draw):
    """[condition, truth]: mean pass rates under (seeds, groups of either truth)."""
    seeds, groups = draw
    out = np.empty((len(CONDITIONS), 2))
    for t, (passes, group) in enumerate(truths):
        members = [np.flatnonzero(group == g) for g in range(group.max() + 1)]
        items = np.concatenate([members[g] for g in groups[t]])
        out[:, t] = passes[:, seeds][:, :, items].mean(axis=(1, 2))
    return out


def on_frontier(points):
    return [not any(all(b >= a) and any(b > a) for b in points) for a in points]


def area(points):
    """Union of the rectangles from the reference to each point, by inclusion and exclusion."""
    rectangles = [np.array(p) - REFERENCE for p in points if all(np.array(p) > REFERENCE)]
    total = 0.0
    for k in range(1, len(rectangles) + 1):
        for chosen in itertools.combinations(rectangles, k):
            total += (-1) ** (k + 1) * np.prod(np.min(chosen, axis=0))
    return total


sizes = [group.max() + 1 for _, group in truths]
every = (np.arange(SEEDS), [np.arange(n) for n in sizes])
points = rates(every)
draws = np.array([rates((rng.integers(0, SEEDS, SEEDS), [rng.integers(0, n, n) for n in sizes])) for _ in range(RESAMPLES)])
by_items = np.array([rates((np.arange(SEEDS), [rng.integers(0, n, n) for n in sizes])) for _ in range(RESAMPLES // 4)])


def p_value(change):
    low, high = np.sum(change <= 0), np.sum(change >= 0)
    return float(min(1.0, 2 * (min(low, high) + 1) / (len(change) + 1)))


def condition(c):
    covariance = np.cov(draws[:, c].T)
    values, vectors = np.linalg.eigh(covariance)
    major = vectors[:, 1] * np.sign(vectors[0, 1] or 1)
    out = {
        "name": CONDITIONS[c],
        "mean": points[c].tolist(),
        "std": [np.std(passes[c].mean(axis=1), ddof=1) for passes, _ in truths],
        "low": np.quantile(draws[:, c], 0.025, axis=0).tolist(),
        "high": np.quantile(draws[:, c], 0.975, axis=0).tolist(),
        "error": draws[:, c].std(axis=0, ddof=1).tolist(),
        "item_error": by_items[:, c].std(axis=0, ddof=1).tolist(),
        "on_frontier": bool(on_frontier(points)[c]),
        "p_on_frontier": float(np.mean([on_frontier(d)[c] for d in draws[:4000]])),
        "half_axes": np.sqrt(stats.chi2.ppf(0.95, 2) * values[::-1]).tolist(),
        "angle": float(np.arctan2(major[1], major[0])),
    }
    if c:
        change = draws[:, c] - draws[:, 0]
        out |= {
            "change": (points[c] - points[0]).tolist(),
            "change_low": np.quantile(change, 0.025, axis=0).tolist(),
            "change_high": np.quantile(change, 0.975, axis=0).tolist(),
            "change_error": change.std(axis=0, ddof=1).tolist(),
            "p": [p_value(change[:, axis]) for axis in (0, 1)],
            "p_beats_baseline": float(np.mean(np.all(change > 0, axis=1))),
        }
    return out


areas = np.array([area(d) for d in draws[:4000]])
p_values = [0.003, 0.04, 0.012, 0.5, 0.012, 0.9, 0.2]
print(json.dumps({
    "seeds": SEEDS,
    "reference": REFERENCE,
    # One text a truth, condition and seed: 1 passes.
    "truths": [{"group": group.tolist(),
                "passes": [["".join("01"[int(x)] for x in row) for row in rows] for rows in passes]}
               for passes, group in truths],
    "conditions": [condition(c) for c in range(len(CONDITIONS))],
    "hypervolume": {"value": float(area(points)), "low": float(np.quantile(areas, 0.025)),
                    "high": float(np.quantile(areas, 0.975)), "error": float(areas.std(ddof=1))},
    "holm": {"p": p_values, "adjusted": multipletests(p_values, method="holm")[1].tolist()},
}, indent=None, separators=(",", ":")))
