"""The structure function: by how much a light curve differs after a time lag, without the noise."""

from dataclasses import dataclass

import numba
import numpy as np

from visds.dynspec.variability.measured import Measured

LAGS_PER_DECADE = 6
_DAY = 86400.0
_LEAST_SNR = 3.0
_LONGEST_FITTED = 0.25
"""Of all lags those up to this part of the span are fitted: longer ones were seen too seldom."""


@dataclass(frozen=True, eq=False)
class StructureFunction:
    """The structure function D of a light curve in bins (K) of time lag.

    Attributes
    ----------
    lag : (K) s, weighted mean of the pairs' lags
    shortest, longest : (K) s, edges of the bins
    value : (K) Jy^2, mean of (S(t + lag) - S(t))^2 less that of noise; negative by chance
    noise_error : (K) Jy^2, standard error by noise of the measurements, at least that of a
        constant source
    sampling_error : (K) Jy^2, by how much the D of one stretch of a Gaussian process differs from
        another's: D sqrt(2 lag / time that the data cover)
    pairs : (K) number of pairs
    slope, slope_error : of the power law fitted to what is significant up to a quarter of the span;
        NaN where that is less than three lags
    """

    lag: np.ndarray
    shortest: np.ndarray
    longest: np.ndarray
    value: np.ndarray
    noise_error: np.ndarray
    sampling_error: np.ndarray
    pairs: np.ndarray
    slope: float
    slope_error: float


def structure_function(measured: Measured) -> StructureFunction:
    """Return the structure function of a light curve, of any sampling and with any gaps.

    D(lag) = sum w ((S_i - S_j)^2 - sigma_i^2 - sigma_j^2) / sum w over the pairs of a bin
    (Simonetti, Cordes & Heeschen 1985, ApJ 296, 46, with the noise of each pair taken off, not a
    mean one), w = (sigma_i^2 + sigma_j^2)^-2. Pairs share measurements, and their noise: the error
    is that of the quadratic form which the sum is. Nothing is interpolated; a lag that no pair
    has, as of a gap, has no bin.
    """
    time = (measured.time - measured.time[0]) * _DAY if len(measured) else np.zeros(0)
    edges = _edges(time)
    if not len(edges):
        return StructureFunction(*(np.zeros(0) for _ in range(6)), np.zeros(0, int), np.nan, np.nan)
    lag, value, variance, pairs = _sums(time, measured.values, measured.sigma**2.0, edges)
    held = pairs > 0
    lag, value, pairs = lag[held], value[held], pairs[held]
    noise = np.sqrt(np.maximum(variance[held], 0))
    covered = _covered(measured)
    sampling = np.maximum(value, 0) * np.sqrt(2 * lag / covered)
    return StructureFunction(lag, edges[:-1][held], edges[1:][held], value, noise, sampling, pairs,
                             *_slope(lag, value, noise, sampling, time[-1]))


def _edges(time: np.ndarray) -> np.ndarray:
    """Return the edges of bins of lag, from the usual step up, evenly on a logarithmic scale."""
    steps = np.diff(time)
    steps = steps[steps > 0]
    if not len(steps):
        return np.zeros(0)
    # Half a step below the usual one, so that rounded times fall inside.
    first = 0.5 * np.median(steps)
    number = max(1, int(np.ceil(LAGS_PER_DECADE * np.log10(time[-1] * 1.001 / first))))
    edges = first * 10 ** (np.arange(number + 1) / LAGS_PER_DECADE)
    edges[-1] = max(edges[-1], time[-1] * 1.001)
    return edges


def _covered(measured: Measured) -> float:
    """Return the time in s that the data cover: gaps of ten usual steps and more not counted."""
    steps = np.diff(measured.time) * _DAY
    usual = np.median(steps[steps > 0])
    return float(np.sum(np.where(steps < 10 * usual, steps, usual)) + usual)


def _slope(lag: np.ndarray, value: np.ndarray, noise: np.ndarray, sampling: np.ndarray,
           span: float) -> tuple[float, float]:
    """Return the slope of log D against log lag, and its error."""
    fitted = (value > _LEAST_SNR * noise) & (lag < _LONGEST_FITTED * span)
    if fitted.sum() < 3:
        return np.nan, np.nan
    x, y = np.log(lag[fitted]), np.log(value[fitted])
    by_noise, by_sampling = noise[fitted] / value[fitted], sampling[fitted] / value[fitted]
    w = 1 / (by_noise**2 + by_sampling**2)
    factors = w * (x - np.average(x, weights=w))
    factors /= factors @ x
    # One stretch has D too high at neighbouring lags together: of a random walk the correlation
    # goes as the root of the ratio of the lags.
    together = np.exp(-0.5 * np.abs(x[:, None] - x)) * np.outer(by_sampling, by_sampling)
    variance = factors @ (together + np.diag(by_noise**2)) @ factors
    return float(factors @ y), float(np.sqrt(variance))


@numba.njit("Tuple((f8[:],f8[:],f8[:],i8[:]))(f8[:],f8[:],f8[:],f8[:])", cache=True, nogil=True,
            error_model="numpy")
def _sums(time, values, variances, edges):
    """Return mean lag, D, its variance by noise and the number of pairs, of each bin of lag.

    D of a bin is x^T M x / W with M the Laplacian of the pairs' weights. Of noise alone its
    variance is 2 tr((M S)^2), S the covariance; with a signal x comes 4 x^T M S M x, less its own
    noise, 4 tr((M S)^2).
    """
    N, K = len(time), len(edges) - 1
    lags, total, weights = np.zeros(K), np.zeros(K), np.zeros(K)
    squares, pairs = np.zeros(K), np.zeros(K, np.int64)
    degree, pull = np.zeros((N, K)), np.zeros((N, K))
    for i in range(N):
        k = 0
        for j in range(i + 1, N):
            lag = time[j] - time[i]
            if lag < edges[0]:
                continue
            while k < K and lag >= edges[k + 1]:
                k += 1
            if k == K:
                break
            noise, difference = variances[i] + variances[j], values[j] - values[i]
            w = 1 / (noise * noise)
            pairs[k] += 1
            weights[k] += w
            lags[k] += w * lag
            total[k] += w * (difference * difference - noise)
            squares[k] += 2 * w * w * variances[i] * variances[j]
            degree[i, k] += w
            degree[j, k] += w
            pull[i, k] -= w * difference
            pull[j, k] += w * difference
    variance = np.zeros(K)
    for k in range(K):
        if pairs[k] == 0:
            continue
        trace, signal = squares[k], 0.0
        for i in range(N):
            trace += (degree[i, k] * variances[i]) ** 2
            signal += variances[i] * pull[i, k] ** 2
        variance[k] = max(4 * signal - 2 * trace, 2 * trace) / weights[k] ** 2
        total[k] /= weights[k]
        lags[k] /= weights[k]
    return lags, total, variance, pairs
