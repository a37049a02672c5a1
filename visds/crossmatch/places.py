"""The places of a catalogue's sources: rows so near each other that they are one place.

A catalogue of many epochs has as many rows of each source. The nearest rows around a position are
then those of a few sources, however many rows are asked for.
"""

import numpy as np
import scipy

from visds.core.astrometry import ARCSEC_PER_RADIAN
from visds.crossmatch.overlap import own_share

# The least side of a cell: epochs scatter by less, however small the search radius.
_LEAST_ARCSEC = 2.0
# Sources of a place that stand for all of its.
_SAMPLE = 10


class Places:
    """Sources of a catalogue by cells as wide as the search radius, of at least 2 arcsec.

    Attributes
    ----------
    tree : cKDTree
        Of the mean unit vectors (L, 3) of the sources of each place.
    """

    def __init__(self, sources: "scipy.spatial.cKDTree", radius_arcsec: float):
        """Put sources into places.

        Parameters
        ----------
        sources : cKDTree
            Of the catalogue's unit vectors (M, 3).
        radius_arcsec : float
            The search radius.
        """
        side = max(radius_arcsec, _LEAST_ARCSEC) / ARCSEC_PER_RADIAN
        cell = np.floor(sources.data / side).T
        self._sources = sources
        self._row = np.lexsort(cell)
        is_new = np.any(np.diff(cell[:, self._row], axis=1) != 0, axis=0)
        self._first = np.append(0, np.flatnonzero(is_new) + 1)
        self._count = np.diff(np.append(self._first, sources.n))
        vectors = np.add.reduceat(sources.data[self._row], self._first)
        self.tree = scipy.spatial.cKDTree(vectors / np.linalg.norm(vectors, axis=1)[:, None])

    def share(self, places: np.ndarray, radius_arcsec: np.ndarray) -> np.ndarray:
        """Return what falls to all sources of a place, in units of one disc.

        It is the number of its sources times the mean of their shares (see `overlap.own_share`),
        of up to ten taken evenly from them.

        Parameters
        ----------
        places : (N) int
            Rows of the tree.
        radius_arcsec : (G) float
            Radii of the discs; those of radius 0 do not overlap.

        Returns
        -------
        (N, G) float
            1 for a place without another source within twice the radius, whose sources are all in
            one point; more the farther they are apart.
        """
        count = self._count[places]
        taken = np.minimum(count, _SAMPLE)
        start = np.cumsum(taken) - taken
        rank = np.arange(taken.sum()) - np.repeat(start, taken)
        member = np.repeat(self._first[places], taken) + (
            rank * np.repeat(count, taken) // np.repeat(taken, taken))
        own = own_share(self._sources, self._row[member], radius_arcsec)
        return np.add.reduceat(own, start) * (count / taken)[:, None]
