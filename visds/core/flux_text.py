"""Flux densities in words: a number from 1 to 999 where it can be, with its unit."""

import math

_UNITS = {"Jy": 1.0, "mJy": 1e-3, "uJy": 1e-6}


def flux_unit(largest: float) -> tuple[str, float]:
    """Return the unit (Jy, mJy or uJy) in which a number of Jy is 1 or more, and its size in Jy."""
    for unit, size in _UNITS.items():
        # What is printed in three digits is not 1e+03 of the smaller unit.
        if abs(largest) >= 0.9995 * size:
            return unit, size
    return ("Jy", 1.0) if not largest or not math.isfinite(largest) else ("uJy", 1e-6)


def flux_text(flux_density: float) -> str:
    """Return a flux density (Jy) with its unit, in three digits."""
    unit, size = flux_unit(flux_density)
    return f"{flux_density / size:.3g} {unit}"


def flux_with_error(flux_density: float, error: float) -> str:
    """Return a flux density and its error (Jy), to the second digit of the error.

    ``37.400 +- 0.056 mJy``; without digits that mean nothing.
    """
    if not (math.isfinite(flux_density) and math.isfinite(error) and error > 0):
        return flux_text(flux_density)
    unit, size = flux_unit(max(abs(flux_density), error))
    digits = max(0, 1 - math.floor(math.log10(error / size)))
    return f"{flux_density / size:.{digits}f} +- {error / size:.{digits}f} {unit}"
