"""Places of the spiral stand for equal parts of the disc."""

import numpy as np
import pytest

from visds.crossmatch.spiral import vogel_spiral


def test_places_are_in_the_disc_and_even_over_radius_and_angle():
    x, y = vogel_spiral(1000)
    radius = np.hypot(x, y)
    assert radius.max() < 1
    np.testing.assert_allclose(np.histogram(radius**2, 10, (0, 1))[0], 100, atol=1)
    np.testing.assert_allclose(np.histogram(np.arctan2(y, x), 8, (-np.pi, np.pi))[0], 125, atol=3)


def test_a_half_of_the_disc_holds_half_of_the_places():
    x, y = vogel_spiral(100)
    for angle in np.linspace(0, 2 * np.pi, 17):
        assert np.mean(x * np.cos(angle) + y * np.sin(angle) > 0) == pytest.approx(0.5, abs=0.03)
