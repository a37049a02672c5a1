"""The chance of alignment against a slow one: all distances, one position and source at a time."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.spatial import ConvexHull

from visds.core.astrometry import moved, unit_vectors
from visds.core.catalogue import Catalogue
from visds.crossmatch.match import match
from visds.crossmatch.settings import MatchSettings

ARCSEC = np.radians(1 / 3600)
# Vogel's spiral.
NODES, NODES_OF_HULL = (
    [np.sqrt((i + 0.5) / count) * np.array([np.cos(turn), np.sin(turn)])
     for i in range(count) for turn in [i * np.pi * (3 - np.sqrt(5))]] for count in (60, 100))


def chord(angle_arcsec):
    return 2 * np.sin(angle_arcsec * ARCSEC / 2)


def places_about(ra, dec, vectors):
    """Return distances (M) and places (M,2), east and north, in the equal-area map."""
    a, d = np.radians(ra), np.radians(dec)
    east = np.array([-np.sin(a), np.cos(a), 0.0])
    north = np.array([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)])
    distance = np.linalg.norm(vectors - unit_vectors(ra, dec), axis=1)
    place = np.stack([vectors @ east, vectors @ north], axis=1)
    length = np.hypot(*place.T)
    return distance, place * np.divide(distance, length, where=length > 0, out=length * 0)[:, None]


def share_of(source, sources, vectors, radius):
    """Return the mean of 1 / n over a source's disc, n the sources within the radius."""
    if radius == 0:
        return 1.0
    distance, place = places_about(sources[0][source], sources[1][source], vectors)
    others = [place[j] / chord(radius) for j in np.flatnonzero(distance < 2 * chord(radius))
              if j != source]
    return np.mean([1 / (1 + sum(np.hypot(x - u, y - v) <= 1 for x, y in others))
                    for u, v in NODES])


def slow_hull(place):
    """Return number, area, clumps, depth and strip of the hull of places (k,2) about the origin."""
    corners = place[ConvexHull(place).vertices]
    corners = np.roll(corners, -np.argmin(corners[:, 0]), axis=0)
    edges = list(zip(corners, np.roll(corners, -1, axis=0), strict=True))
    cross = np.array([u[0] * v[1] - u[1] * v[0] for u, v in edges])
    whole = cross.sum() / 2
    depth = min(c / np.hypot(*(v - u)) for c, (u, v) in zip(cross, edges, strict=True))
    near = np.sqrt(whole / (len(place) - len(corners)) / np.pi)
    by_chance = len(place) / (len(place) - len(corners))
    clumps = sum(1 / sum(np.hypot(*(p - q)) <= near for q in place) for p in place)
    clumps = min(clumps * by_chance / (1 - np.exp(-by_chance)), len(place))

    def is_free(p):
        return all(np.hypot(*(p - corner)) > near for corner in corners)

    centre = corners.mean(axis=0)
    swept = np.cumsum([0] + [np.linalg.det([u - centre, v - centre]) for u, v in
                             [edges[-1], *edges[:-1]]])

    def in_hull(node):
        place = np.arctan2(node[1], node[0]) / (2 * np.pi) % 1 * swept[-1]
        v = np.searchsorted(swept, place, side="right") - 1
        part = (place - swept[v]) / (swept[v + 1] - swept[v])
        rim = (1 - part) * corners[v - 1] + part * corners[v]
        return centre + np.hypot(*node) * (rim - centre)

    nodes = [in_hull(node) for node in NODES_OF_HULL]
    return (sum(map(is_free, place)), whole, [p for p in nodes if is_free(p)], clumps,
            depth, max(0, *-cross))


def beyond_chord(x):
    return quad(lambda t: 2 * np.sqrt(1 - t**2), np.clip(x, -1, 1), 1)[0] / np.pi


def slow_chance(ra, dec, sources, radius, separation, neighbours=50):
    """Return the chance at a separation from one position."""
    vectors = unit_vectors(*sources)
    distance, place = places_about(ra, dec, vectors)
    order = np.argsort(distance)
    pairs = int(np.sum(distance <= chord(radius)))
    around = order[pairs:pairs + max(neighbours, 3 * pairs)]
    k, rim = len(around), distance[around[-1]]
    if k < 3:
        return np.nan
    near = [sum(np.hypot(*(place[i] - place[j])) < rim / np.sqrt(k) for j in around)
            for i in around]
    clumps = sum(1 / number for number in near)
    inside, area = max(k - near[-1], 1), np.pi * (rim**2 - chord(radius) ** 2)
    number, whole, nodes, apart, depth, strip = slow_hull(place[around])
    held = beyond_chord(depth / rim) * clumps / (1 - np.exp(-1))
    if depth < 0 or whole < np.pi * rim**2 / 3 or held > min(6, k / 5):
        inside = max(number, 1)
        area = whole * sum(np.hypot(*p) > chord(radius) for p in nodes) / len(NODES_OF_HULL)
    density = inside / area
    if not pairs:
        strips = strip * density * apart / k
        empty = (distance[order[0]] / rim) ** 2
        if strips > np.log(1e4) or (1 - empty) ** (clumps - 1) < 1e-4:
            return 0.0
        density *= np.exp(-strips)
    below, above, part = _bracket(separation, radius)
    share = np.mean([(1 - part) * share_of(i, sources, vectors, below)
                     + part * share_of(i, sources, vectors, above) for i in around])
    return min(density * np.pi * (separation * ARCSEC) ** 2 * share, 1.0)


def _bracket(separation, radius):
    step = radius / 8
    below = min(int(separation / step), 7)
    return below * step, (below + 1) * step, separation / step - below


@pytest.mark.parametrize(("place", "size"), [((150.0, 2.0), 1.0), ((0.0, -60.0), 1.0),
                                             ((10.0, 89.8), 1.0), ((10.0, 20.0), 0.4)])
@pytest.mark.parametrize("radius", [15.0, 90.0])
def test_the_chance_is_that_of_the_slow_one(place, size, radius):
    rng = np.random.default_rng(7)

    def around(number, size):
        east, north = rng.uniform(-size, size, (2, number)) * 3.6e6
        return moved(np.full(number, place[0]), np.full(number, place[1]), pm_ra=east,
                     pm_dec=north, years=1.0)

    single = around(150, size)
    members = rng.integers(0, 100, 60)
    double = moved(single[0][members], single[1][members], pm_ra=rng.normal(0, 4e4, 60),
                   pm_dec=rng.normal(0, 4e4, 60), years=1.0)
    sources = np.concatenate([single, double], axis=1)
    # Half of them within the radius of a source; others, and some outside.
    left = np.concatenate([moved(sources[0][:6], sources[1][:6], pm_ra=rng.normal(0, 4e3, 6),
                                 pm_dec=rng.normal(0, 4e3, 6), years=1.0), around(6, 1.2)], axis=1)
    found = match(Catalogue(*left), Catalogue(*sources), MatchSettings(radius=radius))
    assert len(found) >= 6
    expected = [slow_chance(ra, dec, sources, radius, radius) for ra, dec in left.T]
    np.testing.assert_allclose(found.chance_within_radius, expected, rtol=1e-5)
    expected = [slow_chance(*left[:, row], sources, radius, separation)
                for row, separation in zip(found.left, found.separation_arcsec, strict=True)]
    np.testing.assert_allclose(found.chance_probability, expected, rtol=1e-5)
