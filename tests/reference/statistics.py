"""Reference values of the statistics, from SciPy and from first principles.

    python tests/reference/statistics.py > tests/fixtures/statistics/expected.json

Needs numpy and scipy. Tango's interval is found without its closed form: the restricted likelihood is maximised
numerically at each difference, and the score is inverted by root finding.
"""
import json

import numpy as np
from scipy import optimize, stats


def mcnemar(lost, gained):
    return stats.binomtest(lost, lost + gained, 0.5).pvalue if lost + gained else 1.0


def tango(lost, gained, n, z):
    """All differences (gained - lost) / n that a score test does not refuse."""
    rest = n - lost - gained

    def score(delta):
        # Shares: losses q, gains q + delta, the rest 1 - 2q - delta.
        low, high = max(0.0, -delta), (1.0 - delta) / 2.0

        def minus_log_likelihood(q):
            parts = [(lost, q), (gained, q + delta), (rest, 1 - 2 * q - delta)]
            return -sum(k * np.log(max(p, 1e-300)) for k, p in parts if k)

        if high - low < 1e-13:
            q = low
        else:
            q = optimize.minimize_scalar(minus_log_likelihood, bounds=(low, high), method="bounded",
                                         options={"xatol": 1e-14, "maxiter": 2000}).x
        variance = n * (2 * q + delta - delta * delta)
        return (gained - lost - n * delta) / np.sqrt(max(variance, 1e-300))

    estimate = (gained - lost) / n
    eps = 1e-9
    low = -1.0 if score(-1 + eps) <= z else optimize.brentq(lambda d: score(d) - z, -1 + eps, estimate - eps, xtol=1e-12)
    high = 1.0 if score(1 - eps) >= -z else optimize.brentq(lambda d: score(d) + z, estimate + eps, 1 - eps, xtol=1e-12)
    return low, high


def bca(values, level):
    """Bounds of the mean: SciPy's BCa, many resamples, so that the draw hardly matters."""
    result = stats.bootstrap((np.array(values),), np.mean, confidence_level=level, n_resamples=200_000,
                             method="BCa", random_state=np.random.default_rng(1))
    return result.confidence_interval.low, result.confidence_interval.high, result.standard_error


def bca_quantiles(values):
    """Bounds of quantiles of single values, as SciPy's BCa finds them, with the standard error of each."""
    out = []
    for q in (0.1, 0.5, 0.9):
        result = stats.bootstrap((np.array(values),), lambda x, axis: np.quantile(x, q, axis=axis), n_resamples=100_000,
                                 confidence_level=0.95, method="BCa", random_state=np.random.default_rng(2))
        low, high = result.confidence_interval
        out.append({"q": q, "low": low, "high": high, "standard_error": result.standard_error})
    return out


rng = np.random.default_rng(20)
skewed = np.round(rng.exponential(1.0, 60), 3).tolist()
small = np.round(rng.normal(0.2, 1.0, 12), 3).tolist()
flips = np.round(rng.normal(0.12, 0.3, 14), 3)
margins = np.round(rng.normal(0.05, 0.2, 400), 4).tolist()
observed = abs(flips.sum())
signs = np.array(np.meshgrid(*[[-1, 1]] * len(flips))).reshape(len(flips), -1)
document = {
    "mcnemar": [{"lost": a, "gained": b, "p": mcnemar(a, b)}
                for a, b in [(0, 0), (1, 0), (5, 1), (10, 10), (30, 12), (3, 40), (400, 350), (2000, 2300)]],
    "tango": [dict(zip(("lost", "gained", "n", "z", "low", "high"), (a, b, n, z, *tango(a, b, n, z))))
              for a, b, n in [(0, 1, 10), (3, 10, 50), (12, 2, 44), (40, 45, 1000), (120, 60, 2000)]
              for z in (1.6448536269514722, 1.959963984540054)],
    "bca": [dict(zip(("values", "level", "low", "high", "standard_error"), (v, level, *bca(v, level))))
            for v in (skewed, small) for level in (0.9, 0.95)],
    "bca_quantiles": {"values": margins, "intervals": bca_quantiles(margins)},
    "sign_flip": {"differences": flips.tolist(),
                  "p": float(np.mean(np.abs(signs.T @ flips) >= observed - 1e-12))},
}
print(json.dumps(document, indent=1))
