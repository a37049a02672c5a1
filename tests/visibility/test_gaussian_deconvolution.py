"""Deconvolution undoes convolution, which adds covariance matrices."""

import numpy as np
import pytest

from visds.visibility.sky_model.gaussian_deconvolution import covariance, deconvolved

SOURCES = np.array([[30.0, 12, 40], [8, 7.9, 170], [200, 1, 0], [5, 5, 0], [60, 20, 90]])
BEAMS = np.array([[10.0, 6, 120], [15, 3, 40], [8, 8, 0], [40, 20, 77], [7, 5, 0]])


def convolved(first, second):
    """Return a Gaussian's widths and angle out of the sum of two covariances."""
    values, vectors = np.linalg.eigh(covariance(first) + covariance(second))
    angle = np.degrees(np.arctan2(vectors[..., 0, 1], vectors[..., 1, 1])) % 180
    return np.stack([np.sqrt(values[..., 1]), np.sqrt(values[..., 0]), angle], axis=-1)


def test_a_convolved_source_is_deconvolved_to_itself():
    found = deconvolved(convolved(SOURCES, BEAMS), BEAMS)
    np.testing.assert_allclose(covariance(found), covariance(SOURCES), rtol=1e-6, atol=1e-6)


def test_along_the_beams_own_axes_widths_subtract_in_quadrature():
    found = deconvolved(np.array([[13.0, 10, 35]]), np.array([5.0, 6, 35]))
    np.testing.assert_allclose(found, [[12, 8, 35]])


def test_the_angle_is_counted_from_north_through_east():
    # A source stretched to the east alone, seen with a round beam.
    found = deconvolved(convolved(np.array([[20.0, 0, 90]]), np.array([[5.0, 5, 0]])), [5, 5, 0])
    np.testing.assert_allclose(found, [[20, 0, 90]], atol=1e-3)
    np.testing.assert_allclose(covariance([20, 0, 90]), [[400, 0], [0, 0]], atol=1e-12)


@pytest.mark.parametrize("fitted", [[10, 6, 120], [9, 5, 120], [10.000001, 6, 120], [9, 6, 30]])
def test_a_source_no_wider_than_the_beam_is_a_point(fitted):
    found = deconvolved(np.array([fitted]), np.array([10.0, 6, 120]))
    if fitted == [9, 6, 30]:
        # Across the beam's minor axis it is wider.
        assert found[0, 0] > 0
        assert found[0, 1] == 0
    else:
        assert found.tolist() == [[0, 0, 0]]


def test_a_source_resolved_along_one_axis_only_is_a_line():
    found = deconvolved(np.array([[13.0, 4, 0]]), np.array([5.0, 5, 0]))
    np.testing.assert_allclose(found, [[12, 0, 0]])
