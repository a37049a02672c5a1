"""Quantities as a user writes them: ``10s``, ``4MHz``, ``256MB``, ``500m``, ``2klambda``."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from visds.core.errors import SettingsError

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-zµ]*)\s*")

DEGREES = {"deg": 1.0, "rad": math.degrees(1.0)}
ANGLES = DEGREES | {"arcmin": 1 / 60, "arcsec": 1 / 3600, "mas": 1 / 3.6e6}
SECONDS = {"s": 1.0, "ms": 1e-3, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
HERTZ = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9}
BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
         "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
METRES = {"m": 1.0, "km": 1e3}
WAVELENGTHS = {"lambda": 1.0, "klambda": 1e3, "Mlambda": 1e6}


def parse(text: str, units: dict[str, float], *, bare: float | None = None) -> float:
    """Return the value of `text` in the unit whose factor is 1 in `units`.

    `bare` is the factor of a number without a unit; None if a unit must be given.

    Raises
    ------
    SettingsError
        If `text` is not a finite number followed by one of `units`.
    """
    match = _NUMBER.fullmatch(str(text))
    expected = ", ".join(units)
    if match is None:
        raise SettingsError(f"'{text}' is not a number with a unit (one of {expected})")
    number, unit = float(match[1]), match[2]
    if not math.isfinite(number):
        raise SettingsError(f"'{text}' is not a finite number")
    if not unit:
        if bare is None:
            raise SettingsError(f"'{text}' needs a unit (one of {expected})")
        return number * bare
    if unit not in units:
        raise SettingsError(f"unit '{unit}' of '{text}' is unknown (expected one of {expected})")
    return number * units[unit]


def bare_number(meaning: str) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Declare what a parser takes a number without a unit for; the help of its options says it."""
    def declare(parser):
        parser.bare_number = meaning
        return parser
    return declare


@bare_number("seconds")
def seconds(text: str) -> float:
    """Return a duration in seconds; a bare number is seconds."""
    return parse(text, SECONDS, bare=1.0)


def angle(text: str) -> float:
    """Return an angle in degrees, as of ``5arcsec`` or ``0.1deg``; a bare number is refused."""
    return parse(text, ANGLES)


@bare_number("degrees")
def degrees(text: str) -> float:
    """Return an angle in degrees; a bare number is degrees."""
    return parse(text, DEGREES, bare=1.0)


@bare_number("bytes")
def byte_count(text: str) -> int:
    """Return a size in bytes; a bare number is bytes."""
    size = int(parse(text, BYTES, bare=1))
    if size <= 0:
        raise SettingsError(f"a size must be positive, not '{text}'")
    return size


@dataclass(frozen=True)
class Bin:
    """Width of a bin: a `count` of samples, or a `width` in the axis' unit (s or Hz)."""

    count: int | None = None
    width: float | None = None


@bare_number("a count of integrations")
def time_bin(text: str) -> Bin:
    """Return a time bin from ``10s``, ``2min`` or a count of integrations ``5``."""
    return _bin(text, SECONDS, "a duration such as 10s or a count of integrations")


@bare_number("a count of channels")
def channel_bin(text: str) -> Bin:
    """Return a channel bin from ``4MHz`` or a count of channels ``8``."""
    return _bin(text, HERTZ, "a bandwidth such as 4MHz or a count of channels")


def _bin(text: str, units: dict[str, float], expected: str) -> Bin:
    text = str(text)
    is_count = re.fullmatch(r"\s*[+-]?\d+\s*", text) is not None
    try:
        size = int(text) if is_count else parse(text, units)
    except SettingsError as error:
        raise SettingsError(f"{error}: give {expected}") from None
    if size <= 0:
        raise SettingsError(f"a bin must be wider than zero, not '{text.strip()}'")
    return Bin(count=size) if is_count else Bin(width=size)


def frequency_range(text: str, *, expected: str = "550-560MHz") -> tuple[float, float]:
    """Return the two ends in Hz of ``550-560MHz`` or ``900MHz-1.2GHz``.

    Raises
    ------
    SettingsError
        If `text` is no such range.
    """
    match = re.fullmatch(r"\s*([\d.]+)\s*([kMG]?Hz)?\s*-\s*([\d.]+)\s*([kMG]?Hz)\s*", str(text))
    if match is None:
        raise SettingsError(f"'{text}' is not a range, written {expected}")
    unit = match[2] or match[4]
    first = parse(match[1] + unit, HERTZ)
    last = parse(match[3] + match[4], HERTZ)
    if last <= first:
        raise SettingsError(f"'{text}' ends before it begins")
    return first, last


Band = str | Sequence[Any]
"""A band as a user writes it; see `band`."""


def band(ends: Band) -> tuple[float, float]:
    """Return the two ends in Hz of ``(1.3e9, "1.4GHz")`` or ``1.3-1.4GHz``.

    An end is a number in Hz, text, or an astropy Quantity of a frequency.

    Raises
    ------
    SettingsError
        If `ends` is neither, or ends before it begins.
    """
    expected = '("1.3GHz", "1.4GHz"), two numbers in Hz, two Quantities, or "1.3-1.4GHz"'
    if isinstance(ends, str):
        return frequency_range(ends, expected=expected)
    shown = " ".join(repr(ends).split())
    if not np.iterable(ends) or len(ends) != 2:
        raise SettingsError(f"{shown} is not a band, written {expected}")
    try:
        low, high = (_frequency(end) for end in ends)
    except (SettingsError, TypeError, ValueError) as error:
        raise SettingsError(f"{shown} is not a band, written {expected}: {error}") from error
    if not low <= high:
        raise SettingsError(f"{shown} ends before it begins: a band is written {expected}")
    return low, high


def _frequency(end: Any) -> float:
    if isinstance(end, str):
        return parse(end, HERTZ, bare=1.0)
    # A Quantity, told without astropy's units, which reading options does not need.
    return float(end.to_value("Hz") if hasattr(end, "to_value") else end)


@dataclass(frozen=True)
class UVDistance:
    """A baseline length: `value` in metres, or in wavelengths if `in_wavelengths`."""

    value: float
    in_wavelengths: bool


@bare_number("refused")
def uv_distance(text: str) -> UVDistance:
    """Return a baseline length from ``500m``, ``2km`` or ``2klambda``."""
    value = parse(text, METRES | WAVELENGTHS)
    if value < 0:
        raise SettingsError(f"a baseline length cannot be negative: '{text}'")
    return UVDistance(value, in_wavelengths=str(text).strip().endswith("lambda"))
