"""The price of a Bayesian block by number of points and false-alarm probability, by simulation.

Usage: python benchmarks/bayesian_blocks.py [REALIZATIONS]

For each number N of measurements of a constant source the price is found, realization by
realization, below which it would be divided; the quantiles of that are the prices for the
false-alarm probabilities. Prints them, the polynomial in ln N and ln p that is fitted to them, and
how far off its false alarms are. The factors stand in visds/dynspec/variability/bayesian_blocks.py.
"""

import sys

import numba
import numpy as np

from visds.dynspec.variability import bayesian_blocks

PROBABILITIES = np.array([0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002])
NUMBERS = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
POWERS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (-1, 0), (-1, 1))


@numba.njit(cache=True)
def gain(x):
    """Return the largest gain, a block more, of any two or three blocks over one."""
    N = len(x)
    sums = np.zeros(N + 1)
    for i in range(N):
        sums[i + 1] = sums[i] + x[i]
    whole, best = sums[N] ** 2 / (2 * N), 0.0
    for i in range(N):
        for j in range(i + 1, N + 1):
            if j - i == N:
                continue
            fitness = (sums[j] - sums[i]) ** 2 / (2 * (j - i))
            blocks = 0
            if i > 0:
                fitness += sums[i] ** 2 / (2 * i)
                blocks += 1
            if j < N:
                fitness += (sums[N] - sums[j]) ** 2 / (2 * (N - j))
                blocks += 1
            best = max(best, (fitness - whole) / blocks)
    return best


def threshold(x):
    """Return the lowest price at which values x (N) of error 1 are one block."""
    low = gain(x)
    one = np.ones_like(x)
    for step in range(40):
        if len(bayesian_blocks._starts(x, one, low * (1 + 1e-9) + 1e-12)) == 1:
            return low
        low += 0.01 * (step + 1)  # more than three blocks, rarely
    return low


def main(realizations):
    rng = np.random.default_rng(1)
    prices, rows = {}, []
    for N in NUMBERS:
        number = max(1000, int(realizations * min(1.0, 512 / N)))
        found = [threshold(x - x.mean()) for x in rng.standard_normal((number, N))]
        prices[N] = np.sort(found)
        quantiles = np.quantile(found, 1 - PROBABILITIES)
        rows += [(np.log(N), np.log(p), c, np.sqrt(p * number))
                 for p, c in zip(PROBABILITIES, quantiles, strict=True)]
        print(f"N = {N:5d}, {number} realizations:",
              "  ".join(f"{p:g}: {c:.3f}" for p, c in zip(PROBABILITIES, quantiles, strict=True)),
              flush=True)
    x, y, c, weight = np.array(rows).T
    terms = np.stack([x ** float(i) * y**j for i, j in POWERS], 1)
    factors = np.linalg.lstsq(terms * weight[:, None], c * weight, rcond=None)[0]
    print({power: round(float(f), 5) for power, f in zip(POWERS, factors, strict=True)})
    for N, found in prices.items():
        fitted = [sum(f * np.log(N) ** float(i) * np.log(p) ** j
                      for (i, j), f in zip(POWERS, factors, strict=True)) for p in PROBABILITIES]
        rate = [np.mean(found > price) for price in fitted]
        print(f"N = {N:5d}, false alarms asked for and found:",
              "  ".join(f"{p:g}: {r:.4f}" for p, r in zip(PROBABILITIES, rate, strict=True)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20000)
