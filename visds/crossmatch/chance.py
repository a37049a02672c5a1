"""The probability that a match is a chance alignment, from the local density of a catalogue."""

import numpy as np
from scipy.spatial import cKDTree

from visds.core.astrometry import ARCSEC_PER_RADIAN, east_north, unit_vectors

# Below this chance that a place inside the footprint is so far from any source, it is outside.
VOID_PROBABILITY = 1e-4
# Taken off the squared mean offset, times k: 1/2 is the mean of random places in a whole disc; the
# other half makes up for never correcting downwards, and leaves the density of a Poisson field
# right to 2 percent for k = 50.
_NOISE = 1.0
_BLOCK_SIZE = 4_000_000


def chance_probability(separation_arcsec: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Return the probability that an unrelated source lies within a separation.

    P = 1 - exp(-pi r^2 rho) for sources placed at random with `density` rho per square arcsec
    (de Ruiter, Willis & Arp 1977, A&AS 28, 211; Downes et al. 1986, MNRAS 218, 31). NaN
    where the density is NaN.
    """
    return -np.expm1(-np.pi * np.square(separation_arcsec) * density)


def local_density(ra: np.ndarray, dec: np.ndarray, tree: cKDTree, *, radius_arcsec: float,
                  pair_count: np.ndarray, neighbours: int) -> np.ndarray:
    """Return the density of a catalogue around positions, free of the matches themselves.

    The k nearest sources beyond the search radius span an annulus; k - 1 over its area is the
    unbiased estimate of a Poisson density (the k-th source lies on the rim). Where the catalogue's
    footprint ends inside the annulus, the neighbours lie to one side: their mean offset gives the
    distance of the edge, taken as straight, and so the covered fraction of the area (`coverage`).

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

    Returns
    -------
    density : (N) float
        Sources per square arcsec; 0 where the position is outside the footprint: it has no pair,
        and less than half of its surroundings is covered, or a void around it would be a chance
        of 1e-4. NaN where fewer than three sources lie beyond the radius.
    """
    density = np.empty(len(ra))
    most = int(np.max(pair_count + _neighbours_asked(pair_count, neighbours), initial=1))
    rows = max(1, _BLOCK_SIZE // (3 * most))
    for start in range(0, len(ra), rows):
        block = slice(start, start + rows)
        density[block] = _density_of_block(ra[block], dec[block], tree, radius_arcsec,
                                           pair_count[block], neighbours)
    return density


def _density_of_block(ra, dec, tree, radius_arcsec, pair_count, neighbours) -> np.ndarray:
    hole = 2 * np.sin(radius_arcsec / ARCSEC_PER_RADIAN / 2)
    asked = _neighbours_asked(pair_count, neighbours)
    if tree.n == 0:
        return np.full(len(ra), np.nan)
    wanted = min(int(np.max(pair_count + asked)), tree.n)
    # A chord is the radius of Lambert's equal-area map: pi chord^2 is the area of a cap of any
    # size, so that the formulae of the plane hold on the sphere.
    chord, index = tree.query(unit_vectors(ra, dec), k=np.arange(1, wanted + 1))
    rank = np.arange(wanted)
    beyond = (rank >= pair_count[:, None]) & (rank < (pair_count + asked)[:, None])
    count = beyond.sum(axis=1)
    rim = np.max(np.where(beyond, chord, 0.0), axis=1)
    offset = _mean_offset(ra, dec, chord, tree.data[index], beyond, count)
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = hole / rim
        # From the mean offset in the annulus to that in the whole disc; exact for an edge that
        # passes through the position, where the most depends on it.
        covered = coverage(offset / rim * (1 - inner**2) / (1 - inner**3), count)
        density = (count - 1) / (np.pi * covered * (rim**2 - hole**2))
    density = np.where((count >= 3) & (rim > hole), density, np.nan)
    void = np.exp(-np.pi * density * chord[:, 0]**2) < VOID_PROBABILITY
    density[(void | (covered < 0.5)) & (pair_count == 0)] = 0.0
    return density / ARCSEC_PER_RADIAN**2


def _neighbours_asked(pair_count: np.ndarray, neighbours: int) -> np.ndarray:
    """Return k (N): more where the radius holds many, so that the annulus stays a wide one."""
    return np.maximum(neighbours, 3 * pair_count)


def _mean_offset(ra, dec, chord, vectors, beyond, count) -> np.ndarray:
    """Return the length (N) of the mean offset of the neighbours in the equal-area map."""
    components = [np.einsum("nki,ni->nk", vectors, axis) for axis in east_north(ra, dec)]
    length = np.hypot(*components)
    scale = np.where(beyond & (length > 0), chord / np.where(length > 0, length, 1.0), 0.0)
    total = [np.sum(component * scale, axis=1) for component in components]
    return np.hypot(*total) / np.maximum(count, 1)


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
