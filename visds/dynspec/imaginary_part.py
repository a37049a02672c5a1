"""The imaginary part as a check: a point source at the target leaves noise about zero in it."""

import math
from dataclasses import dataclass

import numpy as np

from visds.core.error_text import value_with_error
from visds.dynspec.dynamic_spectrum import DynamicSpectrum

_WELL = (0.8, 1.25)
_OFFSET = 0.5
_SIGNIFICANT = 5.0


@dataclass(frozen=True)
class ImaginaryPart:
    """What the imaginary part of one polarization does, in units of sigma of a cell.

    `scatter` about zero, 1 where the errors are right; NaN where no cell is left. It is robust:
    1.4826 times the median modulus. `number` of cells; `offset` the mean over the scan where it is
    farthest from zero, `scan` that scan and `offset_error` 1 / sqrt(cells there).
    """

    scatter: float
    number: int
    offset: float
    offset_error: float
    scan: int

    @property
    def limits(self) -> tuple[float, float]:
        """Within which the scatter is that of noise.

        Between 0.8 and 1.25, and wider by three times the error of the scatter of `number` values,
        1.17 / sqrt(number).
        """
        margin = 3 * 1.17 / math.sqrt(max(self.number, 1))
        return _WELL[0] - margin, _WELL[1] + margin

    @property
    def verdict(self) -> str:
        """What is wrong, in words; empty if nothing is, or nothing is left to see it."""
        low, high = self.limits
        found = []
        if abs(self.offset) > max(_OFFSET, _SIGNIFICANT * self.offset_error):
            found.append(f"is {self.offset:+.2f} sigma off zero on average over scan {self.scan}: "
                         "calibration errors, or sources away from the target")
        if self.scatter > high:
            found.append(f"scatters by {self.scatter:.2f} sigma about zero instead of 1: "
                         "calibration errors, interference or sources left in the field")
        if self.scatter < low:
            found.append(f"scatters by {self.scatter:.2f} sigma about zero instead of 1: the "
                         "errors are overestimated, as for a source that is resolved")
        return "; it ".join(found)

    @property
    def is_noise(self) -> bool:
        """Whether nothing is wrong, not even by little: no mean of a scan is five errors off."""
        return not self.verdict and not abs(self.offset) > _SIGNIFICANT * self.offset_error


def imaginary_parts(spectrum: DynamicSpectrum) -> dict[str, ImaginaryPart]:
    """Return what the imaginary part of each polarization does over the unflagged cells."""
    residual, sigma = spectrum.residual, spectrum.sigma
    found = {}
    for p, label in enumerate(spectrum.polarizations):
        good = np.isfinite(residual[..., p]) & (sigma[..., p] > 0)
        ratio = np.where(good, residual[..., p], 0) / np.where(good, sigma[..., p], 1)
        scans = [(ratio[chosen].sum() / cells, 1 / math.sqrt(cells), int(scan))
                 for scan in np.unique(spectrum.scan)
                 for chosen in [spectrum.scan == scan] for cells in [int(good[chosen].sum())]
                 if cells]
        offset = max(scans, key=lambda item: abs(item[0]), default=(math.nan, math.nan, -1))
        scatter = 1.4826 * float(np.median(np.abs(ratio[good]))) if good.any() else math.nan
        found[label] = ImaginaryPart(scatter, int(good.sum()), *offset)
    return found


@dataclass(frozen=True, eq=False)
class ChiSquared:
    """Reduced chi-squared of the imaginary part of one polarization: 1, within its error, of noise.

    `value` and `error` of all cells; `scans` (S) their numbers, `scan_value` and `scan_error` (S);
    `frequency` (F; Hz), `channel_value` and `channel_error` (F). The error is what noise alone
    scatters by. NaN where no cell is left.
    """

    value: float
    error: float
    scans: np.ndarray
    scan_value: np.ndarray
    scan_error: np.ndarray
    frequency: np.ndarray
    channel_value: np.ndarray
    channel_error: np.ndarray

    @property
    def line(self) -> str:
        """It in words, with the scan and the channel that are farthest from 1 in their errors.

        That of the only scan or channel with data is not told: it says nothing more.
        """
        if math.isnan(self.value):
            return "no unflagged data"
        farthest = []
        if np.isfinite(self.scan_value).sum() > 1:
            k = _farthest(self.scan_value, self.scan_error)
            farthest.append(f"scan {self.scans[k]} "
                            f"({value_with_error(self.scan_value[k], self.scan_error[k])})")
        if np.isfinite(self.channel_value).sum() > 1:
            k = _farthest(self.channel_value, self.channel_error)
            farthest.append(f"the channel at {self.frequency[k] / 1e6:.6g} MHz "
                            f"({value_with_error(self.channel_value[k], self.channel_error[k])})")
        return value_with_error(self.value, self.error) + (
            "; farthest from 1: " * bool(farthest)) + ", ".join(farthest)


def chi_squared(spectrum: DynamicSpectrum) -> dict[str, ChiSquared]:
    """Return the reduced chi-squared of each polarization's imaginary part over unflagged cells.

    The mean of (imaginary part / sigma)^2, in which outliers count in full, unlike in
    `imaginary_parts`. Where sigma is the scatter across n baselines the square follows Fisher's
    distribution of 1 and 2 (n - 1) degrees of freedom (n those that count, (sum w)^2 / sum w^2):
    its mean is taken out, and its variance is in the errors.
    """
    scans = np.unique(spectrum.scan)
    found = {}
    for p, label in enumerate(spectrum.polarizations):
        residual, sigma = spectrum.residual[..., p], spectrum.sigma[..., p]
        good = np.isfinite(residual) & (sigma > 0)
        mean, variance = _expected(spectrum, p)
        square = np.where(good, residual, 0) ** 2 / np.where(good, sigma, 1) ** 2 / mean
        number, total, spread = (np.where(good, values, 0.0)
                                 for values in (np.ones(good.shape), square, variance))

        def reduced(axis, chosen=slice(None), sums=(number, total, spread)):
            cells, chi, squares = (values[chosen].sum(axis) for values in sums)
            cells = np.where(cells > 0, cells, np.nan)
            return chi / cells, np.sqrt(squares) / cells

        by_scan = [reduced(None, spectrum.scan == scan) for scan in scans]
        value, error = reduced(None)
        found[label] = ChiSquared(float(value), float(error), scans,
                                  *(np.array(values) for values in zip(*by_scan, strict=True)),
                                  spectrum.frequency, *reduced(0))
    return found


def _expected(spectrum: DynamicSpectrum, p: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean, and variance over its square, of (noise / sigma)^2 in each cell (T,F)."""
    w2 = np.where(spectrum.sum_w2[..., p] > 0, spectrum.sum_w2[..., p], 1)
    freedom = np.maximum(2 * (spectrum.sum_w[..., p] ** 2 / w2 - 1), 6)
    is_empirical = spectrum.sigma[..., p] == spectrum.sigma_empirical[..., p]
    mean = np.where(is_empirical, freedom / (freedom - 2), 1)
    return mean, np.where(is_empirical, 2 * (freedom - 1) / (freedom - 4), 2)


def _farthest(value: np.ndarray, error: np.ndarray) -> int:
    return int(np.nanargmax(np.abs(value - 1) / error))
