"""Dirty images against the definition, and what a source of 1 Jy looks like anywhere in them."""

import itertools
import math

import numpy as np
import pytest
from point_sources import LINEAR, PHASE_CENTRE, chunk

from visds.core.sky import LIGHT_SPEED, Direction, direction_cosines, separation
from visds.imaging.dirty import Gridding, WholeImage, difference, make_dirty
from visds.imaging.geometry import Geometry, automatic_cell
from visds.imaging.image import Content
from visds.imaging.source_fit import fit_point, flux_density_at
from visds.imaging.stokes_visibility import gather
from visds.imaging.weighting import Weighting

CONTENT = Content("all", 59000.0, 59000.1, 59000.05, 60.0, 1.398e9, 1.43e9, "TOPO")
CELL = 5 / 3600


def images(chunks, stokes=("I",), geometry=None, nbytes=256_000_000, **gridding):
    """Return the images of chunks by Stokes parameter."""
    geometry = geometry or Geometry(PHASE_CENTRE, CELL, 512)
    made = make_dirty(lambda: gather(chunks, stokes, geometry.centre, nbytes=nbytes), geometry,
                      CONTENT, Gridding(**gridding))
    return {image.stokes: image for image in made}


def offset(east, north, centre=PHASE_CENTRE):
    """Return the direction some degrees off a centre."""
    return Geometry(centre, 1e-6, 2).direction(1 - east / 1e-6, 1 + north / 1e-6)


