"""The options of the crossmatch, in the units in which they are used."""

import re
from dataclasses import dataclass

from visds.core import quantities
from visds.core.errors import SettingsError
from visds.core.settings import setting

ANGLES = {"arcsec": 1.0, "arcmin": 60.0, "deg": 3600.0, "mas": 1e-3}
LARGEST_RADIUS_ARCSEC = 10 * 3600.0
FEWEST_NEIGHBOURS = 5


@quantities.bare_number("refused")
def angle(text: str) -> float:
    """Return an angle in arcsec from ``15arcsec``, ``2arcmin``, ``0.1deg``.

    Raises
    ------
    SettingsError
        If it is not an angle, or negative.
    """
    value = quantities.parse(text, ANGLES)
    if value < 0:
        raise SettingsError(f"an angle cannot be negative here: '{text}'")
    return value


@quantities.bare_number("refused")
def search_radius(text: str) -> float:
    """Return a search radius in arcsec, more than zero and at most 10 deg."""
    value = angle(text)
    if not 0 < value <= LARGEST_RADIUS_ARCSEC:
        raise SettingsError(f"a search radius must be above 0 and at most 10deg, not '{text}'")
    return value


def neighbour_count(text: str | int) -> int:
    """Return the number of neighbours that give the local density, at least 5."""
    if not re.fullmatch(r"\s*\d+\s*", str(text)) or int(text) < FEWEST_NEIGHBOURS:
        raise SettingsError(f"must be a count of at least {FEWEST_NEIGHBOURS}, not '{text}'")
    return int(text)


@dataclass(frozen=True)
class MatchSettings:
    """Matches with catalogues: which pairs count, and which of them is the best.

    Made in code, the angles are numbers in arcsec.
    """

    catalogue: tuple[str, ...] = setting(
        None, "catalogues to match with: VOTable, FITS, ECSV or CSV; NAME=FILE gives a name",
        many=True, metavar="FILE")
    columns: tuple[str, ...] = setting(
        None, "columns of the catalogues where their names do not tell, e.g. "
        "ra=A,dec=B,ra_error=E_A:arcsec,epoch=2016.0; NAME:ra=... for the catalogue NAME only",
        many=True, metavar="MAPPING")
    radius: float = setting("15arcsec", "largest separation of a pair", parse=search_radius,
                            metavar="ANGLE")
    position_error: float = setting(
        "1arcsec", "position error, per axis, of sources that have none", parse=angle,
        metavar="ANGLE")
    systematic_error: float = setting(
        "0arcsec", "added in quadrature to the joint error of every pair, per axis", parse=angle,
        metavar="ANGLE")
    best_by: str = setting(
        "normalized", "the best pair of a source is that of least separation in units of the "
        "joint error, or of least plain separation", choices=("normalized", "separation"))
    best_only: bool = setting(False, "keep the best pair of each source only")
    density_neighbours: int = setting(
        "50", "sources around a position that give the chance of alignment there",
        parse=neighbour_count, metavar="COUNT")
    carry: tuple[str, ...] = setting(
        None, "further columns of the catalogues to put beside each match", many=True,
        metavar="COLUMN")
