"""The chance of alignment against a slow one: all distances, one position and source at a time."""

import numpy as np
import pytest
from scipy.optimize import brentq

from visds.core.astrometry import moved, unit_vectors
from visds.core.catalogue import Catalogue
from visds.crossmatch.match import match
from visds.crossmatch.settings import MatchSettings

ARCSEC = np.radians(1 / 3600)
# Vogel's spiral.
NODES = [np.sqrt((i + 0.5) / 60) * np.array([np.cos(turn), np.sin(turn)])
         for i in range(60) for turn in [i * np.pi * (3 - np.sqrt(5))]]


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


def covered_fraction(offset):
    """Return the covered fraction of a disc cut by a straight edge, of the mean offset."""
    def excess(x):
        return (2 / 3 * (1 - x**2) ** 1.5 / (np.pi * (1 - segment(x)))) - offset

    def segment(x):
        return (np.arccos(x) - x * np.sqrt(1 - x**2)) / np.pi

    return 1 - segment(brentq(excess, -0.99, 1)) if offset > 0 else 1.0


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
    mean = sum(place[i] / number for i, number in zip(around, near, strict=True)) / clumps
    inner = chord(radius) / rim
    offset = np.hypot(*mean) / rim * (1 - inner**2) / (1 - inner**3)
    covered = covered_fraction(np.sqrt(max(offset**2 - 0.5 / clumps, 0)))
    empty = (distance[order[0]] / rim) ** 2
    if not pairs and (covered < 0.5 or (1 - empty) ** (clumps - 1) < 1e-4):
        return 0.0
    density = max(k - near[-1], 1) / (np.pi * covered * (rim**2 - chord(radius) ** 2))
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
