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
from functools import partial

import numpy as np
import scipy

from visds.core.astrometry import ARCSEC_PER_RADIAN, east_north, unit_vectors
from visds.crossmatch.overlap import own_share
from visds.crossmatch.places import Places
from visds.crossmatch.spiral import vogel_spiral

# Below this chance that a place inside the footprint is so far from any source, it is outside.
VOID_PROBABILITY = 1e-4
FEWEST = 3
"""Places of sources beyond the search radius without which there is no density."""
UNKNOWN = f"fewer than {FEWEST} places of the catalogue's sources lie beyond the search radius"
"""Why a chance probability is NaN."""
ENOUGH = 10
"""Clumps without which places stand for sources, and places without which nothing is outside."""
MOST_ON_RIM = 0.2
"""Of the sources: in the clump on the rim. More are the many rows of one source."""
# Sources, one a clump, that an empty segment of the disc would hold if it were not beyond an edge,
# and as part of all. Were fewer enough, hulls small by chance would give too high a density, and
# were more needed, edges that are overlooked too low a one: with these the two are even.
_SEGMENT = 6.0
_SEGMENT_OF_ALL = 0.2
# Of the disc's area: that of a hull below which the sources are in a strip, all of whose places are
# near its edges.
_SMALL = 1 / 3
# By which `inside_hull` finds too many clumps at most.
_MOST_APART = 1.8
# Of sources strewn at random: the mean of 1 / (1 + n) over Poisson's n of mean 1, see `companions`.
_CLUMPS_OF_SINGLES = 1 - np.exp(-1)
# By which the area inside a hull is counted.
_NODES = vogel_spiral(100)
# Distance of a chord from the centre of the unit disc, and the part of the disc beyond it.
_CHORD = np.cos(np.linspace(0, np.pi, 2001))
_BEYOND = (np.arccos(_CHORD) - _CHORD * np.sqrt(1 - _CHORD**2)) / np.pi
# Radii between which shares are interpolated.
_RADII = 9
_BLOCK_SIZE = 4_000_000


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The sources of a catalogue around positions, free of the matches themselves.

    Attributes
    ----------
    density : (N) float
        Sources per square arcsec, or places of sources (see `places.Places`) where the sources
        around are of few clumps. Where the position has no pair and all sources are to one side,
        times the chance that the footprint reaches it; 0 where that is below 1e-4, or a void
        around it would be such a chance. NaN where the sources beyond the search radius are at
        fewer than three places.
    radius_arcsec : (G) float
        From 0 to the search radius.
    share : (N, G) float
        Mean over the sources, or places, around of what falls to one of the disc of each radius
        (see `overlap.own_share`).
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
    unbiased estimate of a Poisson density (the k-th source lies on the rim). Of sources in clumps
    the whole clump on the rim is left out (`companions`), for it is not there by chance.

    Where a segment of the annulus is without sources that would hold six by chance, or all of the
    catalogue's are in it, or their hull is small, its footprint may end there. The density is then
    that inside the convex hull of the sources (see `inside_hull`), whatever the footprint's shape
    as long as it is convex on that scale. A position outside the hull may still be inside the
    footprint, and the density is multiplied by the chance for it: that the strip between the hull
    and the position is empty. Over straight edges this gives outside the hull as many sources as it
    has vertices, which is what is missed inside them (Efron 1965, Biometrika 52, 331).

    Where the k sources are fewer than ten clumps, or more than a fifth of them are in that on the
    rim, as in a catalogue of many epochs, the k nearest places of sources (see `places.Places`)
    are taken in their stead. Fewer than ten of them tell of no footprint: no position is then
    outside.

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
    radius = np.linspace(0, radius_arcsec, _RADII)
    found = Surroundings(np.full(len(ra), np.nan), radius, np.ones((len(ra), _RADII)))
    if not (tree.n and len(ra)):
        return found
    # Positions near each other have the same sources around: each is looked up once.
    rows = scipy.spatial.cKDTree(unit_vectors(ra, dec)).indices
    is_matched = pair_count > 0
    is_telling = _fill(found, rows, ra, dec, tree, partial(own_share, tree), pair_count, neighbours,
                       is_matched)
    rows = rows[~is_telling]
    if len(rows):
        places = Places(tree, radius_arcsec)
        within = np.zeros(len(ra), int)
        within[rows] = places.tree.query_ball_point(
            unit_vectors(ra[rows], dec[rows]), _chord(radius_arcsec), return_length=True)
        _fill(found, rows, ra, dec, places.tree, places.share, within, neighbours, is_matched,
              is_last=True)
    return found


def _chord(angle_arcsec: float) -> float:
    return 2 * np.sin(angle_arcsec / ARCSEC_PER_RADIAN / 2)


