"""Averages of visibilities over integrations and channels, against averages of many samples."""

import numpy as np
import pytest
from double_sum import chunk_of

from visds.core.sky import LIGHT_SPEED, Direction
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.direct import add_components
from visds.visibility.sky_model.smearing import (
    EARTH_RATE,
    hour_angle_derivative,
    smearing_factor,
)

SIDEREAL_DAY = 86164.1


def uvw_of(station, hour_angle, declination):
    """Return uvw (...,3) of a baseline X, Y, Z at hour angles (TMS 2017, eq. 4.1)."""
    x, y, z = station
    h, d = np.asarray(hour_angle), np.radians(declination)
    return np.stack([x * np.sin(h) + y * np.cos(h),
                     -x * np.sin(d) * np.cos(h) + y * np.sin(d) * np.sin(h) + z * np.cos(d),
                     x * np.cos(d) * np.cos(h) - y * np.cos(d) * np.sin(h) + z * np.sin(d)], -1)


STATIONS = np.array([[8e3, -5e3, 4e3], [-3e3, 12e3, -7e3], [200.0, 100.0, -50.0],
                     [1e3, 2e3, 9e3], [-14e3, -6e3, 2e3]])


def observed(*, integration, channel_width, offset, declination=22.0,
             shape=(0.0, 0.0, 0.0), spectral_index=0.0):
    """Return a chunk of `STATIONS` at two hour angles and a source off its phase centre (deg)."""
    frequency = 1.4e9 + 2e6 * np.arange(8)
    chunk = chunk_of(2, len(STATIONS), frequency, centre=(83.6, declination))
    uvw = np.array([[uvw_of(station, hour, declination) for station in STATIONS]
                    for hour in (-0.8, 1.1)])
    widths = np.broadcast_to(np.asarray(channel_width, float), len(frequency))
    chunk = chunk.replace(uvw=uvw, integration=np.full(2, integration), channel_width=widths)
    model = ComponentModel(
        np.array([83.6 + offset[0]]), np.array([declination + offset[1]]),
        np.array([[1.0, 0, 0, 0]]), np.array([1.4e9]), np.array([spectral_index]),
        shape=np.array([shape]))
    return chunk, model


def averages(chunk, model, samples=96, subchannels=48):
    """Return visibilities (T,B,F) of a 1 Jy point as means over turning baselines and channels."""
    declination = chunk.phase_centre[1]
    cosines = model.cosines(Direction(*chunk.phase_centre, frame=chunk.frame))[0]
    result = np.zeros(chunk.visibility.shape[:3], complex)
    inside, time_weight = np.polynomial.legendre.leggauss(samples)
    across, channel_weight = np.polynomial.legendre.leggauss(subchannels)
    for t, hour in enumerate((-0.8, 1.1)):
        turned = hour + 2 * np.pi * chunk.integration[t] / SIDEREAL_DAY * inside / 2
        for b, station in enumerate(STATIONS):
            path = uvw_of(station, turned, declination) @ cosines
            for f, nu in enumerate(chunk.frequency):
                k = (nu + chunk.channel_width[f] * across / 2) / LIGHT_SPEED
                fringe = np.exp(2j * np.pi * np.outer(path, k))
                result[t, b, f] = time_weight @ fringe @ channel_weight / 4
    return result


def predicted(chunk, model, **options):
    visibility = np.zeros_like(chunk.visibility)
    add_components(visibility, 1.0, chunk, model, smearing=True, **options)
    return visibility[..., 0]


@pytest.mark.parametrize("declination", [-70.0, 0.0, 22.0, 85.0])
@pytest.mark.parametrize(("integration", "channel_width", "offset", "most"), [
    (5, 1e3, (0.3, -0.2), 0.996), (30, 1e3, (0.3, -0.3), 0.5), (120, 1e3, (0.4, 0.4), 0.1),
    (1e-3, 0.2e6, (0.4, -0.4), 0.996), (1e-3, 2e6, (0.4, -0.5), 0.3), (1e-3, 8e6, (0.5, 0.5), 0.1),
    (20, 1e6, (0.5, 0.5), 0.5)])
def test_smeared_visibilities_are_averages(declination, integration, channel_width, offset, most):
    chunk, model = observed(integration=integration, channel_width=channel_width, offset=offset,
                            declination=declination)
    expected = averages(chunk, model)
    assert np.abs(expected).min() < most
    np.testing.assert_allclose(predicted(chunk, model), expected, rtol=0, atol=5e-5)


@pytest.mark.parametrize(("integration", "channel_width"), [(10, 1e6), (40, 1e5), (2, 4e6)])
def test_the_factor_is_what_averaging_leaves_of_a_point(integration, channel_width):
    chunk, model = observed(integration=integration, channel_width=channel_width,
                            offset=(0.3, -0.3))
    cosines = model.cosines(Direction(*chunk.phase_centre))[0]
    factor = smearing_factor(chunk.uvw, cosines, chunk.frequency, chunk.channel_width,
                             chunk.integration, chunk.phase_centre[1])
    sharp = np.exp(2j * np.pi * (chunk.uvw @ cosines)[..., np.newaxis] * chunk.frequency
                   / LIGHT_SPEED)
    turns = (EARTH_RATE * integration * np.linalg.norm(chunk.uvw, axis=-1)
             * np.linalg.norm(cosines)).max() * chunk.frequency[-1] / LIGHT_SPEED
    assert factor.min() < 0.9
    np.testing.assert_allclose(factor * sharp, averages(chunk, model), rtol=0,
                               atol=2e-5 * integration * turns + 2e-4)


