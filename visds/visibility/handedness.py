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
    KnownTelescope(("GMRT", "UGMRT"), (550e6, 900e6), (_GWB_BEGINS, 1e9), Handedness(
        negate=("Q", "V"),
        source="uGMRT band 4, 550 to 900 MHz, records Q and V with the wrong sign (Das et al. "
               "2020, arXiv:2004.08542)")),
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

    Keys: ``swap`` (yes or no), ``negate`` (letters of Q, U, V; or none), ``scale`` (a number).

    Raises
    ------
    SettingsError
        For an unknown key or value.
    """
    changes: dict = {}
    for entry in entries:
        key, _, value = entry.partition("=")
        try:
            if key == "scale" and 0 < float(value) < float("inf"):
                changes["stokes_scale"] = float(value)
            elif key == "swap" and value in ("yes", "no"):
                changes["swap_feeds"] = value == "yes"
            elif key == "negate" and (value == "none" or (value and set(value) <= set("QUV"))):
                changes["negate"] = () if value == "none" else tuple(sorted(set(value)))
            else:
                raise ValueError
        except ValueError:
            raise SettingsError(f"--handedness: '{entry}' is not one of swap=yes|no, "
                                "negate=QUV|none, scale=NUMBER") from None
    if changes:
        changes["source"] = "given by the user"
    return dataclasses.replace(handedness, pulsar_convention=convention == "pulsar", **changes)
