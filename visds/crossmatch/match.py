"""Matches between two catalogues.

The contract: `match` takes a left and a right catalogue and gives the rows of each pair (`left`,
`right`) with further columns of the same length P: separation, position angle, separation in units
of the joint error, chance of alignment, whether it is the best of its left source.
"""

from dataclasses import dataclass

import numpy as np
import scipy
from astropy.table import Table

from visds.core.astrometry import (
    ARCSEC_PER_RADIAN,
    position_angle_deg,
    separation_arcsec,
    unit_vectors,
)
from visds.core.catalogue import Catalogue
from visds.core.catalogue_mapping import nearest
from visds.core.errors import CatalogueError
from visds.crossmatch.chance import UNKNOWN, surroundings
from visds.crossmatch.settings import MatchSettings

SAME_PLACE_ARCSEC = 1e-9
"""What remains of a separation of zero where coordinates are rounded to double precision."""

COLUMNS = {
    "catalogue": (None, "the catalogue matched with"),
    "left_name": (None, "name of the source, or detection, that is matched"),
    "right_name": (None, "name of the catalogue's source"),
    "left_row": (None, "its row in its file, counted from 0"),
    "right_row": (None, "its row in its file, counted from 0"),
    "separation_arcsec": ("arcsec", "great-circle distance"),
    "position_angle_deg": (
        "deg", "direction from left to right, north through east; NaN where the two are at the "
        "same place"),
    "normalized_separation": (None, "separation in units of the joint position error"),
    "chance_probability": (
        None, "that an unrelated source of the catalogue lies within the separation, by its "
        f"sources around; NaN where {UNKNOWN}"),
    "best": (None, "the best pair of its left source in this catalogue"),
    "left_ra": ("deg", "right ascension, ICRS, at the epoch of the match"),
    "left_dec": ("deg", "declination, ICRS, at the epoch of the match"),
    "right_ra": ("deg", "right ascension, ICRS, at the epoch of the match"),
    "right_dec": ("deg", "declination, ICRS, at the epoch of the match"),
    "right_flux_density": ("Jy", "flux density in the catalogue"),
    "right_flux_density_error": ("Jy", "its standard error"),
}
"""Unit and meaning of each column of a table of matches."""


@dataclass(frozen=True, eq=False)
class Matches:
    """Pairs of sources of two catalogues, by left source and, within one, best first.

    Attributes
    ----------
    left_catalogue, right_catalogue : Catalogue
        At the epoch of the match.
    left, right : (P) int
        Rows of the two catalogues.
    separation_arcsec : (P) float
        Great-circle distance.
    position_angle_deg : (P) float
        From left to right, north through east.
    normalized_separation : (P) float
        Separation in units of the joint error (see `normalized_separation`).
    chance_probability : (P) float
        That an unrelated source lies within the separation; NaN where it is unknown.
    best : (P) bool
        True for one pair of each matched left source.
    chance_within_radius : (N) float
        For every left source, the probability of a chance match within the search radius.
    """

    left_catalogue: Catalogue
    right_catalogue: Catalogue
    left: np.ndarray
    right: np.ndarray
    separation_arcsec: np.ndarray
    position_angle_deg: np.ndarray
    normalized_separation: np.ndarray
    chance_probability: np.ndarray
    best: np.ndarray
    chance_within_radius: np.ndarray

    def __len__(self):
        return len(self.left)

    def position(self) -> str | None:
        """Return what the left table says of its positions, such as those of detections."""
        return self.left_catalogue.table.meta.get("position")

    def unknown_chance(self) -> str | None:
        """Return why the chance probability of some left sources is not known, None if it is."""
        unknown = int(np.isnan(self.chance_within_radius).sum())
        if not unknown:
            return None
        return (f"the chance probability is unknown for {unknown} of {len(self.left_catalogue)} "
                f"sources: {UNKNOWN} (it has {len(self.right_catalogue)})")

    def to_table(self, catalogue: str | None = None, carry: tuple[str, ...] = ()) -> Table:
        """Return one row per pair, with the same columns and types when there is none.

        Parameters
        ----------
        catalogue : str, optional
            Name of the right catalogue in the column of that name; its file by default.
        carry : tuple of str
            Columns of the right catalogue's own table to add, as ``right_NAME``.

        Raises
        ------
        CatalogueError
            If the right catalogue has no such column: the nearest is named.
        """
        left, right = self.left_catalogue, self.right_catalogue
        label = catalogue or right.source
        values = {"catalogue": np.full(len(self), label, dtype=f"U{len(label)}"),
                  **{name: getattr(self, name) for name in (
                      "separation_arcsec", "position_angle_deg", "normalized_separation",
                      "chance_probability", "best")}}
        for side, catalogue, rows in (("left", left, self.left), ("right", right, self.right)):
            values |= {f"{side}_{name}": getattr(catalogue, name)[rows] for name in (
                "name", "row", "ra", "dec", "flux_density", "flux_density_error")}
        table = Table({name: values[name] for name in COLUMNS})
        for name, (unit, meaning) in COLUMNS.items():
            table[name].unit, table[name].description = unit, meaning
        for name in carry:
            if name not in right.table.colnames:
                raise CatalogueError(f"{right.source} has no column '{name}' to carry"
                                     + nearest(name, right.table.colnames))
            table[f"right_{name}"] = right.table[name][self.right]
        return table


