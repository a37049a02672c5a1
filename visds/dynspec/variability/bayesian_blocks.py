"""Bayesian blocks: the constant pieces that describe a light curve best (Scargle et al. 2013)."""

import math
from dataclasses import dataclass

import numba
import numpy as np

from visds.dynspec.variability.measured import Measured


@dataclass(frozen=True, eq=False)
class Blocks:
    """The blocks (K) of a light curve, in time order.

    Attributes
    ----------
    first, number : (K) place of a block's first measurement, and how many it holds
    start, stop : (K) MJD UTC, outer edges of the first and the last integration; a gap in the data
        between two blocks belongs to neither
    flux_density, error : (K) Jy, weighted mean and its standard error, of these blocks
    reduced_chi_squared : (K) of the measurements about it; NaN of a single one
    """

    first: np.ndarray
    number: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    flux_density: np.ndarray
    error: np.ndarray
    reduced_chi_squared: np.ndarray

    def __len__(self) -> int:
        """Return the number K of blocks."""
        return len(self.first)


def bayesian_blocks(measured: Measured, false_alarm_probability: float = 0.05) -> Blocks:
    """Return the blocks of a light curve's measurements.

    Of all ways to divide the measurements, that with the largest sum over blocks of
    (sum wS)^2 / (2 sum w) - c, w = 1/sigma^2: the fitness of point measurements of Scargle et al.
    (2013, ApJ 764, 167, eq. 41) less the price c of a block. c is such that a constant source has
    more than one block with the probability `false_alarm_probability`; see `price`.
    """
    first = block_starts(measured.values, measured.sigma, false_alarm_probability)
    number = np.diff(np.append(first, len(measured)))
    if not len(first):
        return Blocks(first, number, *(np.zeros(0) for _ in range(5)))
    last = first + number - 1
    w = measured.sigma**-2.0
    total = np.add.reduceat(w, first)
    mean = np.add.reduceat(w * measured.values, first) / total
    chi = np.add.reduceat(w * (measured.values - np.repeat(mean, number)) ** 2, first)
    half = measured.integration / 86400 / 2
    return Blocks(first, number, (measured.time - half)[first], (measured.time + half)[last],
                  mean, 1 / np.sqrt(total),
                  np.where(number > 1, chi / np.maximum(number - 1, 1), np.nan))


def block_starts(values: np.ndarray, sigma: np.ndarray,
                 false_alarm_probability: float = 0.05) -> np.ndarray:
    """Return the places at which the blocks of values (N) with errors (N) begin, the first is 0."""
    if not len(values):
        return np.zeros(0, int)
    w = np.asarray(sigma, float) ** -2.0
    away = values - np.sum(w * values) / np.sum(w)
    return _starts(w * away, w, price(len(values), false_alarm_probability))


def price(number: int, false_alarm_probability: float) -> float:
    """Return the price c of a block of `number` measurements of Gaussian errors.

    Fitted to simulations of 4 to 4096 measurements of equal errors (benchmarks/bayesian_blocks.py),
    good to a tenth of the probability from 0.2 to 0.002; of fewer measurements, and of unequal
    errors, false alarms are rarer. The prior that Scargle et al. give for counted events has other
    false alarms.
    """
    log_number, log_p = math.log(max(number, 4)), math.log(false_alarm_probability)
    return sum(factor * log_number**i * log_p**j for (i, j), factor in _PRICE.items())


_PRICE = {(0, 0): -0.2179, (1, 0): 0.5717, (-1, 0): -0.5004, (0, 1): -1.1071, (1, 1): 0.0471,
          (-1, 1): 0.3373, (0, 2): 0.0152}
"""Factors of powers (of ln N, of ln p) in the price of a block."""


@numba.njit("i8[:](f8[:],f8[:],f8)", cache=True, nogil=True, error_model="numpy")
def _starts(wx, w, price):
    """Return where the blocks of the best division begin; sums wx and weights w of samples (N)."""
    N = len(w)
    sums, weights = np.zeros(N + 1), np.zeros(N + 1)
    for i in range(N):
        sums[i + 1] = sums[i] + wx[i]
        weights[i + 1] = weights[i] + w[i]
    best, before = np.zeros(N + 1), np.zeros(N + 1, np.int64)
    candidates, held = np.empty(N + 1, np.int64), 0
    fitness = np.empty(N + 1)
    for j in range(1, N + 1):
        candidates[held] = j - 1
        held += 1
        best[j] = -np.inf
        for k in range(held):
            i = candidates[k]
            total = sums[j] - sums[i]
            fitness[k] = best[i] + total * total / (2 * (weights[j] - weights[i]))
            if fitness[k] - price > best[j]:
                best[j] = fitness[k] - price
                before[j] = i
        # A division never lowers the fitness, so what is behind by a price stays behind
        # (Killick, Fearnhead & Eckley 2012, JASA 107, 1590).
        kept = 0
        for k in range(held):
            if fitness[k] >= best[j]:
                candidates[kept] = candidates[k]
                kept += 1
        held = kept
    starts, number, j = np.empty(N, np.int64), 0, N
    while j > 0:
        j = before[j]
        starts[number] = j
        number += 1
    return starts[:number][::-1].copy()
