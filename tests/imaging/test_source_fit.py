"""Fits of the beam and of sources: exact where there is no noise, right errors where there is."""

import numpy as np
import pytest
from point_sources import PHASE_CENTRE, chunk

from visds.core.sky import Direction, direction_cosines
from visds.imaging.dirty import Gridding, make_dirty
from visds.imaging.geometry import Geometry
from visds.imaging.image import Beam, Content, Image
from visds.imaging.restoring_beam import fit_beam, highest_sidelobe
from visds.imaging.source_fit import (
    fit_gaussian,
    fit_point,
    flux_density_at,
    noise_around,
    without,
)
from visds.imaging.stokes_visibility import gather

CONTENT = Content("all", 59000.0, 59000.1, 59000.05, 60.0, 1.398e9, 1.43e9)
GEOMETRY = Geometry(PHASE_CENTRE, 12 / 3600, 256)
SOURCE = GEOMETRY.direction(140.3, 119.6)


def gaussian(beam, size, x, y, cell):
    """Return (Y,X) a Gaussian of unit peak, from its axes and not from its quadratic form."""
    rows, columns = np.indices((size, size))
    east, north = (x - columns) * cell, (rows - y) * cell
    angle = np.radians(beam.position_angle)
    along = east * np.sin(angle) + north * np.cos(angle)
    across = east * np.cos(angle) - north * np.sin(angle)
    return np.exp(-4 * np.log(2) * ((along / beam.major) ** 2 + (across / beam.minor) ** 2))


@pytest.mark.parametrize("angle", [0.0, 30.0, 91.0, 170.0])
@pytest.mark.parametrize("axes", [(10.0, 5.0), (6.0, 5.5), (4.0, 2.5)])
def test_the_beam_of_a_gaussian_is_that_gaussian(angle, axes):
    beam = Beam(axes[0] / 60, axes[1] / 60, angle)
    found = fit_beam(gaussian(beam, 64, 32, 32, 1 / 60), 1 / 60)
    assert (found.major, found.minor) == pytest.approx((beam.major, beam.minor), rel=1e-4)
    assert (found.position_angle - angle + 90) % 180 - 90 == pytest.approx(0, abs=0.01)


def test_there_is_no_beam_where_there_is_no_lobe():
    assert fit_beam(np.zeros((64, 64)), 1.0) is None


def test_the_beam_of_baselines_in_one_direction_is_as_long_as_the_response():
    fan = np.broadcast_to(gaussian(Beam(5.0, 5.0, 0.0), 64, 32, 32, 1.0)[:, 32:33], (64, 64))
    found = fit_beam(fan, 1.0)
    assert (found.major, found.minor) == pytest.approx((64, 5), rel=1e-3)
    assert found.position_angle == pytest.approx(90, abs=0.1)


def test_the_highest_sidelobe_is_that_near_the_peak():
    response = gaussian(Beam(5.0, 4.0, 20.0), 64, 32, 32, 1.0)
    response += 0.6 * gaussian(Beam(5.0, 4.0, 20.0), 64, 45, 36, 1.0)
    response += 0.9 * gaussian(Beam(5.0, 4.0, 20.0), 64, 10, 10, 1.0)
    assert highest_sidelobe(response, 8.0) == pytest.approx(0, abs=1e-3)
    assert highest_sidelobe(response, 20.0) == pytest.approx(0.6, abs=1e-3)
    assert highest_sidelobe(response, 64.0) == pytest.approx(0.9, abs=1e-3)


def test_a_lobe_without_an_end_is_its_own_sidelobe():
    fan = np.broadcast_to(gaussian(Beam(5.0, 5.0, 0.0), 64, 32, 32, 1.0)[:, 32:33], (64, 64))
    assert highest_sidelobe(fan, 8.0) == 1
    assert highest_sidelobe(np.zeros((64, 64)), 8.0) == 1


def restored(shape, flux=1.0, noise=None):
    """Return an image with a beam and no response, a Gaussian of peak `flux` at SOURCE."""
    values = flux * gaussian(shape, 256, 140.3, 119.6, GEOMETRY.cell)
    if noise is not None:
        values = values + noise
    return Image(values.astype("f4"), GEOMETRY, "I", CONTENT, Beam(0.03, 0.02, 30.0), None)


def test_a_gaussian_wider_than_the_beam_is_found_with_all_its_flux_density():
    shape = Beam(0.05, 0.03, 80.0)
    fit = fit_gaussian(restored(shape, -2.0), SOURCE, 0.05, 0.01)
    assert fit.peak == pytest.approx(-2, rel=1e-4)
    assert fit.flux_density == pytest.approx(-2 * 0.05 * 0.03 / (0.03 * 0.02), rel=1e-4)
    assert (fit.shape.major, fit.shape.minor) == pytest.approx((0.05, 0.03), rel=1e-3)
    assert fit.shape.position_angle == pytest.approx(80, abs=0.1)
    assert (fit.ra, fit.dec) == pytest.approx((SOURCE.ra, SOURCE.dec), abs=1e-6)


