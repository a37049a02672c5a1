"""Rows of a source are one place, with the area within reach of any of them."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from visds.core.astrometry import moved, unit_vectors
from visds.crossmatch.overlap import own_share
from visds.crossmatch.places import Places


def rows_about(ra, dec, offsets_arcsec):
    """Return the tree of sources at offsets (N,2), east and north, from a position."""
    east, north = 1e3 * np.transpose(offsets_arcsec)
    return cKDTree(unit_vectors(*moved(np.full(len(east), ra), np.full(len(east), dec),
                                       pm_ra=east, pm_dec=north, years=1.0)))


def total_share(places, radius):
    return places.share(np.arange(places.tree.n), np.array([radius]))[:, 0]


@pytest.mark.parametrize("place", [(10.3, 0.1), (0.0, 60.0), (123.0, 90.0), (10.0, -89.999)])
@pytest.mark.parametrize("count", [1, 7, 500])
def test_copies_of_a_source_are_one_place_with_one_disc(place, count):
    rows = rows_about(*place, np.zeros((count, 2)))
    places = Places(rows, 30.0)
    assert places.tree.n == 1
    np.testing.assert_allclose(places.tree.data[0], rows.data[0], atol=1e-12)
    assert total_share(places, 30.0) == pytest.approx([1.0])


def test_sources_farther_apart_than_a_cell_is_wide_are_places_of_their_own():
    offsets = [(x, y) for x in range(0, 300, 60) for y in range(0, 300, 60)]
    places = Places(rows_about(77.0, 33.0, offsets), 30.0)
    assert places.tree.n == 25
    assert total_share(places, 10.0) == pytest.approx(np.ones(25))


def test_the_shares_of_places_are_those_of_all_their_sources():
    """However the borders of the cells run, nothing of the area is lost or counted twice."""
    rng = np.random.default_rng(2)
    rows = rows_about(20.0, -40.0, rng.normal(0, 4, (100, 2)) + 2000 * rng.integers(0, 3, (100, 1)))
    for radius in (5.0, 20.0):
        places = Places(rows, 20.0)
        assert 3 <= places.tree.n < 40
        every = own_share(rows, np.arange(100), np.array([radius])).sum()
        assert total_share(places, radius).sum() == pytest.approx(every, rel=0.05)


def test_epochs_are_one_place_however_small_the_search_radius():
    offsets = np.random.default_rng(1).normal(0, 0.3, (400, 2))
    assert Places(rows_about(20.0, 20.0, offsets), 0.01).tree.n <= 8


def test_only_the_places_asked_for_are_answered():
    places = Places(rows_about(5.0, 5.0, [(0, 0), (500, 0), (500, 0), (900, 0)]), 10.0)
    found = places.share(np.array([2, 0]), np.array([0.0, 1.0, 10.0]))
    assert found.shape == (2, 3)
    every = places.share(np.arange(3), np.array([0.0, 1.0, 10.0]))
    np.testing.assert_array_equal(found, every[[2, 0]])
    assert sorted(every[:, 0]) == [1, 1, 2]
    assert every[:, 1:] == pytest.approx(np.ones((3, 2)))
