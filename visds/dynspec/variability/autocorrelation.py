"""The two-dimensional autocorrelation of a dynamic spectrum, and how wide its peak is.

Scintles, and bursts, have a width in time and one in frequency, and where they drift, a slope. With
cells of flux density d about the mean level, of weight w, the correlation at a lag is
sum(w w' d d') / sum(w w') over all pairs of cells that far apart, so that flagged cells, gaps and
unequal noise leave it right (Cordes 1986, ApJ 311, 183).
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import fft, optimize
from scipy.ndimage import label

from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.variability.settings import LEVELS

LONG_GAP = 3600.0
"""s: cells farther apart than a gap as long as this are not correlated, as those of two nights."""
FILLING = 0.2
"""Share of scintles among cells as large as their widths, eta of Cordes (1986)."""
_REACH = 1.5
"""Half-widths (1/e) of the peak to which its shape is fitted."""
_TRIES = 8
"""Most fits, each to the lags that are within reach of the one before."""


@dataclass(frozen=True, eq=False)
class Autocorrelation:
    """The autocorrelation of flux densities at lags in time (L) and frequency (K) of either sign.

    A positive lag is to later times and to higher frequencies; values at opposite lags are equal.

    Attributes
    ----------
    time_lag : (L) s, ascending
    frequency_lag : (K) Hz, ascending
    correlation : (L,K) Jy^2, NaN where no pair of cells is so far apart; with the noise at zero lag
    pairs : (L,K) effective number of pairs of cells, (sum w w')^2 / sum (w w')^2
    noise : Jy^2, the part of the correlation at zero lag that the errors of the cells explain
    duration, bandwidth : s and Hz, all time and all frequency that cells cover
    """

    time_lag: np.ndarray
    frequency_lag: np.ndarray
    correlation: np.ndarray
    pairs: np.ndarray
    noise: float
    duration: float
    bandwidth: float

    @property
    def zero(self) -> tuple[int, int]:
        """The place (L, K) of zero lag."""
        return len(self.time_lag) // 2, len(self.frequency_lag) // 2


@dataclass(frozen=True)
class PeakShape:
    """The Gaussian A exp(-(C1 f^2 + C2 f t + C3 t^2)) fitted to an autocorrelation's peak.

    NaN where it cannot be told. Errors named `_error` are by noise; `finite_scintle_error` is the
    fraction of the widths by which one stretch of a pattern differs from another (of the slope, in
    units of the ratio of the 1/e widths), and does not concern a single burst.

    Attributes
    ----------
    amplitude, amplitude_error : Jy^2, the variance of the pattern without noise
    time_width, time_width_error : s, lag at which the correlation in one channel falls to 1/e
    frequency_width, frequency_width_error : Hz, lag at which that of one time falls to 1/2
    time_slope, time_slope_error : s/Hz, dt/df = -C2 / (2 C3): by how much a pattern is later at
        higher frequencies
    drift_rate, drift_rate_error : Hz/s, df/dt = -C2 / (2 C1): how fast the frequency moves at which
        it is brightest; the two are inverse to each other only where it is narrow across the drift
    scintles : number of independent ones in the data
    finite_scintle_error : fraction
    """

    amplitude: float = np.nan
    amplitude_error: float = np.nan
    time_width: float = np.nan
    time_width_error: float = np.nan
    frequency_width: float = np.nan
    frequency_width_error: float = np.nan
    time_slope: float = np.nan
    time_slope_error: float = np.nan
    drift_rate: float = np.nan
    drift_rate_error: float = np.nan
    scintles: float = np.nan
    finite_scintle_error: float = np.nan


def spectrum_autocorrelation(spectrum: DynamicSpectrum, polarization: str, *,
                             level: str = "line") -> Autocorrelation:
    """Return the autocorrelation of one polarization of a dynamic spectrum; see `autocorrelation`.

    Raises
    ------
    ValueError
        If the spectrum does not hold the polarization, or has no cell of it.
    """
    return autocorrelation(spectrum.values(polarization), spectrum.errors(polarization),
                           spectrum.time * 86400, spectrum.frequency, level=level)


def autocorrelation(values: np.ndarray, sigma: np.ndarray, time: np.ndarray,
                    frequency: np.ndarray, *, level: str = "line", is_isolated: bool = False,
                    longest_lags: tuple[float, float] | None = None) -> Autocorrelation:
    """Return the autocorrelation of flux densities (T,F) with errors (T,F), in Jy.

    Cells are put on a grid of the usual steps; those that are NaN, or without a positive error,
    take no part. Weights are 1/sigma^2.

    Parameters
    ----------
    values, sigma : (T,F) Jy
    time : (T) s
    frequency : (F) Hz, ascending
    level : str
        What is taken from the values first: ``line``, the straight line in frequency that fits all
        cells, and so the level and the slope of a steady source; ``channel``, the mean of each
        channel, and so any steady spectrum, at the cost of patterns that last as long as the data;
        ``none``.
    is_isolated : bool
        The cells hold one event with nothing around it, not a part of a pattern that goes on: lags
        are then not made good for the pairs that reach beyond the edges of the data.
    longest_lags : pair of float, optional
        In s and Hz; by default half of the longest stretch without an hour's gap, and half of the
        bandwidth.

    Raises
    ------
    ValueError
        If no cell can be used, or the level is none of these.
    """
    good = np.isfinite(values) & np.isfinite(sigma) & (sigma > 0)
    if not good.any():
        raise ValueError("no cell of the spectrum has a flux density with an error")
    weight = np.where(good, np.where(good, sigma, 1.0) ** -2.0, 0.0)
    weight /= weight.max()
    away = np.where(good, values, 0.0)
    away = np.where(good, away - _level(away, weight, frequency, level), 0.0)
    time_step, frequency_step = _step(time), _step(frequency)
    stretches = _stretches(time, max(LONG_GAP, 2 * time_step))
    windows = _stretches(frequency, max(len(frequency) * frequency_step, 2 * frequency_step))
    bandwidth = frequency_step * int(good.any(0).sum())
    duration = time_step * int(good.any(1).sum())
    longest = longest_lags or (
        max(np.ptp(time[one]) for one in stretches) / 2, bandwidth / 2)
    L, K = (max(1, int(lag / step + 1e-6))
            for lag, step in zip(longest, (time_step, frequency_step), strict=True))
    sums = np.zeros((4, 2 * L + 1, 2 * K + 1))
    for t in stretches:
        for f in windows:
            sums += _lagged_sums(away[np.ix_(t, f)], weight[np.ix_(t, f)],
                                 _places(time[t], time_step), _places(frequency[f], frequency_step),
                                 L, K)
    products, weights, squares, cells = sums
    # Sums by Fourier transforms are not quite zero where there is no pair.
    has_pairs = weights > 1e-9 * weights.max()
    correlation = np.where(has_pairs, products / np.where(has_pairs, weights, 1.0), np.nan)
    pairs = np.where(has_pairs, weights**2 / np.where(has_pairs, squares, 1.0), 0.0)
    if is_isolated:
        inside = cells / cells.max()
        correlation, pairs = correlation * inside, pairs / np.maximum(inside, 1e-9) ** 2
    noise = float(np.sum(weight[good] ** 2 * sigma[good] ** 2) / np.sum(weight[good] ** 2))
    return Autocorrelation(np.arange(-L, L + 1) * time_step,
                           np.arange(-K, K + 1) * frequency_step, correlation, pairs, noise,
                           duration, bandwidth)


def peak_shape(measured: Autocorrelation, least_snr: float = 5.0) -> PeakShape:
    """Return the Gaussian fitted to the peak of an autocorrelation, zero lag left out.

    Noise of the cells is alone at zero lag. What is fitted is the peak around it, to 1.5 of its
    half-widths. All is NaN where the peak is not `least_snr` above its error or is narrower than a
    cell, and so is a width that is larger than the lags.
    """
    L, K = measured.zero
    t_step, f_step = measured.time_lag[L + 1], measured.frequency_lag[K + 1]
    start = _first_shape(measured)
    if start is None:
        return PeakShape()
    t = measured.time_lag[:, None] / t_step
    f = measured.frequency_lag[None, :] / f_step
    usable = measured.pairs > 1
    usable[L, K] = False
    # Opposite lags are the same pairs.
    usable[:L] = usable[L, :K] = False
    fitted = start
    for _ in range(_TRIES):
        reach = fitted[1] * f**2 + fitted[2] * f * t + fitted[3] * t**2
        inside = usable & (reach < _REACH**2)
        if inside.sum() < 5:
            return PeakShape()
        x = np.broadcast_to(f, inside.shape)[inside], np.broadcast_to(t, inside.shape)[inside]
        try:
            with warnings.catch_warnings():
                # Of its covariance, which is not used.
                warnings.simplefilter("ignore", optimize.OptimizeWarning)
                new = optimize.curve_fit(_gaussian, x, measured.correlation[inside], fitted,
                                         1 / np.sqrt(measured.pairs[inside]), maxfev=2000)[0]
        except RuntimeError:
            return PeakShape()
        # Along its drift a burst wider than the band may fall by nothing, and by noise rise.
        if not (new[0] > 0 and new[1] > 0 and new[3] > 0):
            return PeakShape()
        has_moved = np.any(np.abs(new - fitted) > 1e-3 * np.abs(new) + 1e-9)
        fitted = new
        if not has_moved:
            break
    covariance = _covariance(measured, fitted, inside, t, f)
    if fitted[0] < least_snr * np.sqrt(covariance[0, 0]):
        return PeakShape()
    return _shape(measured, fitted, covariance, t_step, f_step)


def _shape(measured: Autocorrelation, fitted: np.ndarray, covariance: np.ndarray, t_step: float,
           f_step: float) -> PeakShape:
    amplitude, c1, c2, c3 = fitted
    error = np.sqrt(np.diag(covariance))
    time_width, frequency_width = t_step / np.sqrt(c3), f_step * np.sqrt(np.log(2) / c1)
    if time_width < t_step or frequency_width < f_step:
        return PeakShape()
    # What is wider than the lags was not seen to fall; the other width and the slope still were.
    has_time, has_frequency = (width <= lags[-1] for width, lags in (
        (time_width, measured.time_lag), (frequency_width, measured.frequency_lag)))
    slope, rate = -c2 / (2 * c3), -c2 / (2 * c1)
    slope_error = _propagated(covariance, [0, 0, -1 / (2 * c3), c2 / (2 * c3**2)])
    rate_error = _propagated(covariance, [0, c2 / (2 * c1**2), -1 / (2 * c1), 0])
    scintles = ((1 + FILLING * measured.duration / time_width)
                * (1 + FILLING * measured.bandwidth / frequency_width))
    return PeakShape(
        float(amplitude), float(error[0]),
        *_given(has_time, time_width, error[3] / (2 * c3)),
        *_given(has_frequency, frequency_width, error[1] / (2 * c1)),
        float(slope * t_step / f_step), slope_error * t_step / f_step,
        float(rate * f_step / t_step), rate_error * f_step / t_step,
        float(scintles), float(1 / (2 * np.log(2) * np.sqrt(scintles))))


def _given(is_given: bool, width: float, relative_error: float) -> tuple[float, float]:
    return (float(width), float(width * relative_error)) if is_given else (np.nan, np.nan)


def _covariance(measured: Autocorrelation, fitted: np.ndarray, inside: np.ndarray, t: np.ndarray,
                f: np.ndarray) -> np.ndarray:
    """Return the covariance (4,4), by noise, of the parameters fitted to the lags `inside` (L,K).

    With noise of variance n in cells and a pattern of autocorrelation C, correlations of N pairs
    at the lags a and b have the covariance (n^2 delta_ab + 2 n (C(a - b) + C(a + b))) / N.
    """
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    L, K = measured.zero
    reach = [max(abs(places - zero).max(), 1)
             for places, zero in zip((rows, columns), (L, K), strict=True)]
    box = tuple(slice(zero - one, zero + one + 1) for zero, one in zip((L, K), reach, strict=True))
    t, f, inside, pairs = t[box[0]], f[:, box[1]], inside[box], measured.pairs[box]
    amplitude, c1, c2, c3 = fitted
    peak = np.exp(-(c1 * f**2 + c2 * f * t + c3 * t**2))
    slopes = np.stack([peak, *(-amplitude * peak * term for term in
                               (f**2 + 0 * t, f * t, t**2 + 0 * f))])
    weighted = np.where(inside, pairs, 0.0) * slopes
    inverse = np.linalg.inv(np.einsum("ptf,qtf->pq", weighted, slopes))
    lag_t = np.arange(-2 * reach[0], 2 * reach[0] + 1)[:, None]
    lag_f = np.arange(-2 * reach[1], 2 * reach[1] + 1)[None, :]
    pattern = 2 * measured.noise * np.minimum(_gaussian((lag_f, lag_t), *fitted), amplitude)
    seen = weighted / np.sqrt(np.where(pairs > 0, pairs, 1.0))
    both = [one + one[::-1, ::-1] for one in seen]
    from scipy import signal  # takes a second to import

    spread = np.stack([signal.fftconvolve(pattern, one, "valid") for one in both])
    spread += measured.noise**2 * seen
    return inverse @ np.einsum("ptf,qtf->pq", seen, spread) @ inverse


def _propagated(covariance: np.ndarray, gradient: list[float]) -> float:
    gradient = np.asarray(gradient)
    return float(np.sqrt(max(gradient @ covariance @ gradient, 0.0)))


def _gaussian(x: tuple[np.ndarray, np.ndarray], amplitude: float, c1: float, c2: float,
              c3: float) -> np.ndarray:
    f, t = x
    # A fit may try a saddle on its way.
    return amplitude * np.exp(np.clip(-(c1 * f**2 + c2 * f * t + c3 * t**2), -50, 5))


def _first_shape(measured: Autocorrelation) -> np.ndarray | None:
    """Return A, C1, C2 and C3 in steps from the part of the peak above half; None without one."""
    L, K = measured.zero
    values = np.where(np.isfinite(measured.correlation), measured.correlation, -np.inf)
    # The lags next to zero, without its noise, tell how high the peak is.
    height = max(values[L + 1, K], values[L, K + 1], values[L + 1, K + 1], values[L + 1, K - 1])
    if not (np.isfinite(height) and height > 0):
        return None
    values = values.copy()
    values[L, K] = height
    member = label(values > height / 2, np.ones((3, 3)))[0]
    inside = member == member[L, K]
    t, f = np.nonzero(inside)
    t, f = t - L, f - K
    # An ellipse of a Gaussian down to 1/2: its second moments are ln 2 / 4 of the inverse form.
    moments = np.array([[np.mean(f * f), np.mean(f * t)], [np.mean(f * t), np.mean(t * t)]])
    moments += np.diag([1 / 12, 1 / 12])
    form = np.linalg.inv(moments) * np.log(2) / 4
    return np.array([height, form[0, 0], 2 * form[0, 1], form[1, 1]])


def _level(values: np.ndarray, weight: np.ndarray, frequency: np.ndarray,
           level: str) -> np.ndarray | float:
    """Return what is subtracted (T,F or F) from values (T,F) of a weight (T,F)."""
    if level not in LEVELS:
        raise ValueError(f"'{level}' is not a level, one of {', '.join(LEVELS)}")
    if level == "none":
        return 0.0
    total = weight.sum(0)
    means = np.sum(weight * values, 0) / np.where(total > 0, total, 1.0)
    if level == "channel":
        return means
    x = frequency - np.average(frequency, weights=total)
    steepness = np.sum(total * x * x)
    slope = np.sum(total * x * means) / steepness if steepness > 0 else 0.0
    return np.average(means, weights=total) + slope * x


def _step(positions: np.ndarray) -> float:
    """Return the usual distance between neighbours."""
    steps = np.diff(np.unique(positions))
    return float(np.median(steps)) if len(steps) else 1.0


def _stretches(positions: np.ndarray, longest_gap: float) -> list[np.ndarray]:
    """Return the indices of the positions in runs without a gap longer than `longest_gap`."""
    order = np.argsort(positions, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(positions[order]) > longest_gap) + 1)


def _places(positions: np.ndarray, step: float) -> np.ndarray:
    return np.round((positions - positions.min()) / step).astype(int)


def _lagged_sums(away: np.ndarray, weight: np.ndarray, row: np.ndarray, column: np.ndarray,
                 L: int, K: int) -> np.ndarray:
    """Return sums over pairs at lags to +-L and +-K, (4,2L+1,2K+1).

    Of w w' d d', w w' and (w w')^2, and the number of pairs if no cell were missing.
    """
    grid = np.zeros((3, row.max() + 1, column.max() + 1))
    place = np.ix_(row, column)
    for plane, cells in zip(grid, (weight * away, weight, weight**2), strict=True):
        np.add.at(plane, place, cells)
    padded = [fft.next_fast_len(size + min(lag, size), real=True)
              for size, lag in zip(grid.shape[1:], (L, K), strict=True)]
    sums = np.zeros((4, 2 * L + 1, 2 * K + 1))
    near, far = (min(lag, size - 1) for lag, size in zip((L, K), grid.shape[1:], strict=True))
    t, f = np.arange(-near, near + 1), np.arange(-far, far + 1)
    here = np.ix_(t + L, f + K)
    for plane, result in zip(grid, sums[:3], strict=True):
        lagged = fft.irfft2(np.abs(fft.rfft2(plane, padded)) ** 2, padded)
        result[here] = lagged[np.ix_(t, f)]
    sums[3][here] = np.outer(grid.shape[1] - np.abs(t), grid.shape[2] - np.abs(f))
    return sums
