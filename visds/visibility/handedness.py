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
    """One row of the table: telescope names, band (Hz), dates (MJD) and what holds for them.

    `doubt` is what is documented but leaves a sign open; where the handedness is None, that is all.
    """

    telescopes: tuple[str, ...]
    band: tuple[float, float]
    dates: tuple[float, float]
    handedness: Handedness | None
    doubt: str = ""


_ALL_BANDS = (0.0, 1e15)
_ALL_DATES = (0.0, 1e9)
_GWB_BEGINS = 57800.0  # the upgraded GMRT's wide-band receivers, 2017
_EVLA_BEGINS = 55197.0  # 2010
_ASKAP_2020 = 58849.0
_FEEDS_OF_1_GHZ = (0.9e9, 1e15)
_BELOW_1_GHZ = (0.0, 0.9e9)
_VLA = Handedness(source="the VLA labels R and L in the IEEE sense (NRAO)")
_ASKAP = Handedness(
    stokes_scale=2.0,
    source="ASKAP correlations are scaled to I = XX + YY (ASKAP Observation Guide, app. D)")

TABLE = (
    KnownTelescope(("VLA", "EVLA"), _FEEDS_OF_1_GHZ, _ALL_DATES, _VLA),
    KnownTelescope(("VLA",), _BELOW_1_GHZ, (0.0, _EVLA_BEGINS), _VLA),
    KnownTelescope(
        ("VLA", "EVLA"), _BELOW_1_GHZ, (_EVLA_BEGINS, 1e9), None,
        "the feeds of the VLA below 1 GHz are linear, whatever their labels; their X was the "
        "dipole along the elevation axis, 90 degrees from the IAU's (NRAO's list evlatests, "
        "2013-09-26)"),
    KnownTelescope(
        ("ASKAP",), _ALL_BANDS, (0.0, _ASKAP_2020), _ASKAP,
        "X and Y of early ASKAP data are swapped, of 2019-06-22 for certain (functional tests of "
        "yandasoft), and when that ended is not known: --handedness swap=yes or swap=no says "
        "which, or else Q and V may have the wrong sign"),
    KnownTelescope(("ASKAP",), _ALL_BANDS, (_ASKAP_2020, 1e9), _ASKAP),
    KnownTelescope(("GMRT", "UGMRT"), (550e6, 900e6), (_GWB_BEGINS, 1e9), Handedness(
        negate=("Q", "V"),
        source="uGMRT band 4, 550 to 900 MHz, records Q and V with the wrong sign (Das et al. "
               "2020, arXiv:2004.08542)")),
    KnownTelescope(
        ("GMRT", "UGMRT"), _ALL_BANDS, (_GWB_BEGINS, 1e9), None,
        "of the uGMRT only band 4 is documented (Das et al. 2020, arXiv:2004.08542)"),
    KnownTelescope(("MWA",), _ALL_BANDS, _ALL_DATES, Handedness(
        swap_feeds=True,
        source="the X of MWA data, as cotter, Birli and hyperdrive write them, is the dipole from "
               "east to west, so XX = I - Q and XY = U - iV (mwa_hyperdrive, Instrumental "
               "polarisations)")),
    KnownTelescope(
        ("MEERKAT",), _ALL_BANDS, _ALL_DATES, None,
        "katdal maps H to X and V to Y, which is right-handed, with X at -90 degrees "
        "(katdal, Sign conventions), but V of the wrong sign is reported too (caracal issue 1465)"),
    KnownTelescope(
        ("KAT-7", "KAT7"), _ALL_BANDS, _ALL_DATES, None,
        "KAT-7 has the opposite handedness of MeerKAT, for which katdal does not make up (katdal, "
        "Sign conventions)"),
)
"""The first row that fits counts."""


def known_handedness(telescope: str, frequency: float, mjd: float) -> Handedness | None:
    """Return what the table says for a telescope, frequency (Hz) and date; None if nothing."""
    row = _row(telescope, frequency, mjd)
    return row.handedness if row else None


def documented_doubt(telescope: str, frequency: float, mjd: float) -> str:
    """Return what is documented of a telescope, frequency (Hz) and date and leaves a sign open.

    Empty if there is nothing of that kind.
    """
    row = _row(telescope, frequency, mjd)
    return row.doubt if row else ""


def _row(telescope: str, frequency: float, mjd: float) -> KnownTelescope | None:
    return next((row for row in TABLE
                 if telescope.upper() in row.telescopes and row.band[0] <= frequency <= row.band[1]
                 and row.dates[0] <= mjd <= row.dates[1]), None)


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
        is_all = len(changes) == 3 or not handedness.source
        changes["source"] = "given by the user" if is_all else (
            f"{' '.join(entries)} given by the user, the rest: {handedness.source}")
    return dataclasses.replace(handedness, pulsar_convention=convention == "pulsar", **changes)
