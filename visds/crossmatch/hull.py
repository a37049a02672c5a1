"""The convex hull of the sources around a position: as far as they tell of the footprint.

However a convex footprint ends, the sources inside the hull of those that are strewn over it at
random are strewn at random too: their number is Poisson's for the area of the hull (Baldin & Reiss
2016, Stoch. Proc. Appl. 126, 3716). So they give the density at an edge, in a corner and far from
both without that the edge is known.
"""

import numba
import numpy as np
from numba import boolean, float64, types


@numba.njit(nogil=True)
def _vertices(x, y):
    """Return the corners of the hull, anticlockwise (Andrew 1979, Inf. Proc. Lett. 9, 216)."""
    # By x, and by y where x is the same.
    order = np.argsort(y, kind="mergesort")
    order = order[np.argsort(x[order], kind="mergesort")]
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


@numba.njit(nogil=True)
def _is_near(x, y, corner_x, corner_y, near):
    for v in range(len(corner_x)):
        if (x - corner_x[v]) ** 2 + (y - corner_y[v]) ** 2 <= near**2:
            return True
    return False


@numba.njit(nogil=True)
def _width(corner_x, corner_y):
    """Return the least distance between parallels that the hull lies between."""
    least = np.inf
    for v in range(len(corner_x)):
        along_x, along_y = corner_x[v] - corner_x[v - 1], corner_y[v] - corner_y[v - 1]
        length = np.hypot(along_x, along_y)
        if length == 0:
            continue
        farthest = 0.0
        for w in range(len(corner_x)):
            farthest = max(farthest, along_x * (corner_y[w] - corner_y[v])
                           - along_y * (corner_x[w] - corner_x[v]))
        least = min(least, farthest / length)
    return least


@numba.njit(nogil=True)
def _spread(turn, height, corner_x, corner_y):
    """Return places (2, nodes) that cover the hull as evenly as those of the disc cover the disc.

    What part of the disc an angle sweeps, that part of the hull it sweeps about the mean corner,
    from the western edge on, and the height between centre and rim is that between mean corner and
    edge.
    """
    centre_x, centre_y = np.mean(corner_x), np.mean(corner_y)
    x, y = corner_x - centre_x, corner_y - centre_y
    swept = np.zeros(len(x) + 1)
    for v in range(len(x)):
        swept[v + 1] = swept[v] + max(x[v - 1] * y[v] - y[v - 1] * x[v], 0.0)
    found = np.empty((2, len(turn)))
    for i in range(len(turn)):
        place = turn[i] * swept[-1]
        v = min(np.searchsorted(swept, place, side="right"), len(x)) - 1
        part = (place - swept[v]) / (swept[v + 1] - swept[v])
        found[0, i] = centre_x + height[i] * (x[v - 1] + part * (x[v] - x[v - 1]))
        found[1, i] = centre_y + height[i] * (y[v - 1] + part * (y[v] - y[v - 1]))
    return found


@numba.njit(types.UniTuple(float64[:], 5)(
    float64[:, :], float64[:, :], boolean[:, :], float64, float64[:], float64[:],
    float64[:, :]), cache=True, nogil=True, error_model="numpy")
def inside_hull(
        east: np.ndarray, north: np.ndarray, used: np.ndarray, hole: float, deep: np.ndarray,
        small: np.ndarray, nodes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
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
        is not measured, but of a small hull.
    small : (N) float
        Area of the hull below which its inside is measured at any depth.
    nodes : (2, nodes) float
        Places that cover the unit disc evenly, to count the area by.

    Returns
    -------
    number : (N) float
        Sources inside.
    area : (N) float
        Where they are; 0 where it is not measured or `weight` is 0.
    clumps : (N) float
        Of all the sources, those nearer to each other than the mean spacing, times a factor by
        which singles strewn at random, near each other by chance, are as many as they are. Of
        close clumps, which are not, it makes up to 1.8 times too many.
    strip : (N) float
        Area of the widest strip between an edge and its parallel through the position, as long as
        the edge; 0 inside.
    weight : (N) float
        0 where the hull is not as wide as half the mean spacing, as of sources on a line, whose
        hull has the area of their scatter. It rises to 1 at the mean spacing, so that what is made
        of the inside changes steadily with the width.
    """
    rows, width = east.shape
    number, area, clumps, strip, weight = np.zeros((5, rows))
    turn = np.arctan2(nodes[1], nodes[0]) / (2 * np.pi) % 1
    height = np.hypot(nodes[0], nodes[1])
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
        whole, depth = 0.0, np.inf
        for v in range(len(vertex)):
            twice = corner_x[v - 1] * corner_y[v] - corner_y[v - 1] * corner_x[v]
            length = np.hypot(corner_x[v] - corner_x[v - 1], corner_y[v] - corner_y[v - 1])
            if length > 0:
                depth = min(depth, twice / length)
            whole += twice / 2
            strip[n] = max(strip[n], -twice)
        if depth >= deep[n] and (whole >= small[n] or np.isinf(depth)):
            continue
        by_chance = count / max(count - len(vertex), 1)
        near = np.sqrt(max(whole, 0.0) * by_chance / (np.pi * count))
        across = _width(corner_x, corner_y)
        # Of rounding alone, not even the sign of an area tells.
        if across > 1e-9 * np.max(np.hypot(corner_x - corner_x[0], corner_y - corner_y[0])):
            weight[n] = min(max(2 * across / near - 1, 0.0), 1.0)
        for i in range(count):
            clumps[n] += 1 / np.sum((x[:count] - x[i]) ** 2 + (y[:count] - y[i]) ** 2 <= near**2)
        clumps[n] = min(clumps[n] * by_chance / (1 - np.exp(-by_chance)), count)
        for i in range(count):
            number[n] += not _is_near(x[i], y[i], corner_x, corner_y, near)
        if weight[n] == 0:
            continue
        places = _spread(turn, height, corner_x, corner_y)
        free = 0
        for i in range(nodes.shape[1]):
            u, v = places[0, i], places[1, i]
            free += u**2 + v**2 > hole**2 and not _is_near(u, v, corner_x, corner_y, near)
        area[n] = whole * free / nodes.shape[1]
    return number, area, clumps, strip, weight
