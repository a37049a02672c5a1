"""The noise that a detection is measured against, from the data's own imaginary part.

The standard error of a cell comes from the weights or from the scatter across baselines. What
these do not know shows in the imaginary part, which holds no flux density of a point source at the
target: more scatter than the errors say (of the whole spectrum, of a channel, of wide boxes).
Such an excess is taken over only where it is significant, for else the estimate's own noise would
be mistaken for it in every other channel. Two errors do not average down over channels and
integrations, and are kept apart as `coherent`: the gain error times the quiescent flux density,
and the change of the mean over baselines that a resolved source makes as they rotate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visds.dynspec.detection import matched_filter
from visds.dynspec.detection.matched_filter import Boxes
from visds.dynspec.dynamic_spectrum import DynamicSpectrum

MAD_TO_SIGMA = 1.4826
# Squares count up to (3 sigma)^2, whose mean is then 0.9950 sigma^2 for Gaussian numbers; the
# standard error of the scatter of n of them is 0.69 / sqrt(n).
CLIP, CLIPPED_MEAN, SCATTER_ERROR = 3.0, 0.9950, 0.69
# How many of its own errors an excess of scatter must have to be taken for real.
EXCESS = 2.5
# A smaller share of changing noise in the variance across baselines means structure.
MOSTLY_STRUCTURE = 0.5


@dataclass(frozen=True)
class Plane:
    """One polarization as the matched filter takes it.

    `values` and `imaginary` (T,F) in Jy are zero where `weight` (T,F; Jy-2) is zero, which says
    not to use the cell. `coherent` (T,F; Jy) and `scatter` are those of `MatchedFilter`.
    `inflation` (F) is the factor by which the errors were enlarged.
    """

    values: np.ndarray
    imaginary: np.ndarray
    weight: np.ndarray
    coherent: np.ndarray
    scatter: np.ndarray
    inflation: np.ndarray


def planes(spectrum: DynamicSpectrum, polarizations: Sequence[str], boxes: Boxes, *,
           gain_error: float = 0.0, with_structure: bool = True) -> dict[str, Plane]:
    """Return polarizations of a spectrum with the weights and the errors to search them with.

    Those that the spectrum does not hold, or has nothing unflagged of, are left out. `gain_error`
    is the fraction of the quiescent Stokes I (of the polarization itself where there is no I) by
    which gains may vary in time in all channels together, `with_structure` whether the error that
    a resolved source makes counts. Without a quiescent level taken off both have no meaning and
    are not used.
    """
    spectrum = spectrum.select_polarizations(["I", *polarizations])
    estimates = _Estimates.of(spectrum)
    result = {}
    for p in dict.fromkeys(polarizations):
        if p in spectrum.polarizations:
            steady = spectrum.index("I" if "I" in spectrum.polarizations else p)
            found = _plane(estimates, spectrum.index(p), steady, boxes, gain_error,
                           with_structure)
            if found.weight.any():
                result[p] = found
    return result


@dataclass(frozen=True)
class _Estimates:
    """What a dynamic spectrum computes (T,F,P), computed once; its scans and times (T)."""

    values: np.ndarray
    imaginary: np.ndarray
    sigma: np.ndarray
    formal: np.ndarray
    empirical: np.ndarray
    count: np.ndarray
    scan: np.ndarray
    time: np.ndarray

    @classmethod
    def of(cls, spectrum: DynamicSpectrum) -> "_Estimates":
        return cls(spectrum.flux_density, spectrum.residual, spectrum.sigma,
                   spectrum.sigma_formal, spectrum.sigma_empirical, spectrum.count,
                   spectrum.scan, spectrum.time)


def _plane(estimates: _Estimates, index: int, steady: int, boxes: Boxes, gain_error: float,
           with_structure: bool) -> Plane:
    values, imaginary = estimates.values[..., index], estimates.imaginary[..., index]
    count = estimates.count[..., index]
    sigma = steady_errors(estimates.sigma[..., index], estimates.formal[..., index], count,
                          imaginary)
    good = np.isfinite(values) & np.isfinite(sigma) & (sigma > 0)
    weight = np.divide(1, sigma**2, out=np.zeros(sigma.shape), where=good)
    values, imaginary = np.where(good, values, 0), np.where(good, imaginary, 0)
    inflation = channel_inflation(normalized(imaginary, weight, boxes))
    weight = weight / inflation**2
    scatter = box_scatter(imaginary, weight, boxes)
    coherent = np.zeros(weight.shape)
    if boxes.quiescent != "none":
        level = _level(np.nan_to_num(estimates.values[..., steady]), weight, boxes)
        coherent = gain_error * np.abs(level)
        if with_structure:
            empirical = estimates.empirical[..., index]
            coherent = np.hypot(coherent, structure_error(
                np.where(good, empirical, np.nan), imaginary, count,
                estimates.scan, estimates.time))
    return Plane(values, imaginary, weight, coherent, scatter, inflation)


def steady_errors(errors: np.ndarray, formal: np.ndarray, count: np.ndarray,
                  imaginary: np.ndarray) -> np.ndarray:
    """Return standard errors (T,F) in Jy freed of their own noise.

    An error from few baselines is noisy, and weights made from it favour the cells whose error is
    too small by chance. Hence the error of a channel is its mean over time, shared out as the
    formal error goes; a cell keeps its own only where that is significantly larger. Where neither
    baselines nor weights give an error, the scatter of the channel's imaginary part stands in.

    Parameters
    ----------
    errors, formal : (T,F) arrays
        The spectrum's standard error and the formal one, in Jy.
    count : (T,F) array
        Number of visibilities.
    imaginary : (T,F) array
        Imaginary part in Jy.
    """
    lacking = ~np.isfinite(errors)
    ratio = np.divide(errors, formal, out=np.full(errors.shape, np.nan), where=~lacking)
    typical = _median(ratio)
    ratio_2 = np.where(ratio < 2 * typical, ratio, np.nan) ** 2
    mean = _mean(ratio_2)
    stand_in = MAD_TO_SIGMA * _median(np.abs(imaginary / formal - _median(imaginary / formal)))
    scale = np.where(np.isfinite(mean), np.sqrt(mean), stand_in)
    steady = scale * formal
    tolerance = 1 + 3 / (2 * np.sqrt(np.maximum(count - 1, 1)))
    return np.where(~lacking & (errors > tolerance * steady), errors, steady)


def normalized(imaginary: np.ndarray, weight: np.ndarray, boxes: Boxes) -> np.ndarray:
    """Return the imaginary part less its quiescent level, in sigma (T,F).

    The variance that the level takes away with it is given back. NaN where a cell has no weight,
    or is all that the level was made of.
    """
    level, total = boxes.levels(imaginary, weight)
    result = np.full(imaginary.shape, np.nan)
    for i, scan in enumerate(boxes.scans):
        w = weight[scan]
        share = np.divide(w, total[i], out=np.ones(w.shape), where=total[i] > 0)
        free = np.sqrt(np.maximum(1 - share, 0))
        difference = (imaginary[scan] - level[i]) * np.sqrt(w)
        np.divide(difference, free, out=result[scan], where=(free > 1e-3) & (w > 0))
    return result


def channel_inflation(noise: np.ndarray) -> np.ndarray:
    """Return the factor (F) that brings each channel's errors up to the scatter of `noise` (T,F).

    `noise` is in units of the errors, NaN where there is none: the factor is max(1, sigma_3 /
    sigma_1). First the whole spectrum, then halves, quarters ... down to single channels, each of
    which is taken to scatter as what it is a part of unless it differs significantly: wide
    excesses are known well.
    """
    T, F = noise.shape
    factor = np.ones(F)
    squares = np.ascontiguousarray(noise.T) ** 2
    width = 2 ** (matched_filter.width_class(F) + 1)
    while width >= 1:
        parts = -(-F // width)
        scaled = np.full((parts * width, T), np.nan)
        np.divide(squares, factor[:, None] ** 2, out=scaled[:F])
        here = significant(*matched_filter.clipped_rows(
            scaled.reshape(parts, width * T), CLIP, CLIPPED_MEAN))
        factor *= np.repeat(here, width)[:F]
        width //= 2
    return np.maximum(factor, 1)


def clipped_scatter(squares: np.ndarray) -> np.ndarray:
    """Return the scatter (N) of numbers of mean zero whose squares (M,N) are given; NaN left out.

    The root of the mean of the squares, of which none counts for more than that of 3 times the
    scatter itself: a few outliers weigh little. NaN of nothing.
    """
    return matched_filter.clipped_rows(np.ascontiguousarray(squares.T), CLIP, CLIPPED_MEAN)[0]


def box_scatter(imaginary: np.ndarray, weight: np.ndarray, boxes: Boxes) -> np.ndarray:
    """Return how much more boxes of each size scatter than weights say, from the imaginary part.

    Noise that neighbouring cells share, as the sidelobes of other sources, does not average down
    as white noise does. Where boxes of a size are too few to tell, the factor of the next
    smaller is kept; never below one. Indexed by `matched_filter.width_class`.
    """
    factors = np.ones(boxes.scatter_shape())
    for a, b, values in matched_filter.disjoint(imaginary, weight, boxes):
        if len(values) >= 16:
            factors[a, b] = significant(clipped_scatter(values[:, None] ** 2)[0], len(values))
    return np.maximum.accumulate(np.maximum.accumulate(np.maximum(factors, 1), axis=0), axis=1)


def structure_error(sigma: np.ndarray, imaginary: np.ndarray, count: np.ndarray,
                    scan: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return the error (F) in Jy by which a structure of the source may move the mean.

    Where most of the scatter across baselines stays the same from one integration to the next,
    the baselines see different amplitudes: the source is resolved. Their weighted mean then
    changes as they rotate, in all channels alike, by that scatter over the root of how many are
    independent: not the N (N - 1) / 2 baselines, of which many lie side by side, but N - 1.
    They see something else when the Earth has turned by a radian; of a shorter observation the
    error is that share. Zero for a point source.

    Parameters
    ----------
    sigma : (T,F) array
        Standard error from the scatter across baselines, in Jy; NaN where flagged.
    imaginary : (T,F) array
        Imaginary part in Jy.
    count : (T,F) array
        Number of visibilities.
    scan, time : (T) arrays
        Scan numbers, and MJD in d.
    """
    none = np.zeros(sigma.shape[1])
    same_scan = np.diff(scan)[:, None] == 0
    error = np.where(same_scan, np.hypot(sigma[1:], sigma[:-1]), np.nan)
    changes = np.divide(np.diff(imaginary, axis=0), error,
                        out=np.full(error.shape, np.nan), where=error > 0)
    if np.isfinite(changes).sum() < 16:
        return none
    thermal = float(clipped_scatter(changes.reshape(-1, 1) ** 2)[0]) ** 2
    if thermal > MOSTLY_STRUCTURE:
        return none
    count = _median(np.where(np.isfinite(sigma), count, np.nan))
    antennas = (1 + np.sqrt(1 + 8 * count)) / 2
    turned = min(1.0, 2 * np.pi * float(np.ptp(time)))
    return turned * np.nan_to_num(
        _median(sigma) * np.sqrt((1 - thermal) * count / (antennas - 1)))


