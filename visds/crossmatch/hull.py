"""The convex hull of the sources around a position: as far as they tell of the footprint.

However a convex footprint ends, the sources inside the hull of those that are strewn over it at
random are strewn at random too: their number is Poisson's for the area of the hull (Baldin & Reiss
2016, Stoch. Proc. Appl. 126, 3716). So they give the density at an edge, in a corner and far from
both without that the edge is known.
"""

import numba
import numpy as np
from numba import boolean, float64, types


@numba.njit(cache=True, nogil=True)
def _vertices(x, y):
    """Return the corners of the hull, anticlockwise (Andrew 1979, Inf. Proc. Lett. 9, 216)."""
    order = np.argsort(x)
    count = len(x)
    found = np.empty(2 * count, np.int64)
    length = 0
    for side in range(2):
        first = length
        for place in range(count):
            i = order[place] if side == 0 else order[count - 1 - place]
            while length - first >= 2:
                last, before = found[length - 1], found[length - 2]
                turn = ((x[last] - x[before]) * (y[i] - y[before])
                        - (y[last] - y[before]) * (x[i] - x[before]))
                if turn > 0:
                    break
                length -= 1
            found[length] = i
            length += 1
        # The last of one side is the first of the other.
        length -= 1
    return found[:length]


@numba.njit(cache=True, nogil=True)
def _is_near(x, y, corner_x, corner_y, near):
    for v in range(len(corner_x)):
        if (x - corner_x[v]) ** 2 + (y - corner_y[v]) ** 2 <= near**2:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _is_within(x, y, corner_x, corner_y):
    for v in range(len(corner_x)):
        if ((corner_x[v] - corner_x[v - 1]) * (y - corner_y[v - 1])
                < (corner_y[v] - corner_y[v - 1]) * (x - corner_x[v - 1])):
            return False
    return True


@numba.njit(types.UniTuple(float64[:], 4)(
    float64[:, :], float64[:, :], boolean[:, :], float64, float64[:], float64[:, :]), cache=True,
    nogil=True, error_model="numpy")
def inside_hull(
        east: np.ndarray, north: np.ndarray, used: np.ndarray, hole: float, deep: np.ndarray,
        nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return what is inside the hulls of sources about positions, and how far outside these are.

    What is nearer to a vertex than the mean spacing is left out, sources and area, for the others
    of a vertex's clump are not there by chance; so is the hole about the position.

    Parameters
    ----------
    east, north : (N, k) float
        Places of the sources about each position.
    used : (N, k) bool
        The others are passed over.
    hole : float
        Radius about the position within which no source is used.
    deep : (N) float
        Distance of the position from the nearest edge, negative outside, from which on the inside
        is not measured.
    nodes : (2, nodes) float
        Places that cover the unit disc evenly, to count the area by.

    Returns
    -------
    number : (N) float
        Sources inside.
    area : (N) float
        Where they are; 0 where it is not measured or too thin for it, as of sources on a line.
    clumps : (N) float
        Of all the sources, those nearer to each other than the mean spacing, times a factor by
        which singles strewn at random, near each other by chance, are as many as they are. Of
        close clumps, which are not, it makes up to 1.8 times too many.
    strip : (N) float
        Area of the widest strip between an edge and its parallel through the position, as long as
        the edge; 0 inside.
    """
    rows, width = east.shape
    number, area, clumps, strip = np.zeros((4, rows))
    x, y = np.empty(width), np.empty(width)
    for n in range(rows):
        count = 0
        for i in range(width):
            if used[n, i]:
                x[count], y[count] = east[n, i], north[n, i]
                count += 1
        if count < 3:
            continue
        vertex = _vertices(x[:count], y[:count])
        corner_x, corner_y = x[vertex], y[vertex]
        centre_x, centre_y = np.mean(corner_x), np.mean(corner_y)
        whole, reach, depth = 0.0, 0.0, np.inf
        for v in range(len(vertex)):
            twice = corner_x[v - 1] * corner_y[v] - corner_y[v - 1] * corner_x[v]
            length = np.hypot(corner_x[v] - corner_x[v - 1], corner_y[v] - corner_y[v - 1])
            if length > 0:
                depth = min(depth, twice / length)
            whole += twice / 2
            strip[n] = max(strip[n], -twice)
            reach = max(reach, np.hypot(corner_x[v] - centre_x, corner_y[v] - centre_y))
        if depth >= deep[n]:
            continue
        by_chance = count / max(count - len(vertex), 1)
        near = np.sqrt(whole * by_chance / (np.pi * count))
        for i in range(count):
            clumps[n] += 1 / np.sum((x[:count] - x[i]) ** 2 + (y[:count] - y[i]) ** 2 <= near**2)
        clumps[n] = min(clumps[n] * by_chance / (1 - np.exp(-by_chance)), count)
        for i in range(count):
            number[n] += not _is_near(x[i], y[i], corner_x, corner_y, near)
        within, free = 0, 0
        for i in range(nodes.shape[1]):
            u, v = centre_x + reach * nodes[0, i], centre_y + reach * nodes[1, i]
            if _is_within(u, v, corner_x, corner_y):
                within += 1
                free += u**2 + v**2 > hole**2 and not _is_near(u, v, corner_x, corner_y, near)
        if within:
            area[n] = whole * free / within
    return number, area, clumps, strip