def test_nothing_is_smeared_at_the_phase_centre():
    chunk, model = observed(integration=1000, channel_width=1e9, offset=(0, 0))
    np.testing.assert_allclose(predicted(chunk, model), 1, rtol=1e-6)
    factor = smearing_factor(chunk.uvw, np.zeros(3), chunk.frequency, chunk.channel_width,
                             chunk.integration, 22.0)
    np.testing.assert_array_equal(factor, 1)


def test_the_derivative_is_that_of_turning_baselines():
    station, step = STATIONS[0], 1e-5
    for declination in (-60.0, 10.0, 89.0):
        before, at, after = uvw_of(station, 0.7 + step * np.array([-1, 0, 1]), declination)
        np.testing.assert_allclose(hour_angle_derivative(at, declination),
                                   (after - before) / (2 * step), atol=1e-4)


def test_channels_of_different_widths_are_smeared_each_by_its_own():
    widths = np.array([1e5, 5e6, 2e6, 1e3, 8e6, 1e6, 3e6, 2e5])
    chunk, model = observed(integration=5, channel_width=widths, offset=(0.5, 0.3))
    np.testing.assert_allclose(predicted(chunk, model), averages(chunk, model, subchannels=96),
                               rtol=0, atol=1e-4)


def test_a_spectrum_within_wide_channels_changes_the_average_little():
    chunk, model = observed(integration=1, channel_width=7e6, offset=(0.2, 0.1),
                            spectral_index=-0.7)
    cosines = model.cosines(Direction(*chunk.phase_centre))[0]
    path, across = chunk.uvw @ cosines, (np.arange(301) + 0.5) / 301 - 0.5
    nu = chunk.frequency[:, np.newaxis] + 7e6 * across
    sharp = np.exp(2j * np.pi * path[..., np.newaxis, np.newaxis] * nu / LIGHT_SPEED)
    sharp = sharp * (nu / 1.4e9) ** -0.7
    expected = sharp.mean(axis=-1)
    assert np.abs(expected).min() < 0.5
    # 0.22 of what the flux density changes across a channel, 0.7 x 7 MHz / 1.4 GHz.
    bound = 0.22 * 0.7 * 7e6 / 1.4e9
    assert np.abs(predicted(chunk, model) - expected).max() < bound + 2e-4


def test_a_gaussian_is_smeared_as_the_points_that_it_is_made_of():
    chunk, model = observed(integration=30, channel_width=1e6, offset=(0.3, -0.3),
                            shape=(2.0, 2.0, 0.0))
    sigma = 2 / 3600 / np.sqrt(8 * np.log(2))
    expected = np.zeros(chunk.visibility.shape[:3], complex)
    grid = np.linspace(-3.5, 3.5, 9)
    weight = np.exp(-grid**2 / 2) / np.exp(-grid**2 / 2).sum()
    for i, x in enumerate(grid):
        for j, y in enumerate(grid):
            point = ComponentModel(
                model.ra + x * sigma / np.cos(np.radians(model.dec)), model.dec + y * sigma,
                model.stokes, model.reference_frequency, model.spectral_terms)
            expected += weight[i] * weight[j] * averages(chunk, point, 32, 12)
    assert 0.1 < np.abs(expected).max() < 1.01
    np.testing.assert_allclose(predicted(chunk, model), expected, rtol=0, atol=2e-3)


def test_slabs_of_any_length_are_smeared_alike():
    chunk, model = observed(integration=60, channel_width=1e6, offset=(0.5, 0.5))
    whole = predicted(chunk, model)
    for t in range(2):
        np.testing.assert_array_equal(predicted(chunk.select_times(t, t + 1), model)[0], whole[t])


def test_the_pole_of_date_is_near_enough_that_of_the_frame():
    # 25 years after J2000 the pole has moved by 0.14 degrees.
    moved, offset = np.radians(0.14), np.array([0.008, -0.006, -5e-5])
    rng = np.random.default_rng(3)
    uvw, frequency = rng.uniform(-1e4, 1e4, (1, 200, 3)), np.array([1.4e9])
    turns = (EARTH_RATE * 10 * np.linalg.norm(uvw[0], axis=1) * np.linalg.norm(offset)
             * frequency[0] / LIGHT_SPEED)
    d = np.radians(22.0)
    pole = np.array([np.sin(moved), np.cos(moved) * np.cos(d), np.cos(moved) * np.sin(d)])
    exact = np.sinc(EARTH_RATE * 10 * np.cross(uvw[0], pole) @ offset * frequency[0] / LIGHT_SPEED)
    factor = smearing_factor(uvw, offset, frequency, np.array([1.0]), np.array([10.0]), 22.0)
    error = np.abs(factor[0, :, 0] - exact)
    assert turns.max() > 0.5
    assert np.all(error < 0.004 * turns + 1e-8)
    assert np.any(error > 0.0001 * turns)