def significant(scatter: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return the scatters of `number` values each, as 1 where that is within their error.

    NaN, the scatter of nothing, becomes 1.
    """
    error = SCATTER_ERROR / np.sqrt(np.maximum(number, 1))
    return np.where(np.abs(np.nan_to_num(scatter, nan=1.0) - 1) > EXCESS * error, scatter, 1.0)


def _level(values: np.ndarray, weight: np.ndarray, boxes: Boxes) -> np.ndarray:
    """Return the quiescent level at every cell (T,F)."""
    level, _ = boxes.levels(values, weight)
    result = np.zeros(weight.shape)
    for i, scan in enumerate(boxes.scans):
        result[scan] = level[i]
    return result


def _median(values: np.ndarray) -> np.ndarray:
    """Return the median along the first axis of the values that are not NaN; NaN of none."""
    # Sorted along the axis that is contiguous, which is faster.
    ordered = np.sort(np.ascontiguousarray(values.T), axis=-1).T
    number = np.isfinite(values).sum(0)
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    low, high = np.maximum(number - 1, 0) // 2, np.minimum(number // 2, len(values) - 1)
    pick = np.take_along_axis(ordered, np.stack([low, high]).reshape(2, *number.shape), axis=0)
    return np.where(number > 0, pick.mean(0), np.nan)


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean along the first axis of the values that are not NaN; NaN of none."""
    number = np.isfinite(values).sum(0)
    total = np.nansum(values, axis=0)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
