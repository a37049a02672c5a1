"""The noise that a detection is measured against, from the data's own imaginary part.

The standard error of a cell comes from the weights or from the scatter across baselines. What
these do not know shows in the imaginary part, which holds no flux density of a point source at the
target: more scatter than the errors say (of the whole spectrum, of a channel, of wide boxes).
Such an excess is taken over only where it is significant, for else the estimate's own noise would
be mistaken for it in every other channel. Two errors do not average down over channels and
integrations, and are kept apart as `coherent`: the gain error times the quiescent flux density,
and the change of the mean over baselines that a resolved source makes as they rotate.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visds.dynspec.detection.boxes import Boxes, width_class
from visds.dynspec.detection.disjoint import disjoint
from visds.dynspec.detection.scatter import scatter_of, scatters, significant
from visds.dynspec.dynamic_spectrum import DynamicSpectrum

MAD_TO_SIGMA = 1.4826
_SEED = 20220531
# A smaller share of changing noise in the variance across baselines means structure.
MOSTLY_STRUCTURE = 0.5


@dataclass(frozen=True)
class Plane:
    """One polarization as the matched filter takes it.

    `values` and `imaginary` (T,F) in Jy are zero where `weight` (T,F; Jy-2) is zero, which says
    not to use the cell. `coherent` (T,F; Jy) and `scatter` are those of `MatchedFilter`.
    `inflation` (F) is the factor by which the errors were enlarged. `even` (T,F; Jy-2) are weights
    by the usual error of a channel: those of `weight` are smaller in bright cells where baselines
    see different amplitudes, and a mean with them is too small. Of linear polarization the values
    and imaginary parts are those of Q and U (2,T,F), which share all else.
    """

    values: np.ndarray
    imaginary: np.ndarray
    weight: np.ndarray
    coherent: np.ndarray
    scatter: np.ndarray
    inflation: np.ndarray
    even: np.ndarray

    @property
    def components(self) -> tuple["Plane", ...]:
        """The planes of Stokes Q and U of linear polarization; the plane itself of any other."""
        if self.values.ndim == 2:
            return (self,)
        return tuple(dataclasses.replace(self, values=values, imaginary=imaginary)
                     for values, imaginary in zip(self.values, self.imaginary, strict=True))

    def at_angle(self, angle: float) -> "Plane":
        """Return the plane of the part of linear polarization at a position angle in rad.

        Q cos 2a + U sin 2a: all of it if it is at that angle everywhere.
        """
        turned = np.array([np.cos(2 * angle), np.sin(2 * angle)])
        return dataclasses.replace(self, values=np.tensordot(turned, self.values, 1),
                                   imaginary=np.tensordot(turned, self.imaginary, 1))


def planes(spectrum: DynamicSpectrum, polarizations: Sequence[str], boxes: Boxes, *,
           gain_error: float = 0.0, with_structure: bool = True) -> dict[str, Plane]:
    """Return polarizations of a spectrum with the weights and the errors to search them with.

    "L", linear polarization, is Q and U together. Those that the spectrum does not hold, or has
    nothing unflagged of, are left out. `gain_error`
    is the fraction of the steady Stokes I (its median in time; of the polarization itself where
    there is no I) by which gains may vary in time in all channels together, `with_structure`
    whether the error that a resolved source makes counts. Without a quiescent level taken off both
    have no meaning and are not used.
    """
    result = {}
    for p in dict.fromkeys(polarizations):
        parts = [_plane(spectrum, spectrum.index(part),
                        spectrum.index("I" if "I" in spectrum.polarizations else part), boxes,
                        gain_error, with_structure)
                 for part in ("QU" if p == "L" else p) if part in spectrum.polarizations]
        if len(parts) == (2 if p == "L" else 1):
            found = _together(*parts) if p == "L" else parts[0]
            if found.weight.any():
                result[p] = found
    return result


def _together(q: Plane, u: Plane) -> Plane:
    """Return the plane of linear polarization, whose variance is the mean of that of Q and U."""
    both = (q.weight > 0) & (u.weight > 0)
    weight, even = (np.divide(2 * a * b, a + b, out=np.zeros(both.shape), where=both)
                    for a, b in ((q.weight, u.weight), (q.even, u.even)))
    return Plane(np.where(both, [q.values, u.values], 0),
                 np.where(both, [q.imaginary, u.imaginary], 0), weight,
                 np.hypot(q.coherent, u.coherent) / np.sqrt(2), np.maximum(q.scatter, u.scatter),
                 np.maximum(q.inflation, u.inflation), even)


def _plane(spectrum: DynamicSpectrum, index: int, steady: int, boxes: Boxes, gain_error: float,
           with_structure: bool) -> Plane:
    values, imaginary, errors, formal, count = (
        np.ascontiguousarray(array[..., index]) for array in (
            spectrum.flux_density, spectrum.residual, spectrum.sigma, spectrum.sigma_formal,
            spectrum.count))
    sigma = steady_errors(errors, formal, count, imaginary)
    good = np.isfinite(values) & np.isfinite(sigma) & (sigma > 0)
    weight = np.divide(1, sigma**2, out=np.zeros(sigma.shape), where=good)
    values, imaginary = np.where(good, values, 0), np.where(good, imaginary, 0)
    if good.any() and not imaginary.any():
        # Other programs keep the real part alone: all that is known of the noise is its error.
        rng = np.random.default_rng((_SEED, index))
        imaginary = np.where(good, sigma, 0) * rng.standard_normal(sigma.shape)
    inflation = channel_inflation(normalized(imaginary, weight, boxes))
    weight = weight / inflation**2
    scatter = box_scatter(imaginary, weight, boxes)
    coherent = np.zeros(weight.shape)
    if boxes.quiescent != "none":
        coherent = gain_error * np.abs(_steady_level(
            np.where(good, spectrum.flux_density[..., steady], np.nan), boxes))
        if with_structure:
            empirical = np.where(good, spectrum.sigma_empirical[..., index], np.nan)
            coherent = np.hypot(coherent, structure_error(
                empirical, imaginary, count, spectrum.scan, spectrum.time))
    variance = np.where(good, formal, 1.0) ** 2
    usual = _median(np.where(good, weight * variance, np.nan))
    even = np.where(good, usual / variance, 0)
    return Plane(values, imaginary, weight, coherent, scatter, inflation, even)


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
    scale = np.sqrt(_mean(ratio_2))
    unknown = ~np.isfinite(scale)
    if unknown.any():
        noise = imaginary[:, unknown] / formal[:, unknown]
        scale[unknown] = MAD_TO_SIGMA * _median(np.abs(noise - _median(noise)))
    steady = scale * formal
    tolerance = 1 + 3 / (2 * np.sqrt(np.maximum(count - 1, 1)))
    return np.where(~lacking & (errors > tolerance * steady), errors, steady)


def normalized(imaginary: np.ndarray, weight: np.ndarray, boxes: Boxes) -> np.ndarray:
    """Return the imaginary part less its quiescent level, in sigma (T,F).

    The variance that the level takes away with it is given back. NaN where a cell has no weight,
    or is all that the level was made of.
    """
    level, total = boxes.levels(imaginary, weight)
    inverse = np.divide(1, total, out=np.zeros(total.shape), where=total > 0)
    result = np.full(imaginary.shape, np.nan)
    for i, scan in enumerate(boxes.scans):
        w = weight[scan]
        free = 1 - w * inverse[i]
        is_free = (free > 1e-6) & (w > 0)
        factor = np.sqrt(np.divide(w, free, out=free, where=is_free), out=free, where=is_free)
        np.multiply(imaginary[scan] - level[i], factor, out=result[scan], where=is_free)
    return result


def channel_inflation(noise: np.ndarray) -> np.ndarray:
    """Return the factor (F) that brings each channel's errors up to the scatter of `noise` (T,F).

    `noise` is in units of the errors, NaN where there is none: the factor is max(1, sigma_3 /
    sigma_1). First the whole spectrum, then halves, quarters ... down to single channels, each of
    which is taken to scatter as what it is a part of unless it differs significantly: wide
    excesses are known well.
    """
    T, F = noise.shape
    width = 2 ** (width_class(F) + 1)
    factor = np.ones(width)
    squares = np.full((width, T), np.nan)
    np.square(noise.T, out=squares[:F])
    while width >= 1:
        here = significant(*scatters(squares.reshape(-1, width * T)))
        if np.any(here != 1):
            here = np.repeat(here, width)
            factor *= here
            squares /= here[:, None] ** 2
        width //= 2
    return np.maximum(factor[:F], 1)


def box_scatter(imaginary: np.ndarray, weight: np.ndarray, boxes: Boxes) -> np.ndarray:
    """Return how much more boxes of each size scatter than weights say, from the imaginary part.

    Noise that neighbouring cells share, as the sidelobes of other sources, does not average down
    as white noise does. Where boxes of a size are too few to tell, the factor of the next
    smaller is kept; never below one. Indexed by `width_class`.
    """
    factors = np.ones(boxes.scatter_shape())
    for a, b, values in disjoint(imaginary, weight, boxes):
        if len(values) >= 16:
            factors[a, b] = significant(scatter_of(values), len(values))
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
    thermal = scatter_of(changes) ** 2
    if thermal > MOSTLY_STRUCTURE:
        return none
    count = _median(np.where(np.isfinite(sigma), count, np.nan))
    antennas = (1 + np.sqrt(1 + 8 * count)) / 2
    turned = min(1.0, 2 * np.pi * float(np.ptp(time)))
    return turned * np.nan_to_num(
        _median(sigma) * np.sqrt((1 - thermal) * count / (antennas - 1)))


def _steady_level(values: np.ndarray, boxes: Boxes) -> np.ndarray:
    """Return what is mostly there at each cell (T,F): the median in time, which no burst raises."""
    scans = boxes.scans if boxes.quiescent == "scan" else (slice(None),)
    result = np.zeros(values.shape)
    for scan in scans:
        result[scan] = np.nan_to_num(_median(values[scan]))
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
