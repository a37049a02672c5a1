"""Settings of the measures of variability."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from visds.core import quantities
from visds.core.errors import SettingsError
from visds.core.quantities import bare_number
from visds.core.settings import setting, stage_settings

MEASURES = ("bayesian_blocks", "structure_function", "periodogram", "folded", "autocorrelation")
"""What can be asked for: names of tables, and of pictures."""
LEVELS = ("line", "channel", "none")


@bare_number("refused")
def _period(text: Any) -> float:
    value = quantities.parse(text, quantities.SECONDS)
    if not 0 < value < math.inf:
        raise SettingsError(f"'{text}' is not a time above zero")
    return value


def _epoch(text: Any) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    # A Julian date, or seconds, would fold as well, and on another phase.
    if not 0 < value < 200_000:
        raise SettingsError(f"'{text}' is not a time in MJD, such as 59000.25")
    return value


def _probability(text: Any) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    if not 0.002 <= value <= 0.2:
        raise SettingsError(f"'{text}' is not a probability from 0.002 to 0.2")
    return value


def _bins(text: Any) -> int:
    if not str(text).strip().isdigit() or not 2 <= int(text) <= 10_000:
        raise SettingsError(f"'{text}' is not a number of bins from 2 to 10000")
    return int(text)


@dataclass(frozen=True)
class VariabilitySettings:
    """How flux densities vary: blocks, structure function, periods, autocorrelation."""

    variability: tuple[str, ...] = setting(
        None, f"make a table and a picture of these: {', '.join(MEASURES)} (default: none; eta, V, "
        "excess variance and the number of blocks are always in variability.ecsv)",
        choices=MEASURES, many=True, metavar="MEASURE")
    block_probability: float = setting(
        "0.05", "probability with which a constant source has more than one Bayesian block",
        parse=_probability)
    shortest_period: float | None = setting(
        None, "shortest period to look for, such as 30s (default: twice the usual spacing of "
        "integrations)", parse=_period, metavar="TIME")
    longest_period: float | None = setting(
        None, "longest period to look for, such as 3h (default: half of the span of the data)",
        parse=_period, metavar="TIME")
    period: float | None = setting(
        None, "period to fold on, such as 2.4h (default: the one of the lowest false-alarm "
        "probability)", parse=_period, metavar="TIME")
    epoch: float | None = setting(
        None, "time of phase 0 at the barycentre of the solar system, MJD TDB (default: the first "
        "integration for a given period, the maximum for one that was found)", parse=_epoch,
        metavar="MJD")
    phase_bins: int = setting("16", "number of bins of phase", parse=_bins)
    autocorrelation_level: str = setting(
        "line", "what is taken off before the autocorrelation: a line in frequency (the level and "
        "slope of a steady source), the mean of each channel (any steady spectrum, and patterns as "
        "long as the data), or none", choices=LEVELS)


MEASURE_OPTIONS = frozenset(field.name for field in dataclasses.fields(VariabilitySettings))


def variability_settings(**written: Any) -> VariabilitySettings:
    """Return settings from values as a user writes them, e.g. ``period="2.4h"``.

    Raises
    ------
    SettingsError
        For an unknown option (the nearest is named) or an unusable value.
    """
    return stage_settings(VariabilitySettings, "the measures of variability", written)
