"""Fits the rational function of `core/src/kernels/gelu.rs`: erf(x / sqrt 2) = x P(x^2) / Q(x^2) up to LIMIT.

    python tests/reference/erf.py        # needs numpy and scipy

Lawson's iteration: weighted least squares, weights raised where the error is large, until the largest error is least.
Prints the coefficients as f32, lowest power first, and the errors of the function computed in f32.
"""

import numpy as np
from scipy.special import erf

LIMIT = 5.6
TOP, BOTTOM = 6, 4


def fit():
    x = (np.cos(np.linspace(0, np.pi, 4001)) + 1) / 2 * LIMIT
    x = x[x > 1e-3]
    want, u = erf(x / np.sqrt(2)) / x, (x / LIMIT) ** 2
    relative, below, weights = 1 / want, np.ones_like(x), np.ones_like(x)
    for _ in range(300):
        w = relative * np.sqrt(weights) / np.abs(below)
        columns = [u**i for i in range(TOP + 1)] + [-want * u**i for i in range(1, BOTTOM + 1)]
        c, *_ = np.linalg.lstsq(np.stack(columns, 1) * w[:, None], want * w, rcond=None)
        above = sum(c[i] * u**i for i in range(TOP + 1))
        below = 1 + sum(c[TOP + i] * u**i for i in range(1, BOTTOM + 1))
        error = np.abs((above / below - want) * relative)
        weights *= np.sqrt(error / error.mean()) + 1e-3
        weights /= weights.mean()
    p = [np.float32(c[i] / LIMIT ** (2 * i)) for i in range(TOP + 1)]
    q = [np.float32(1)] + [np.float32(c[TOP + i] / LIMIT ** (2 * i)) for i in range(1, BOTTOM + 1)]
    return p, q


def value(x, p, q):
    x = np.clip(x, -np.float32(LIMIT), np.float32(LIMIT))
    z, above, below = x * x, np.zeros_like(x), np.zeros_like(x)
    for c in reversed(p):
        above = above * z + c
    for c in reversed(q):
        below = below * z + c
    return x * above / below


if __name__ == "__main__":
    p, q = fit()
    print("P", [float(c) for c in p])
    print("Q", [float(c) for c in q])
    x = np.linspace(-12, 12, 2_000_001).astype(np.float32)
    d = x.astype(np.float64)
    got = value(x, p, q)
    print("largest error of erf", np.abs(got - erf(d / np.sqrt(2))).max())
    gelu = np.float32(0.5) * x * (1 + got)
    print("largest error of gelu, as a share of |x|", (np.abs(gelu - d / 2 * (1 + erf(d / np.sqrt(2)))) / np.maximum(np.abs(d), 1e-9)).max())