def test_a_source_of_the_beams_shape_is_found_in_a_restored_image():
    fit = fit_point(restored(Beam(0.03, 0.02, 30.0), 0.5), SOURCE, 0.05, 0.01)
    assert fit.flux_density == pytest.approx(0.5, rel=1e-5)
    assert (fit.ra, fit.dec) == pytest.approx((SOURCE.ra, SOURCE.dec), abs=1e-6)


def test_nothing_is_fitted_off_the_image():
    image = restored(Beam(0.03, 0.02, 30.0))
    off = Direction(PHASE_CENTRE.ra, PHASE_CENTRE.dec + 1)
    for fit in (fit_point(image, off, 0.05, 0.1), fit_gaussian(image, off, 0.05, 0.1)):
        assert np.isnan([fit.flux_density, fit.ra, fit.dec, fit.ra_error]).all()
    assert np.isnan(flux_density_at(image, off))


@pytest.fixture(scope="module")
def realisations():
    """Return 200 dirty images of a source of 12 sigma, and what was measured on each."""
    rows = []
    for seed in range(200):
        made = chunk([(SOURCE, (1, 0, 0, 0))], noise=4.0, seed=seed, integrations=4, channels=2,
                     extent=250.0, number=14)
        image, = make_dirty(lambda made=made: gather([made], ("I",), PHASE_CENTRE), GEOMETRY,
                            CONTENT, Gridding())
        noise = image.expected_rms
        rows.append((image, noise, fit_point(image, SOURCE, image.beam.major, noise),
                     fit_gaussian(image, SOURCE, image.beam.major, noise)))
    return rows


def pulls(values, errors):
    """Return mean and standard deviation of value over error, and of how many."""
    ratio = np.array(values) / np.array(errors)
    return np.mean(ratio), np.std(ratio)


def test_errors_of_flux_densities_are_the_scatter_of_200_realisations(realisations):
    assert len(realisations) == 200
    forced = pulls([flux_density_at(image, SOURCE) - 1 for image, *_ in realisations],
                   [noise for _, noise, *_ in realisations])
    assert forced[0] == pytest.approx(0, abs=0.25) and forced[1] == pytest.approx(1, abs=0.15)
    mean, scatter = pulls([point.flux_density - 1 for *_, point, _ in realisations],
                          [point.flux_density_error for *_, point, _ in realisations])
    # A maximum of signal and noise is above the signal by some 1 / (S/N) sigma.
    assert mean == pytest.approx(0.08, abs=0.25) and scatter == pytest.approx(1, abs=0.15)
    _, scatter = pulls([free.flux_density - 1 for *_, free in realisations],
                       [free.flux_density_error for *_, free in realisations])
    assert scatter == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("which", [2, 3])
def test_errors_of_positions_are_the_scatter_of_200_realisations(realisations, which):
    l, m, _ = np.degrees(direction_cosines(  # noqa: E741
        np.array([row[which].ra for row in realisations]),
        np.array([row[which].dec for row in realisations]), SOURCE)).T * 3600
    for found, errors in ((l, [row[which].ra_error for row in realisations]),
                          (m, [row[which].dec_error for row in realisations])):
        mean, scatter = pulls(found, errors)
        assert mean == pytest.approx(0, abs=0.25)
        assert scatter == pytest.approx(1, abs=0.15)


def test_errors_are_near_those_of_condon(realisations):
    image, noise, point, _ = realisations[0]
    assert point.flux_density_error == pytest.approx(noise, rel=0.15)
    fwhm = 3600 * np.sqrt(image.beam.major * image.beam.minor)
    error = np.sqrt(point.ra_error * point.dec_error)
    assert error == pytest.approx(fwhm / np.sqrt(8 * np.log(2)) * noise / point.peak, rel=0.2)


def test_the_noise_around_a_source_is_that_of_the_weights_once_it_is_taken_out():
    made = chunk([(SOURCE, (50, 0, 0, 0))], noise=4.0, integrations=4, channels=2, extent=250.0)
    image, = make_dirty(lambda: gather([made], ("I",), PHASE_CENTRE), GEOMETRY, CONTENT,
                        Gridding())
    place = image.geometry.pixel(SOURCE)
    assert noise_around(image, *place) > 5 * image.expected_rms
    fit = fit_point(image, SOURCE, image.beam.major, 1.0)
    assert noise_around(without(image, fit), *place) == pytest.approx(image.expected_rms, rel=0.15)