@pytest.mark.parametrize(("east", "north"), [
    (0, 0), (0.0011, 0.0007), (0.13, -0.21), (-1.0, 0.3), (0.7, 0.71), (1.4, -1.4)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_source_of_1_jy_anywhere_is_a_source_of_1_jy_there(east, north, sign):
    source = offset(east, north)
    made = chunk([(source, (sign, 0, 0, 0))], extent=200.0)
    cell = automatic_cell(made.uvw.reshape(-1, 3), made.frequency.max())
    image = images([made], epsilon=1e-5, geometry=Geometry(PHASE_CENTRE, cell, 1600))["I"]
    assert flux_density_at(image, source) == pytest.approx(sign, abs=1e-4)
    fit = fit_point(image, offset(east + 0.003, north), 1.5 * image.beam.major, 1e-3)
    # Two degrees off, w bends the response to a point source.
    assert fit.flux_density == pytest.approx(sign, abs=2e-3 if east > 1 else 1e-3)
    assert separation(Direction(fit.ra, fit.dec), source) < 1e-3 * image.beam.minor


@pytest.mark.parametrize(("epsilon", "tolerance"), [(1e-4, 1e-4), (1e-5, 1e-5), (1e-7, 1e-6)])
@pytest.mark.parametrize("scheme", ["natural", "briggs"])
def test_a_dirty_image_is_the_sum_over_visibilities(epsilon, tolerance, scheme):
    made = chunk([(offset(0.2, 0.1), (1, 0, 0, 0.5)), (offset(-0.3, 0.25), (0.4, 0, 0, 0))],
                 noise=0.2, integrations=2)
    weights = np.random.default_rng(2).uniform(1, 3, made.visibility.shape).astype("f4")
    made = made.replace(weight=weights)
    geometry = Geometry(PHASE_CENTRE, 6 / 3600, 64)
    image = images([made], ("V",), geometry, epsilon=epsilon, weighting=Weighting(scheme))["V"]
    right, left = made.visibility[..., 0], made.visibility[..., 3]
    weight = 4 / (1 / weights[..., 0].astype(float) + 1 / weights[..., 3])
    if scheme == "briggs":
        weight = weight * robust_factor(made, weight, geometry)
    step = math.radians(geometry.cell)
    worst = 0.0
    for x, y in itertools.product(range(0, 64, 7), range(0, 64, 9)):
        l, m = (32 - x) * step, (y - 32) * step  # noqa: E741
        path = made.uvw @ [l, m, math.sqrt(1 - l * l - m * m) - 1]
        turn = np.exp(-2j * np.pi * path[..., None] * made.frequency / LIGHT_SPEED)
        expected = (weight * (right - left) / 2 * turn).real.sum() / weight.sum()
        worst = max(worst, abs(expected - image.values[y, x]))
    assert worst < tolerance


def robust_factor(made, weight, geometry):
    """Return 1 / (1 + f^2 W) of Briggs' robustness 0, cell by cell in a dictionary."""
    width = math.radians(geometry.width)
    place = made.uvw[..., None, :2] * made.frequency[:, None] / LIGHT_SPEED * width
    cells = {}
    for cell, w in zip(np.floor(place).reshape(-1, 2), weight.ravel(), strict=True):
        cells[tuple(cell)] = cells.get(tuple(cell), 0) + w
    for cell, w in zip(np.floor(-place).reshape(-1, 2), weight.ravel(), strict=True):
        cells[tuple(cell)] = cells.get(tuple(cell), 0) + w
    held = np.array([cells[tuple(cell)] for cell in np.floor(place).reshape(-1, 2)])
    every = np.array(list(cells.values()))
    factor = 25 * every.sum() / (every**2).sum()
    return (1 / (1 + factor * held)).reshape(weight.shape)


def test_east_is_left_and_north_is_up():
    made = images([chunk([(offset(0.1, 0.05), (1, 0, 0, 0))])])["I"]
    row, column = np.unravel_index(made.values.argmax(), made.values.shape)
    assert (row, column) == (256 + 36, 256 - 72)


@pytest.mark.parametrize("correlations", [None, LINEAR])
@pytest.mark.parametrize("feed_angle", [0.0, -1.1])
def test_every_stokes_parameter_has_its_own_value_and_sign(correlations, feed_angle):
    flux = (1.0, -0.2, 0.3, -0.4)
    keywords = {"correlations": correlations} if correlations else {}
    made = images([chunk([(offset(0.1, 0), flux)], feed_angle=feed_angle, **keywords)],
                  tuple("IQUV"))
    for name, expected in zip("IQUV", flux, strict=True):
        assert flux_density_at(made[name], offset(0.1, 0)) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("frame", ["ICRS", "J2000", "B1950"])
def test_an_image_about_a_target_far_off_is_as_if_the_array_had_pointed_there(frame):
    centre = PHASE_CENTRE.to(frame)
    target, other = offset(1.5, 1.2), offset(1.5 + 0.2, 1.2 - 0.1)
    made = images([chunk([(target, (1, 0, 0, 0)), (other, (0.5, 0, 0, 0))], centre=centre)],
                  geometry=Geometry(target, CELL, 512), epsilon=1e-5)["I"]
    assert made.values[256, 256] == pytest.approx(
        1 + 0.5 * response_at(made, other, target, centre=centre), abs=1e-3)
    for source in (target, other):
        fit = fit_point(made, source, made.beam.major, 1e-3)
        assert separation(Direction(fit.ra, fit.dec), source) < 0.1 * made.beam.minor
    x, y = made.geometry.pixel(other)
    east, north, _ = direction_cosines(other.ra, other.dec, target)
    assert x == pytest.approx(256 - math.degrees(east) / CELL)
    assert y == pytest.approx(256 + math.degrees(north) / CELL)


def response_at(image, source, place, **keywords):
    """Return what a source of 1 Jy puts at another place: its sidelobe there."""
    image = images([chunk([(source, (1, 0, 0, 0))], **keywords)], geometry=image.geometry,
                   epsilon=1e-5)["I"]
    return flux_density_at(image, place)


@pytest.mark.parametrize("scheme", ["natural", "uniform"])
def test_images_do_not_depend_on_slabs_and_groups(scheme):
    made = chunk([(offset(0.1, 0), (1, 0, 0, 0.3))], noise=0.1, integrations=9)
    weighting = Weighting(scheme)
    whole = images([made], ("I", "V"), weighting=weighting)
    parts = images([made.select_times(k, k + 3) for k in (0, 3, 6)], ("I", "V"),
                   nbytes=2 * 66 * 8 * 48, weighting=weighting)
    for name in "IV":
        np.testing.assert_allclose(parts[name].values, whole[name].values, atol=2e-5)
        assert parts[name].sum_of_weights == pytest.approx(whole[name].sum_of_weights)


def test_the_noise_of_natural_weights_is_that_of_the_sum_of_weights():
    image = images([chunk(noise=2.0, integrations=8)])["I"]
    # Two hands of 2 Jy: sigma of I is sqrt(2), over 66 baselines, 8 times, 8 channels.
    assert image.expected_rms == pytest.approx(math.sqrt(2 / (66 * 64)), rel=1e-5)
    assert image.natural_rms == pytest.approx(image.expected_rms)
    assert np.std(image.values) == pytest.approx(image.expected_rms, rel=0.1)
    assert image.sum_of_weights == pytest.approx(66 * 64 / 2)


@pytest.mark.parametrize("weighting", [Weighting("uniform"), Weighting("briggs", 0.0),
                                       Weighting("natural", taper=60 / 3600)])
def test_other_weights_have_more_noise_by_what_is_said(weighting):
    image = images([chunk(noise=2.0, integrations=8)], weighting=weighting,
                   geometry=Geometry(PHASE_CENTRE, 4 * CELL, 256))["I"]
    assert image.expected_rms > 1.02 * image.natural_rms
    assert np.std(image.values) == pytest.approx(image.expected_rms, rel=0.1)


def test_the_mean_of_images_of_parts_is_the_image_of_the_whole():
    made = chunk([(offset(0.1, 0), (1, 0, 0, 0.3))], noise=0.1, integrations=9)
    whole = images([made], ("I", "V"))["V"]
    made_whole = WholeImage()
    for begin, end in ((0, 1), (1, 6), (6, 9)):
        made_whole.add(images([made.select_times(begin, end)], ("I", "V"))["V"])
    mean = made_whole.image(CONTENT)
    np.testing.assert_allclose(mean.values, whole.values, atol=2e-5)
    np.testing.assert_allclose(mean.response, whole.response, atol=2e-5)
    assert mean.sum_of_weights == pytest.approx(whole.sum_of_weights)
    assert mean.expected_rms == pytest.approx(whole.expected_rms)
    assert mean.beam.major == pytest.approx(whole.beam.major, rel=1e-3)


def test_a_difference_shows_what_changed_and_not_what_stayed():
    constant, star = (offset(-0.15, 0.1), (2, 0, 0, 0)), offset(0.1, 0.1)
    on = images([chunk([constant, (star, (0.5, 0, 0, 0.5))])])["I"]
    off = images([chunk([constant])])["I"]
    made = difference(on, off, "difference")
    assert flux_density_at(made, constant[0]) == pytest.approx(
        0.5 * response_at(on, star, constant[0]), abs=1e-4)
    assert flux_density_at(made, star) == pytest.approx(0.5, abs=1e-4)
    assert made.expected_rms == pytest.approx(math.hypot(on.expected_rms, off.expected_rms))
    with pytest.raises(ValueError, match="no difference"):
        difference(on, off.replace(stokes="V"), "difference")


def test_what_is_flagged_throughout_has_no_image():
    made = chunk()
    assert images([made.replace(flags=np.ones_like(made.flags))]) == {}