def match(left: Catalogue, right: Catalogue, settings: MatchSettings | None = None,
          epoch: float | None = None) -> Matches:
    """Return all pairs of left and right sources within the radius, and the best of each.

    Candidates come from trees of unit vectors, and are kept by their exact separation: the poles
    and RA 0/360 are places like any other.

    Parameters
    ----------
    left, right : Catalogue
        Not modified.
    settings : MatchSettings, optional
        Radius, errors, what is the best.
    epoch : float, optional
        Julian year to which both are moved by their proper motions; not moved if None.

    Raises
    ------
    CatalogueError
        If sources must be moved but the epoch of their positions is not known.
    """
    settings = settings or MatchSettings()
    if epoch is not None:
        left, right = left.at_epoch(epoch), right.at_epoch(epoch)
    if not (len(left) and len(right)):
        return Matches(left, right, *np.zeros((2, 0), int), *np.zeros((4, 0)),
                       np.zeros(0, bool), np.full(len(left), np.nan))
    left_vectors, right_vectors = unit_vectors(left.ra, left.dec), unit_vectors(right.ra, right.dec)
    tree = scipy.spatial.cKDTree(right_vectors)
    one, other, separation = _pairs(left_vectors, tree, settings.radius)
    angle = np.where(separation > SAME_PLACE_ARCSEC,
                     position_angle_deg(left.ra[one], left.dec[one], right_vectors[other]), np.nan)
    normalized = normalized_separation(left, right, one, other, settings)
    rank = normalized if settings.best_by == "normalized" else separation
    order = np.lexsort((other, separation, rank, one))
    best = np.ones(len(order), dtype=bool)
    best[1:] = np.diff(one[order]) != 0
    around = surroundings(left.ra, left.dec, tree, radius_arcsec=settings.radius,
                          pair_count=np.bincount(one, minlength=len(left)),
                          neighbours=settings.density_neighbours)
    if settings.best_only:
        order, best = order[best], best[best]
    one, other = one[order], other[order]
    return Matches(
        left, right, one, other, separation[order], angle[order], normalized[order],
        around.chance_probability(one, separation[order]), best,
        around.chance_probability(np.arange(len(left)), settings.radius))


def _pairs(left_vectors: np.ndarray, tree: "scipy.spatial.cKDTree",
           radius_arcsec: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows of left and right and separations (P) in arcsec of the pairs within a radius."""
    # The tree compares chords, good to 1e-16: a little beyond, and the exact angle decides.
    chord = 2 * np.sin(radius_arcsec / ARCSEC_PER_RADIAN / 2) * (1 + 1e-9) + 1e-14
    found = scipy.spatial.cKDTree(left_vectors).sparse_distance_matrix(
        tree, chord, output_type="ndarray")
    one, other = found["i"].astype(int), found["j"].astype(int)
    separation = separation_arcsec(left_vectors[one], tree.data[other])
    within = separation <= radius_arcsec
    return one[within], other[within], separation[within]


def normalized_separation(left: Catalogue, right: Catalogue, one: np.ndarray, other: np.ndarray,
                          settings: MatchSettings) -> np.ndarray:
    """Return the separations (P) of pairs in units of the joint error.

    r = sqrt(d^T C^-1 d) with d the offset on the sky and C the sum of the two sources' error
    matrices and of the square of the systematic error on each axis; away from the poles this is
    r^2 = (da cos d)^2 / (s_a,l^2 + s_a,r^2 + s^2) + (dd)^2 / (s_d,l^2 + s_d,r^2 + s^2) of de
    Ruiter, Willis & Arp (1977, A&AS 28, 211). The right source's error ellipse is turned from its
    own north to that of the left source, which matters within a few radii of a pole.

    Parameters
    ----------
    left, right : Catalogue
        Unknown errors are `settings.position_error`.
    one, other : (P) int
        Rows of left and right.

    Returns
    -------
    (P) float
        0 for equal positions; infinite for others whose joint error is zero.
    """
    left_vectors = unit_vectors(left.ra[one], left.dec[one])
    right_vectors = unit_vectors(right.ra[other], right.dec[other])
    distance = separation_arcsec(left_vectors, right_vectors)
    angle = np.radians(position_angle_deg(left.ra[one], left.dec[one], right_vectors))
    back = np.radians(position_angle_deg(right.ra[other], right.dec[other], left_vectors))
    # The great circle is the same line for both, seen from its two ends.
    turn = np.where(distance > 0, angle - back + np.pi, 0.0)
    left_east, left_north = (_variance(e[one], settings) for e in (left.ra_error, left.dec_error))
    right_east, right_north = (_variance(e[other], settings)
                               for e in (right.ra_error, right.dec_error))
    cos, sin = np.cos(turn), np.sin(turn)
    floor = settings.systematic_error**2
    east = left_east + right_east * cos**2 + right_north * sin**2 + floor
    north = left_north + right_east * sin**2 + right_north * cos**2 + floor
    mixed = (right_north - right_east) * sin * cos
    east_offset, north_offset = distance * np.sin(angle), distance * np.cos(angle)
    squared = (north * east_offset**2 - 2 * mixed * east_offset * north_offset
               + east * north_offset**2)
    determinant = east * north - mixed**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance == 0, 0.0, np.sqrt(squared / determinant))


def _variance(errors: np.ndarray, settings: MatchSettings) -> np.ndarray:
    return np.square(np.where(np.isnan(errors), settings.position_error, errors))
