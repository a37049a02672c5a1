"""The imaginary part as a check: a point source at the target leaves noise about zero in it."""

import math
from dataclasses import dataclass

import numpy as np

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
