"""What a user should doubt in the products, said in one line each."""

import math

import numpy as np
from astropy.table import Table

from visds.core.plural import counted
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.imaginary_part import ImaginaryPart

_WELL = (0.8, 1.25)
"""Ratios of errors that pass without a word."""


_TOO_GOOD = 1e-6
"""Probability of a light curve that agrees with a constant as well or better."""


def doubts(spectrum: DynamicSpectrum, detections: Table, imaginary: dict[str, ImaginaryPart],
           variability: Table) -> list[str]:
    """Return warnings about errors, weights, imaginary parts, light curves and detections.

    `imaginary` by polarization; `variability` as `variability.statistics` returns it.
    """
    lines = []
    scale = spectrum.meta.get("weight_scale", {}).get("I", math.nan)
    if spectrum.meta.get("weights_calibrated", True) and not _passes(scale):
        lines.append(f"formal errors (from the weights) are {1 / scale:.3g} times those from the "
                     "scatter across baselines: the weights have another scale"
                     + (", or sources are left in the field" if scale > 1 else "")
                     + "; sigma follows the scatter")
    repeated = spectrum.meta.get("repeated_baselines", 0)
    if repeated:
        lines.append(f"{repeated} baselines occur more than once at a time: all rows are averaged; "
                     "if some are copies the errors are too small, if they are of "
                     "other subarrays the flux density is wrong")
    lines += [f"the imaginary part of {label} {part.verdict}" for label, part in imaginary.items()
              if part.verdict]
    lines += [f"the light curve of {row['polarization']} scatters by {row['eta'] ** 0.5:.2f} of "
              "its errors: these hold what differs between baselines and does not change with time "
              "(a resolved source, others in the field, calibration), so changes are better known "
              "than they say" for row in variability if 1 - row["probability"] < _TOO_GOOD]
    return lines + _about_detections(spectrum, detections)


def _about_detections(spectrum: DynamicSpectrum, detections: Table) -> list[str]:
    if not len(detections):
        return []
    lines = []
    flipped = detections.meta.get("largest_snr_sign_flipped", math.nan)
    weak = detections["snr"] < flipped
    if np.any(weak):
        lines.append(f"{int(np.sum(weak))} of {counted(len(detections), 'detection')} "
                     f"{'is' if np.sum(weak) == 1 else 'are'} weaker than what the data show with "
                     f"their sign flipped (S/N {flipped:.1f}): do not trust the false-alarm "
                     "probability")
    for row in detections:
        covered = [int(scan) for scan in np.unique(spectrum.scan)
                   if _is_covered(spectrum, scan, row["start"], row["stop"])]
        if covered and len(np.unique(spectrum.scan)) > 1:
            lines.append(f"detection {row['name']} fills scan {', '.join(map(str, covered))}: a "
                         "resolved source whose baselines rotate, or a drift of the gains, does "
                         "the same")
    return lines


def _is_covered(spectrum: DynamicSpectrum, scan: int, start: float, stop: float) -> bool:
    mine = spectrum.scan == scan
    half = spectrum.integration[mine] / 2 / 86400
    begin, end = (spectrum.time[mine] - half).min(), (spectrum.time[mine] + half).max()
    return min(stop, end) - max(start, begin) > 0.95 * (end - begin)


def _passes(ratio: float) -> bool:
    return not math.isfinite(ratio) or _WELL[0] <= ratio <= _WELL[1]
