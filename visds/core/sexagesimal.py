"""Angles written as text: 12:34:56.7, 12h34m56.7s, -45 06 07, 188.736."""

import re

import numpy as np

from visds.core.errors import CatalogueError

_SEXAGESIMAL = re.compile(
    r"(?P<sign>[+\-−])?\s*(?P<first>\d{1,3})\s*(?P<mark>[:hd°\s])\s*(?P<minutes>\d{1,2}(?:\.\d*)?)"
    r"\s*(?:[:m'′\s]\s*(?:(?P<seconds>\d{1,2}(?:\.\d*)?)\s*[s\"″]?)?)?")


def degrees(texts: list[str], axis: str, factor: float | None, where: str) -> np.ndarray:
    """Return angles (N) in deg from texts.

    Sexagesimal right ascensions are hours unless marked with d; decimal numbers are in the
    column's unit. Blank texts give NaN.

    Parameters
    ----------
    texts : list of str
        Stripped.
    axis : {"ra", "dec"}
        What they are.
    factor : float or None
        From the unit of decimal numbers to deg; None (a unit such as "h:m:s") is taken as deg.
    where : str
        For the error message.

    Raises
    ------
    CatalogueError
        If a text is neither: which one, in which row (counted from 1).
    """
    values = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        if text and text.lower() not in ("nan", "null", "--", "n/a"):
            values[row] = _one(text, axis, 1.0 if factor is None else factor, where, row)
    return values


def has_decimal_comma(text: str) -> bool:
    """Return whether a text is a number, or an angle, with a comma where a point should be."""
    return re.fullmatch(r"\s*[+\-−]?[\d:hdms°'′\s]*\d,\d+\s*[s\"″]?\s*", text) is not None


def _one(text: str, axis: str, factor: float, where: str, row: int) -> float:
    try:
        return float(text) * factor
    except ValueError:
        match = _SEXAGESIMAL.fullmatch(text)
    minutes = float(match["minutes"]) if match else 0.0
    seconds = float(match["seconds"] or 0) if match else 0.0
    # Rounding writes 60.0 at times; anything above is no angle.
    if match is None or minutes > 60 or seconds > 60:
        raise CatalogueError(f"{where}, row {row + 1}: '{text}' " + (
            "has a decimal comma: write a point" if has_decimal_comma(text) else
            f"is not an angle such as {'12:34:56.7' if axis == 'ra' else '-45:06:07.8'}"))
    value = float(match["first"]) + minutes / 60 + seconds / 3600
    if axis == "ra" and match["mark"] not in "d°":
        value *= 15
    return -value if match["sign"] in ("-", "−") else value
