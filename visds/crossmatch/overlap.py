"""How much of the sky near a catalogue's sources is shared between neighbours.

Sources come in clumps: a resolved double is two of them. Of the places within a radius of a clump
most are within that of several of its sources, so that fewer places have a source near than there
would be with the same number of sources strewn at random.
"""

import numpy as np
import scipy

from visds.core.astrometry import ARCSEC_PER_RADIAN, east_north, ra_dec
from visds.crossmatch.spiral import vogel_spiral

_NODES = 60
_BLOCK_SIZE = 4_000_000


def own_share(tree: "scipy.spatial.cKDTree", rows: np.ndarray,
              radius_arcsec: np.ndarray) -> np.ndarray:
    """Return what falls to sources of the discs around them, as a fraction of a disc.

    Where the discs of several sources overlap, the area is divided evenly among them: the share of
    a source is the mean of 1/n over its disc, n the number of the catalogue's sources within the
    radius. So the shares of all sources add up to the area that is within the radius of any.

    Parameters
    ----------
    tree : cKDTree
        Of the catalogue's unit vectors (M, 3).
    rows : (N) int
        Sources whose shares are wanted.
    radius_arcsec : (G) float
        Radii of the discs; those of radius 0 do not overlap.

    Returns
    -------
    (N, G) float
        1 for a source without another within twice the radius.
    """
    share = np.ones((len(rows), len(radius_arcsec)))
    # Chords are lengths in Lambert's equal-area map about each source.
    radius = 2 * np.sin(np.asarray(radius_arcsec) / ARCSEC_PER_RADIAN / 2)
    if len(rows):
        reach = 2 * radius.max()
        other, _ = tree.query(tree.data[rows], k=[2], distance_upper_bound=reach)
        crowded = np.flatnonzero(other[:, 0] < reach)
        count = tree.query_ball_point(tree.data[rows[crowded]], reach, return_length=True)
        block = np.cumsum(count) // (_BLOCK_SIZE // _NODES)
        for members in np.split(crowded, np.flatnonzero(np.diff(block)) + 1):
            share[members] = _shared(tree, rows[members], radius)
    return share


def _shared(tree: "scipy.spatial.cKDTree", rows: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Return the shares (N,G) of some sources, by the places of their neighbours."""
    share = np.ones((len(rows), len(radius)))
    found = scipy.spatial.cKDTree(tree.data[rows]).sparse_distance_matrix(
        tree, 2 * radius.max(), output_type="ndarray")
    found = found[rows[found["i"]] != found["j"]]
    found = found[np.argsort(found["i"], kind="stable")]
    distance = found["v"]
    offset = _offsets(tree.data[rows[found["i"]]], tree.data[found["j"]], distance)
    nodes = vogel_spiral(_NODES)
    # |x / r - node| <= 1, multiplied out: the product of these exceeds that of the node itself.
    least = (np.sum(nodes**2, axis=0) - 1) / 2
    nodes = np.append(nodes, [-np.ones(_NODES) / 2], axis=0).astype(np.float32)
    for column, r in enumerate(radius):
        near = np.flatnonzero(distance < 2 * r)
        if len(near):
            scaled = np.column_stack([offset[near] / r, np.square(distance[near] / r)])
            covers = scaled.astype(np.float32) @ nodes >= least.astype(np.float32)
            member, first = np.unique(found["i"][near], return_index=True)
            among = 1 + np.add.reduceat(covers, first, axis=0, dtype=np.uint32)
            share[member, column] = np.mean(1 / among, axis=1)
    return share


def _offsets(vectors: np.ndarray, others: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Return the places (Q,2), east and north, of others in the equal-area maps about vectors."""
    offset = np.stack([np.einsum("qi,qi->q", others, axis)
                       for axis in east_north(*ra_dec(vectors))], axis=1)
    length = np.hypot(offset[:, 0], offset[:, 1])
    return offset * np.where(length > 0, distance / np.where(length > 0, length, 1.0), 0.0)[:, None]
