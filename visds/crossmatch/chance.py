"""The probability that a match is a chance alignment, from a catalogue's sources around it.

It is the fraction of the sky around a position that lies within a separation of any source: what
happens to places taken at random. For sources strewn at random with density rho that is
1 - exp(-pi r^2 rho), Poisson's probability that a disc is not empty. Real catalogues hold resolved
doubles and clumps, whose sources are near the same places: counting sources alone, it came out 13
percent too large within 60 arcsec in FIRST, half as much again in VLASS components.

Unlike the corrected probability of Downes et al. (1986, MNRAS 218, 31), it does not weigh how
bright the sources are.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from visds.core.astrometry import ARCSEC_PER_RADIAN, east_north, unit_vectors
from visds.crossmatch.overlap import own_share

# Below this chance that a place inside the footprint is so far from any source, it is outside.
VOID_PROBABILITY = 1e-4
FEWEST = 3
"""Sources beyond the search radius without which there is no density."""
UNKNOWN = f"fewer than {FEWEST} of the catalogue's sources lie beyond the search radius"
"""Why a chance probability is NaN."""
# Taken off the squared mean offset, times k: 1/2 is the mean of random places in a whole disc; the
# other half makes up for never correcting downwards, and leaves the density of a Poisson field
# right to 2 percent for k = 50.
_NOISE = 1.0
# Radii between which shares are interpolated.
_RADII = 9
_BLOCK_SIZE = 4_000_000


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The sources of a catalogue around positions, free of the matches themselves.

    Attributes
    ----------
    density : (N) float
        Sources per square arcsec; 0 where the position is outside the footprint: it has no pair,
        and less than half of its surroundings is covered, or a void around it would be a chance
        of 1e-4. NaN where fewer than three sources lie beyond the search radius.
    radius_arcsec : (G) float
        From 0 to the search radius.
    share : (N, G) float
        Mean over the sources around of what falls to one of the disc of each radius (see
        `overlap.own_share`).
    """

    density: np.ndarray
    radius_arcsec: np.ndarray
    share: np.ndarray

    def chance_probability(self, rows: np.ndarray, separation_arcsec: np.ndarray) -> np.ndarray:
        """Return the probability (P) that an unrelated source lies within a separation.

        P = rho pi r^2 s with the density rho and the share s of a disc of radius r: the fraction
        of the area around that is within r of a source. NaN where the density is NaN.

        Parameters
        ----------
        rows : (P) int
            Rows of the positions.
        separation_arcsec : (P) float
            At most the search radius.
        """
        separation = np.broadcast_to(separation_arcsec, np.shape(rows))
        place = np.interp(separation, self.radius_arcsec, np.arange(len(self.radius_arcsec)))
        below = np.minimum(place.astype(int), len(self.radius_arcsec) - 2)
        part = place - below
        share = (1 - part) * self.share[rows, below] + part * self.share[rows, below + 1]
        return np.minimum(np.pi * separation**2 * self.density[rows] * share, 1.0)


