"""Colour maps, limits and scales: robust, symmetric for signed quantities, safe for all eyes."""

import matplotlib
import numpy as np
from matplotlib import colors

from visds.dynspec.plots.quantity import Quantity

FLAGGED = "#8c8c8c"
MASKED = "#666666"
MASKED_BY = "masked: "
NOT_GIVEN = "#bdbdbd"
UNSIGNED_MAP = "viridis"
SIGNED_MAP = "RdBu_r"
FRACTION_MAP = "PuOr_r"
CYCLIC_MAP = "twilight"


def colour_map(quantity: Quantity, name: str | None) -> colors.Colormap:
    """Return the map for a quantity: `name`, or the default, flagged cells in grey.

    That of the position angle is cyclic, for 90 degrees are -90 degrees.
    """
    default = CYCLIC_MAP if quantity.polarization == "PA" else (
        UNSIGNED_MAP if not quantity.is_signed else
        FRACTION_MAP if quantity.kind in ("fraction", "angle") else SIGNED_MAP)
    return matplotlib.colormaps[name or default].with_extremes(bad=FLAGGED)


def robust_limits(values: np.ndarray, *, is_signed: bool) -> tuple[float, float]:
    """Return the ends of a colour scale for values (any shape, NaN ignored).

    The upper end is the 99.5th percentile or five robust standard deviations above the median,
    whichever is higher, but not beyond the largest value, so that neither single bad samples nor
    an empty sky rule the scale. Signed quantities run from minus to plus the limit of the
    absolute values. (0, 1) or (-1, 1) where there is no value.
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return (-1.0, 1.0) if is_signed else (0.0, 1.0)
    if is_signed:
        size = np.abs(values)
        scatter = 1.4826 * np.median(size)
        high = min(max(np.percentile(size, 99.5), 4 * scatter), np.max(size))
        high = high if high > 0 else 1.0
        return -float(high), float(high)
    middle = np.median(values)
    scatter = 1.4826 * np.median(np.abs(values - middle))
    high = min(max(np.percentile(values, 99.5), middle + 5 * scatter), np.max(values))
    low = max(np.percentile(values, 0.5), middle - 3 * scatter)
    if high <= low:
        low, high = low - 0.5 * abs(low) - 1e-12, high + 0.5 * abs(high) + 1e-12
    return float(low), float(high)


def fraction_limit(percent: np.ndarray) -> float:
    """Return the limit of a symmetric colour scale for percentages: robust, round, at most 100.

    Round is 1, 2 or 5 times a power of ten; 100 where there is no value.
    """
    if not np.isfinite(percent).any():
        return 100.0
    high = robust_limits(percent, is_signed=True)[1]
    power = int(np.floor(np.log10(high)))
    round_limits = (float(f"{times}e{power}") for times in (1, 2, 5, 10))
    return min(next(limit for limit in round_limits if limit >= high), 100.0)


def colour_norm(limits: tuple[float, float], *, is_signed: bool, scale: str, power: float,
                noise: float) -> colors.Normalize:
    """Return the scale between `limits`; below `noise` (same unit) a log scale is linear."""
    low, high = limits
    if scale == "linear":
        return colors.Normalize(low, high)
    if scale == "log":
        # Linear within the noise: the logarithm of noise has no meaning, and V has two signs.
        high = high if high > 0 else 1.0
        linear = min(max(noise, high * 1e-4), 0.5 * high)
        return colors.SymLogNorm(linthresh=linear, linscale=0.6 if is_signed else 0.3,
                                 vmin=low if is_signed else 0.0, vmax=high, base=10)
    if is_signed:
        return colors.FuncNorm((lambda x: np.sign(x) * np.abs(x) ** power,
                                lambda x: np.sign(x) * np.abs(x) ** (1 / power)),
                               vmin=low, vmax=high)
    return colors.PowerNorm(power, vmin=low, vmax=high)


def log_ticks(norm: colors.SymLogNorm, least: float) -> list[float]:
    """Return round values to label on a bar of a log scale, mirrored where it has two signs.

    Zero, powers of ten, and 2 and 5 times these where there is room, are `least` apart as
    fractions of the bar.
    """
    powers = 10.0 ** np.arange(np.floor(np.log10(norm.linthresh)), np.log10(norm.vmax) + 1e-9)
    middle = float(norm(0.0))
    taken, kept = [middle], []
    for times in (1.0, 5.0, 2.0):
        for value in times * powers[::-1]:
            place = float(norm(value))
            if value <= norm.vmax * (1 + 1e-9) and min(abs(place - t) for t in taken) >= least:
                taken.append(place)
                kept.append(float(value))
    return sorted([0.0, *kept, *([-value for value in kept] if norm.vmin < 0 else [])])


def extension(values: np.ndarray, limits: tuple[float, float]) -> str:
    """Return which ends of a colour bar get an arrow because values lie beyond."""
    values = values[np.isfinite(values)]
    below = bool(np.any(values < limits[0]))
    above = bool(np.any(values > limits[1]))
    return {(False, False): "neither", (True, False): "min", (False, True): "max",
            (True, True): "both"}[below, above]
