"""What is known of a telescope's correlations: handedness, Stokes scale, sense of V.

Settled once, on reading: `Handedness.settle` relabels and scales the correlations, and the row
used is recorded in the products. An option overrides each entry.
"""

import dataclasses
from dataclasses import dataclass

from visds.core.errors import SettingsError
from visds.core.polarization import Handedness


@dataclass(frozen=True)
class KnownTelescope:
    """One row of the table: telescope names, band (Hz), dates (MJD) and what holds for them."""

    telescopes: tuple[str, ...]
    band: tuple[float, float]
    dates: tuple[float, float]
    handedness: Handedness


_ALL_BANDS = (0.0, 1e15)
_ALL_DATES = (0.0, 1e9)
_GWB_BEGINS = 57800.0  # the upgraded GMRT's wide-band receivers, 2017

TABLE = (
    KnownTelescope(("VLA", "EVLA"), _ALL_BANDS, _ALL_DATES, Handedness(
        source="the VLA labels R and L in the IEEE sense (NRAO)")),
    KnownTelescope(("ASKAP",), _ALL_BANDS, _ALL_DATES, Handedness(
        stokes_scale=2.0,
        source="ASKAP correlations are scaled to I = XX + YY (ASKAP Observation Guide, app. D)")),
    KnownTelescope(("GMRT", "UGMRT"), (550e6, 850e6), (_GWB_BEGINS, 1e9), Handedness(
        swap_feeds=True, negate_q=True,
        source="uGMRT band 4 has R and L swapped and Q negated (Das et al. 2020, "
               "arXiv:2004.08542)")),
)


def known_handedness(telescope: str, frequency: float, mjd: float) -> Handedness | None:
    """Return what the table says for a telescope, frequency (Hz) and date; None if nothing."""
    for row in TABLE:
        if (telescope.upper() in row.telescopes and row.band[0] <= frequency <= row.band[1]
                and row.dates[0] <= mjd <= row.dates[1]):
            return row.handedness
    return None


def override(handedness: Handedness, entries: tuple[str, ...], convention: str) -> Handedness:
    """Return a handedness with the user's ``KEY=VALUE`` entries and convention of V put in.

    Keys: ``swap`` and ``negate-q`` (yes or no), ``scale`` (a number).

    Raises
    ------
    SettingsError
        For an unknown key or value.
    """
    changes: dict = {}
    for entry in entries:
        key, _, value = entry.partition("=")
        try:
            if key == "scale" and float(value) > 0:
                changes["stokes_scale"] = float(value)
            elif key in ("swap", "negate-q") and value in ("yes", "no"):
                changes[{"swap": "swap_feeds", "negate-q": "negate_q"}[key]] = value == "yes"
            else:
                raise ValueError
        except ValueError:
            raise SettingsError(f"--handedness: '{entry}' is not one of swap=yes|no, "
                                "negate-q=yes|no, scale=NUMBER") from None
    if changes:
        changes["source"] = "given by the user"
    return dataclasses.replace(handedness, pulsar_convention=convention == "pulsar", **changes)