def _fill(found, rows, ra, dec, tree, share_of, pair_count, neighbours, is_matched, *,
          is_last=False) -> np.ndarray:
    """Write density and shares of some positions, and return whether (N) their neighbours tell.

    Unless these are the last to be asked, shares are written only where they do.
    """
    asked = np.maximum(neighbours, 3 * pair_count)
    step = max(1, _BLOCK_SIZE // (3 * int(np.max((pair_count + asked)[rows]))))
    is_telling = np.empty(len(rows), dtype=bool)
    for start in range(0, len(rows), step):
        block = rows[start:start + step]
        density, tells, index, beyond = _annulus(
            ra[block], dec[block], tree, _chord(found.radius_arcsec[-1]), pair_count[block],
            asked[block], is_matched[block])
        found.density[block], is_telling[start:start + step] = density, tells
        known = (tells | is_last) & ~np.isnan(density)
        found.share[block[known]] = _shares(tree, share_of, index[known], beyond[known],
                                            found.radius_arcsec)
    return is_telling


def _annulus(ra, dec, tree, hole, pair_count, asked, is_matched):
    """Return of one block density and whether it tells (N), neighbours and which are used (N,k)."""
    from visds.crossmatch.clumps import companions
    from visds.crossmatch.hull import inside_hull

    wanted = min(int(np.max(pair_count + asked)), tree.n)
    # A chord is the radius of Lambert's equal-area map: pi chord^2 is the area of a cap of any
    # size, so that the formulae of the plane hold on the sphere.
    chord, index = tree.query(unit_vectors(ra, dec), k=np.arange(1, wanted + 1))
    rank = np.arange(wanted)
    beyond = (rank >= pair_count[:, None]) & (rank < (pair_count + asked)[:, None])
    count = beyond.sum(axis=1)
    farthest = np.minimum(pair_count + asked, wanted) - 1
    rim = np.where(count > 0, chord[np.arange(len(ra)), farthest], 0.0)
    east, north = _offsets(ra, dec, chord, tree.data[index])
    near = companions(chord, east, north, beyond)
    clumps = np.sum(np.divide(1.0, near, out=np.zeros(near.shape), where=beyond), axis=1)
    on_rim = near[np.arange(len(ra)), farthest]
    with np.errstate(divide="ignore", invalid="ignore"):
        empty = np.minimum(_SEGMENT, _SEGMENT_OF_ALL * count) * _CLUMPS_OF_SINGLES / clumps
        deep = np.maximum(np.interp(empty, _BEYOND, _CHORD), 0) * rim
        deep[pair_count + asked >= tree.n] = np.inf
        deep[count < ENOUGH] = -np.inf
        small = np.where(count < ENOUGH, 0.0, _SMALL * np.pi * rim**2)
        number, area, apart, strip, weight = inside_hull(
            east, north, beyond, hole, deep, small, _NODES)
        is_edge = (area > 0) & (apart >= ENOUGH)
        weight = np.where(is_edge, weight, 0.0)
        density = np.maximum(count - on_rim, 1) / (np.pi * (rim**2 - hole**2))
        density *= (np.maximum(number, 1) / np.where(is_edge, area, 1.0) / density)**weight
        # All clumps but that on the rim are beyond the nearest source.
        void = (1 - (chord[:, 0] / rim)**2)**(clumps - 1)
        reaches = np.exp(-weight * strip * density * apart / np.maximum(count, 1))
    reaches[(reaches < VOID_PROBABILITY) | (void < VOID_PROBABILITY)] = 0.0
    may_end = ~is_matched & (count >= ENOUGH)
    density[may_end] *= reaches[may_end]
    density[(count < FEWEST) | (rim <= hole)] = np.nan
    # In a strip the disc's mean spacing holds several sources that are far apart in the hull.
    clumps = np.where(is_edge, np.maximum(clumps, apart / _MOST_APART), clumps)
    is_telling = (clumps >= ENOUGH) & (on_rim <= MOST_ON_RIM * count)
    return density / ARCSEC_PER_RADIAN**2, is_telling, index, beyond


def _shares(tree, share_of, index, beyond, radius) -> np.ndarray:
    """Return the mean shares (N,G) of the sources beyond the search radius."""
    is_used = np.zeros(tree.n, dtype=bool)
    is_used[index[beyond]] = True
    # In the order of the tree, in which sources near each other are also near in memory.
    used = tree.indices[is_used[tree.indices]]
    row = np.empty(tree.n, dtype=int)
    row[used] = np.arange(len(used))
    place = row[index[beyond]]
    own = np.asfortranarray(share_of(used, radius))
    weight = np.zeros(beyond.shape)
    share = np.empty((len(beyond), len(radius)))
    for column in range(len(radius)):
        weight[beyond] = own[place, column]
        share[:, column] = weight.sum(axis=1) / np.maximum(beyond.sum(axis=1), 1)
    return share


def _offsets(ra, dec, chord, vectors) -> tuple[np.ndarray, np.ndarray]:
    """Return the places (N,k) of the neighbours, east and north, in the equal-area map."""
    east, north = (np.einsum("nki,ni->nk", vectors, axis) for axis in east_north(ra, dec))
    length = np.hypot(east, north)
    scale = np.where(length > 0, chord / np.where(length > 0, length, 1.0), 0.0)
    return east * scale, north * scale
