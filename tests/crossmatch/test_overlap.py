"""Overlapping discs are divided among their sources, so that their shares cover the sky once."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from visds.core.astrometry import moved, unit_vectors
from visds.crossmatch.overlap import own_share


def shares(ra, dec, radius):
    """Return the shares of all sources of a small catalogue at one radius."""
    tree = cKDTree(unit_vectors(np.array(ra), np.array(dec)))
    return own_share(tree, np.arange(tree.n), np.array([radius]))[:, 0]


def sources_about(ra, dec, offsets_arcsec):
    """Return sources at offsets (N,2), east and north, from a position."""
    east, north = 1e3 * np.transpose(offsets_arcsec)
    return moved(np.full(len(east), ra), np.full(len(east), dec), pm_ra=east, pm_dec=north,
                 years=1.0)


@pytest.mark.parametrize("place", [(10.0, 0.0), (0.0, 60.0), (123.0, 90.0), (10.0, -89.999)])
def test_two_sources_share_the_lens_of_their_discs(place):
    ra, dec = sources_about(*place, [(-15.0, 0.0), (15.0, 0.0)])
    for radius in (10.0, 15.0, 20.0, 30.0, 100.0):
        # The lens of two discs of radius r, s apart: 2 r^2 arccos(s/2r) - s/2 sqrt(4r^2 - s^2).
        half = min(1.0, 15.0 / radius)
        lens = 2 / np.pi * (np.arccos(half) - half * np.sqrt(1 - half**2))
        assert shares(ra, dec, radius) == pytest.approx(1 - lens / 2, abs=0.015)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_sources_in_one_place_have_equal_parts_of_one_disc(count):
    assert shares(np.full(count, 33.0), np.full(count, 44.0), 5.0) == pytest.approx(1 / count)


def test_the_shares_of_a_clump_cover_it_once():
    """The area within reach of any of nine sources, against a count of random places."""
    rng = np.random.default_rng(1)
    offsets = rng.normal(0, 20, (9, 2))
    reach = shares(*sources_about(70.0, -30.0, offsets), 25.0).sum() * np.pi * 25**2
    places = rng.uniform(-150, 150, (100_000, 2))
    near = cKDTree(offsets).query(places)[0] <= 25
    assert reach == pytest.approx(near.mean() * 300**2, rel=0.02)


def test_only_the_sources_asked_for_are_answered_but_all_of_them_count():
    ra, dec = sources_about(5.0, 5.0, [(0, 0), (1, 0), (500, 0)])
    tree = cKDTree(unit_vectors(ra, dec))
    found = own_share(tree, np.array([2, 0]), np.array([10.0, 1000.0]))
    assert found.shape == (2, 2)
    assert found[0, 0] == 1.0
    assert found[1, 0] == pytest.approx(0.532, abs=0.015)
    assert found[:, 1] == pytest.approx([0.543, 0.386], abs=0.03)
    assert own_share(tree, np.array([], int), np.array([10.0])).shape == (0, 1)
