"""What a user should doubt in the products, said in one line each."""

import math

import numpy as np
from astropy.table import Table

from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.imaginary_part import ImaginaryPart

_WELL = (0.8, 1.25)
"""Ratios of errors that pass without a word."""


def doubts(spectrum: DynamicSpectrum, detections: Table,
           imaginary: dict[str, ImaginaryPart]) -> list[str]:
    """Return warnings about errors, weights, imaginary parts by polarization, and detections."""
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
    return lines + _about_detections(spectrum, detections)


def _about_detections(spectrum: DynamicSpectrum, detections: Table) -> list[str]:
    if not len(detections):
        return []
    lines = []
    flipped = detections.meta.get("largest_snr_sign_flipped", math.nan)
    weak = detections["snr"] < flipped
    if np.any(weak):
        lines.append(f"{int(np.sum(weak))} of {len(detections)} detections are weaker than what "
                     f"the data show with their sign flipped (S/N {flipped:.1f}): do not trust "
                     "their false-alarm probability")
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