def surroundings(ra: np.ndarray, dec: np.ndarray, tree: "scipy.spatial.cKDTree", *,
                 radius_arcsec: float, pair_count: np.ndarray, neighbours: int) -> Surroundings:
    """Return what of a catalogue lies around positions.

    The k nearest sources beyond the search radius span an annulus; k - 1 over its area is the
    unbiased estimate of a Poisson density (the k-th source lies on the rim). Where the catalogue's
    footprint ends inside the annulus, the neighbours lie to one side: their mean offset gives the
    distance of the edge, taken as straight, and so the covered fraction of the area (`coverage`).
    A clump has its share in the mean offset once, for its sources do not scatter independently.

    Parameters
    ----------
    ra, dec : (N) float
        Positions in deg.
    tree : cKDTree
        Of the catalogue's unit vectors (M, 3).
    radius_arcsec : float
        The search radius; sources within it are left out, for they are the matches.
    pair_count : (N) int
        How many sources of the catalogue lie within the radius.
    neighbours : int
        k, and at least three times the pairs; all that there are, where there are fewer.

    """
    most = int(np.max(pair_count + _neighbours_asked(pair_count, neighbours), initial=1))
    rows = max(1, _BLOCK_SIZE // (3 * most))
    radius = np.linspace(0, radius_arcsec, _RADII)
    density, share = np.full(len(ra), np.nan), np.ones((len(ra), _RADII))
    if tree.n:
        for start in range(0, len(ra), rows):
            block = slice(start, start + rows)
            density[block], share[block] = _block(ra[block], dec[block], tree, radius,
                                                  pair_count[block], neighbours)
    return Surroundings(density, radius, share)


def _block(ra, dec, tree, radius, pair_count, neighbours) -> tuple[np.ndarray, np.ndarray]:
    """Return density (N) and shares (N,G) of one block of positions."""
    hole = 2 * np.sin(radius[-1] / ARCSEC_PER_RADIAN / 2)
    asked = _neighbours_asked(pair_count, neighbours)
    wanted = min(int(np.max(pair_count + asked)), tree.n)
    # A chord is the radius of Lambert's equal-area map: pi chord^2 is the area of a cap of any
    # size, so that the formulae of the plane hold on the sphere.
    chord, index = tree.query(unit_vectors(ra, dec), k=np.arange(1, wanted + 1))
    rank = np.arange(wanted)
    beyond = (rank >= pair_count[:, None]) & (rank < (pair_count + asked)[:, None])
    count = beyond.sum(axis=1)
    rim = np.max(np.where(beyond, chord, 0.0), axis=1)
    share, clumps, weight = _shares(tree, index, beyond, radius)
    offset = _mean_offset(ra, dec, chord, tree.data[index], weight)
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = hole / rim
        # From the mean offset in the annulus to that in the whole disc; exact for an edge that
        # passes through the position, where the most depends on it.
        covered = coverage(offset / rim * (1 - inner**2) / (1 - inner**3), clumps)
        density = (count - 1) / (np.pi * covered * (rim**2 - hole**2))
    density = np.where((count >= FEWEST) & (rim > hole), density, np.nan)
    void = np.exp(-np.pi * density * chord[:, 0]**2) < VOID_PROBABILITY
    density[(void | (covered < 0.5)) & (pair_count == 0)] = 0.0
    return density / ARCSEC_PER_RADIAN**2, share


def _shares(tree, index, beyond, radius) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean shares (N,G), their sum (N) and each one's (N,k) at the largest radius."""
    used, place = np.unique(index[beyond], return_inverse=True)
    own = np.ones((len(used), len(radius)))
    own[:, 1:] = own_share(tree, used, radius[1:])
    weight = np.zeros(beyond.shape)
    share = np.empty((len(beyond), len(radius)))
    for column in range(len(radius)):
        weight[beyond] = own[place, column]
        share[:, column] = weight.sum(axis=1) / np.maximum(beyond.sum(axis=1), 1)
    return share, weight.sum(axis=1), weight


def _neighbours_asked(pair_count: np.ndarray, neighbours: int) -> np.ndarray:
    """Return k (N): more where the radius holds many, so that the annulus stays a wide one."""
    return np.maximum(neighbours, 3 * pair_count)


def _mean_offset(ra, dec, chord, vectors, weight) -> np.ndarray:
    """Return the length (N) of the weighted mean offset of the neighbours in the equal-area map."""
    components = [np.einsum("nki,ni->nk", vectors, axis) for axis in east_north(ra, dec)]
    length = np.hypot(*components)
    scale = weight * np.where(length > 0, chord / np.where(length > 0, length, 1.0), 0.0)
    total = [np.sum(component * scale, axis=1) for component in components]
    return np.hypot(*total) / np.maximum(weight.sum(axis=1), 1)


def coverage(mean_offset: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the fraction (N) of a disc that a footprint with a straight edge covers.

    For a uniform disc of radius 1 cut by a chord at distance x from its centre (negative: the
    centre is outside), the covered fraction is F = 1 - (arccos x - x sqrt(1-x^2))/pi and the mean
    offset (2/3) (1-x^2)^(3/2) / (pi F); the second is inverted to get the first.

    Parameters
    ----------
    mean_offset : (N) float
        Length of the mean offset of the sources in units of the disc's radius.
    count : (N) int
        How many sources; what random places in the whole disc would give is taken off.
    """
    squared = np.square(mean_offset) - _NOISE / np.maximum(count, 1)
    true_offset = np.sqrt(np.maximum(squared, 0.0))
    return np.interp(true_offset, _OFFSET, _COVERED)


def _edge_table() -> tuple[np.ndarray, np.ndarray]:
    edge = np.cos(np.linspace(0, np.pi, 2001))[:-20]
    covered = 1 - (np.arccos(edge) - edge * np.sqrt(1 - edge**2)) / np.pi
    return 2 / 3 * (1 - edge**2)**1.5 / (np.pi * covered), covered


_OFFSET, _COVERED = _edge_table()
