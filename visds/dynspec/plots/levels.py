"""Flux densities as a user writes them: ``5mJy``, and levels of a quantity: ``V=5mJy``."""

import re
from dataclasses import dataclass

from visds.core import quantities
from visds.core.errors import SettingsError

JANSKY = {"Jy": 1.0, "mJy": 1e-3, "uJy": 1e-6, "µJy": 1e-6}
KELVIN = {"K": 1.0, "MK": 1e6, "GK": 1e9}
SYNTAX = "5mJy, V=5mJy, V/I=80% or snr:I=10"


def flux_density(text: str) -> float:
    """Return a flux density in Jy; a unit must be given."""
    return quantities.parse(text, JANSKY)


@dataclass(frozen=True)
class Level:
    """A `value` of the quantity called `name` (None: of every flux density) in `unit`.

    `unit` is ``Jy``, ``K`` or, for S/N and fractions, empty; a percentage is stored as a fraction.
    """

    name: str | None
    value: float
    unit: str


def level(text: str) -> Level:
    """Return the level written as ``5mJy``, ``V=-5mJy``, ``V/I=80%`` or ``snr:I=10``.

    Raises
    ------
    SettingsError
        If `text` is none of these.
    """
    name, equals, value = str(text).rpartition("=")
    value = value.strip()
    if equals and not name.strip():
        raise SettingsError(f"'{text}' names no quantity before '=', expected {SYNTAX}")
    name = name.strip() or None
    try:
        if value.endswith("%"):
            return Level(name, float(value[:-1]) / 100, "")
        if re.search(r"K$", value):
            return Level(name, quantities.parse(value, KELVIN), "K")
        if name and not re.search(r"[A-Za-zµ]$", value):
            return Level(name, float(value), "")
        return Level(name, flux_density(value), "Jy")
    except (SettingsError, ValueError) as error:
        raise SettingsError(f"'{text}' is not a level, written {SYNTAX}") from error
