"""Confidence intervals of a ratio of two measured flux densities, also where both are weak."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

SIGMA = 0.6826894921370859
"""Probability within one standard deviation."""


@dataclass(frozen=True)
class Interval:
    """The ratios that the data allow, by `kind`.

    ``bounded``: from `low` to `high`. ``outside``: up to `low` and from `high` on, for the divisor
    may be zero. ``all``: every ratio; `low` and `high` are minus and plus infinity. ``""``: not
    known (NaN).
    """

    low: float
    high: float
    kind: str

    def holds(self, ratio: float) -> bool:
        """Return whether a ratio is in the interval."""
        if self.kind == "outside":
            return ratio <= self.low or ratio >= self.high
        return bool(self.low <= ratio <= self.high)


def fieller_interval(part: float, whole: float, sigma_part: float, sigma_whole: float,
                     covariance: float = 0.0, confidence: float = SIGMA) -> Interval:
    """Return the confidence interval of part / whole by Fieller's theorem (1954, JRSS B 16, 175).

    All f for which part - f whole is within z of its own error: exact for Gaussian errors of any
    size, also where the standard error of the ratio means nothing because the whole is weak. The
    interval is then unbounded. `covariance` is that of part and whole.
    """
    z = float(ndtri((1 + confidence) / 2))
    # a f^2 - 2 b f + c <= 0.
    a = whole**2 - (z * sigma_whole) ** 2
    b = part * whole - z**2 * covariance
    c = part**2 - (z * sigma_part) ** 2
    if not np.isfinite([a, b, c]).all():
        return Interval(np.nan, np.nan, "")
    discriminant = b**2 - a * c
    if a > 0:
        root = np.sqrt(max(discriminant, 0.0))
        return Interval((b - root) / a, (b + root) / a, "bounded")
    if a == 0 or discriminant < 0:
        return Interval(-np.inf, np.inf, "all")
    root = np.sqrt(discriminant)
    return Interval((b + root) / a, (b - root) / a, "outside")
