"""A target away from the pointing and the phase centre comes out at its own flux density."""

import numpy as np
import pytest
from noisy import CIRCULAR, LINEAR, chunk, correlations_of

from visds.core.errors import SettingsError
from visds.core.flags import Flag
from visds.core.sky import LIGHT_SPEED, Direction, direction_cosines
from visds.dynspec.block import make_block
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.fits import write_fits
from visds.dynspec.primary_beam import correct_primary_beam
from visds.dynspec.stitch import common_axes, stitch
from visds.visibility.amplitude import correct_amplitude, correct_smearing, target_power
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.primary_beam.airy import AiryBeam
from visds.visibility.primary_beam.polynomial import published_beam

STAR = (0.010, 0.001, 0.002, -0.008)
CENTRE = Direction(10.0, 20.0)


def attenuated(power, sigma=0.02, labels=CIRCULAR, T=400, stokes=STAR, seed=0, **keywords):
    """Return a chunk with noise of a star at its phase centre, seen through `power` (F)."""
    B, F = 12, len(power)
    noise = sigma * np.linspace(1, 3, B)[:, np.newaxis] * np.ones(len(labels))
    made = chunk(labels, noise, T=T, stokes=(0, 0, 0, 0), F=F, seed=seed, **keywords)
    star = correlations_of(labels, np.array(stokes)) * np.asarray(power)[:, np.newaxis]
    return made.replace(visibility=(made.visibility + star).astype(np.complex64))


def block(made, stokes=("I", "Q", "U", "V"), target=CENTRE):
    return make_block([made], target, stokes, made.correlations)


@pytest.mark.parametrize("labels", [CIRCULAR, LINEAR])
@pytest.mark.parametrize("way", ["visibilities", "sums"])
def test_a_star_seen_through_the_beam_has_its_own_flux_density_with_errors_of_its_scale(
        labels, way):
    """10 mJy behind a beam that falls from 0.8 to 0.2: pulls have mean 0 and scatter 1."""
    power = np.linspace(0.8, 0.2, 8)
    seen = attenuated(power, labels=labels)
    if way == "sums":
        found = correct_primary_beam(block(seen), power)
    else:
        found = block(correct_amplitude(seen, power))
    pull = (found.flux_density - np.array(STAR)) / found.sigma_formal
    assert abs(pull.mean()) < 0.03
    np.testing.assert_allclose(pull.std(axis=0), 1, atol=0.15)
    assert pull.std() == pytest.approx(1, abs=0.03)
    apparent = block(seen)
    shape = power[:, np.newaxis]
    np.testing.assert_allclose(found.flux_density, apparent.flux_density / shape, rtol=1e-5,
                               atol=1e-7)
    for name in ("sigma", "sigma_formal", "sigma_empirical"):
        np.testing.assert_allclose(getattr(found, name), getattr(apparent, name) / shape, rtol=1e-4)
    np.testing.assert_allclose(found.covariance, apparent.covariance / power**2, rtol=1e-3,
                               atol=1e-9)
    curve = found.light_curve()
    together = np.average(curve.flux_density, axis=0, weights=curve.sigma[:, 0] ** -2)
    np.testing.assert_allclose(together, STAR, atol=4 * curve.sigma[0, 0] / np.sqrt(400))


def test_visibilities_and_their_sums_are_corrected_alike():
    power = np.array([0.9, 0.5, 0.1])
    seen = attenuated(power, T=3)
    flags = seen.flags.copy()
    flags[0, :5, 1] = Flag.MEASUREMENT_SET
    flags[1, :, 2] = Flag.CLIP_I
    seen = seen.replace(flags=flags)
    by_sums = correct_primary_beam(block(seen), power)
    by_visibilities = block(correct_amplitude(seen, power))
    for name in DynamicSpectrum.array_specs():
        if name != "primary_beam":
            values = getattr(by_visibilities, name)
            np.testing.assert_allclose(getattr(by_sums, name), values, rtol=2e-5, equal_nan=True,
                                       atol=1e-6 * np.nanmax(np.abs(values), initial=0),
                                       err_msg=name)


def test_the_band_is_weighted_by_what_each_channel_saw_of_the_star():
    """The light curve is sum w A V / sum w A^2: its error is the least there can be."""
    power = np.array([1.0, 0.1])
    curve = correct_primary_beam(block(attenuated(power)), power).light_curve()
    one = correct_primary_beam(block(attenuated(power[:1])), power[:1]).light_curve()
    np.testing.assert_allclose(curve.sigma_formal, one.sigma_formal / np.sqrt(1.01), rtol=1e-6)


def test_the_chunk_that_is_corrected_keeps_its_arrays():
    seen = attenuated(np.ones(3), T=2)
    before = (seen.visibility.copy(), seen.weight.copy(), seen.flags.copy())
    corrected = correct_amplitude(seen, np.array([1.0, 0.5, 0.0]))
    for name, values in zip(("visibility", "weight", "flags"), before, strict=True):
        np.testing.assert_array_equal(getattr(seen, name), values)
    assert corrected.visibility.dtype == np.complex64 and corrected.weight.dtype == np.float32
    assert corrected.weight.shape == seen.visibility.shape


def test_a_visibility_of_which_nothing_is_left_is_not_used():
    seen = attenuated(np.ones(4), T=3)
    factor = np.ones((3, 12, 4))
    factor[1, :, 2] = 0
    factor[0, 3, 1] = 1e-7
    found = block(correct_amplitude(seen, factor))
    assert np.isnan(found.flux_density[1, 2]).all()
    assert np.all(found.flags[1, 2] == Flag.EMPTY | Flag.ZERO_WEIGHT)
    assert found.count[0, 1, 0] == 11 and found.flags[0, 1, 0] == Flag.ZERO_WEIGHT
    assert np.isfinite(found.flux_density).sum() == 4 * 11


def test_a_visibility_whose_sign_was_turned_counts_with_its_own():
    """A side lobe of the smearing function is negative: V / A is not."""
    stokes = (1.0, 0, 0, 0.3)
    seen = attenuated(np.array([-0.2, 0.5]), sigma=1e-4, T=1, stokes=stokes)
    found = block(correct_amplitude(seen, np.array([-0.2, 0.5])))
    np.testing.assert_allclose(found.values("I"), 1, atol=1e-3)
    np.testing.assert_allclose(found.values("V"), 0.3, atol=1e-3)


def test_a_spectrum_is_not_corrected_twice():
    once = correct_primary_beam(block(attenuated(np.full(2, 0.5), T=1)), np.full(2, 0.5))
    with pytest.raises(ValueError, match="already"):
        correct_primary_beam(once, np.full(2, 0.5))


def test_channels_where_the_beam_is_too_low_are_empty():
    power = np.array([0.5, 0.0, 0.2])
    found = correct_primary_beam(block(attenuated(power, T=2)), power)
    assert np.isnan(found.flux_density[:, 1]).all() and found.count[:, 1].max() == 0
    assert np.all(found.flags[:, 1] & Flag.EMPTY)
    assert np.isfinite(found.flux_density[:, [0, 2]]).all()
    assert np.isfinite(found.light_curve().flux_density).all()


def test_the_power_is_kept_with_the_spectrum_its_bins_and_its_files(tmp_path):
    power = np.array([0.8, 0.6, 0.4, 0.0, 0.0, 0.0])
    apparent = block(attenuated(power, T=2))
    np.testing.assert_array_equal(apparent.primary_beam, 1)
    axes = common_axes([(apparent.time, apparent.integration, 1, apparent.frequency,
                         apparent.channel_width, 0)])
    stitched = stitch([apparent], axes, {"weights_calibrated": True})
    np.testing.assert_array_equal(stitched.primary_beam, 1)
    corrected = correct_primary_beam(stitched, power)
    np.testing.assert_allclose(corrected.rebin(channel=2).primary_beam, [0.7, 0.4, 0.0])
    np.testing.assert_allclose(corrected.rebin(time=2).primary_beam, power)
    np.testing.assert_array_equal(corrected.select_channels([2, 3]).primary_beam, [0.4, 0.0])
    corrected.write(tmp_path / "dynspec.h5")
    np.testing.assert_array_equal(DynamicSpectrum.read(tmp_path).primary_beam, power)
    from astropy.io import fits

    write_fits([corrected], tmp_path / "dynspec.fits")
    with fits.open(tmp_path / "dynspec.fits") as hdus:
        np.testing.assert_array_equal(hdus["FREQUENCY"].data["PRIMARY_BEAM"], power)


def test_the_power_at_the_target_is_that_of_its_offset_from_the_pointing():
    beam, frequency = AiryBeam(25.0), np.array([1.0e9, 1.4e9])
    pointing = Direction(10.0, 20.0)
    target = Direction(10.0, 20.25)
    there = np.array([0.0, np.sin(np.radians(0.25))])
    np.testing.assert_allclose(target_power(beam, pointing, target, frequency),
                               beam(there, frequency), rtol=1e-9)
    np.testing.assert_allclose(target_power(beam, pointing, pointing, frequency), 1)
    # The same place in B1950 is the same place, but for the aberration that FK4 holds.
    np.testing.assert_allclose(target_power(beam, pointing.to("B1950"), target, frequency),
                               beam(there, frequency), rtol=1e-5)


def test_a_target_that_the_beam_hardly_sees_is_refused_and_so_are_such_channels():
    beam, pointing = published_beam("VLA"), Direction(10.0, 20.0)
    frequency = np.array([1.0e9, 2.0e9])
    with pytest.raises(SettingsError, match=r"0 % of its power at the target, 2\.00 deg from"):
        target_power(beam, pointing, Direction(10.0, 22.0), frequency)
    with pytest.raises(SettingsError, match="at the target, 150"):
        target_power(beam, pointing, Direction(190.0, 10.0), frequency)
    at_edge = target_power(beam, pointing, Direction(10.0, 20.35), frequency)
    assert at_edge[0] > 0.2 and at_edge[1] == 0


def uvw_of(positions, hour_angle, declination):
    """Return uvw (T,B,3) of baselines (B,3) in the equatorial frame at hour angles (T) in rad."""
    x, y, z = positions.T
    sine, cosine = np.sin(hour_angle)[:, None], np.cos(hour_angle)[:, None]
    s, c = np.sin(np.radians(declination)), np.cos(np.radians(declination))
    return np.stack([sine * x + cosine * y, -s * cosine * x + s * sine * y + c * z,
                     c * cosine * x - c * sine * y + s * z], axis=-1)


def smeared(target, integration, width, positions, frequency, T=4):
    """Return a chunk of a 1 Jy source whose phase was averaged over integrations and channels."""
    l = direction_cosines(target.ra, target.dec, CENTRE)  # noqa: E741
    middle = 0.3 + np.arange(T) * integration * 7.292115147e-5
    within = (np.arange(60) + 0.5) / 60 - 0.5
    visibility = np.zeros((T, len(positions), len(frequency)), complex)
    for dt in within * integration:
        path = uvw_of(positions, middle + dt * 7.292115147e-5, CENTRE.dec) @ l
        for df in within * width:
            turns = path[..., None] * (frequency + df) / LIGHT_SPEED
            visibility += np.exp(2j * np.pi * turns) / len(within) ** 2
    shape = (*visibility.shape, 2)
    return VisibilityChunk(
        visibility=np.broadcast_to(visibility[..., None], shape), flags=np.zeros(shape),
        weight=np.ones((*shape[:2], 1, 2)), uvw=uvw_of(positions, middle, CENTRE.dec),
        antennas=np.arange(2 * len(positions)).reshape(-1, 2),
        time=59000 + np.arange(T) * integration / 86400, integration=np.full(T, integration),
        feed_angle=np.zeros(T), frequency=frequency, channel_width=np.full(len(frequency), width),
        correlations=("RR", "LL"), phase_centre=(CENTRE.ra, CENTRE.dec), frame="ICRS", field="",
        scan=1, spectral_window=0)


def test_smearing_of_the_target_is_put_back():
    """Half a degree off, on baselines to 15 km, averages over 10 s and 2 MHz keep 0.6 to 1."""
    rng = np.random.default_rng(4)
    positions = rng.uniform(-9e3, 9e3, (25, 3))
    target = Direction(10.3, 20.4)
    made = smeared(target, 10.0, 2e6, positions, 1.4e9 + 2e6 * np.arange(5))
    apparent = block(made, ("I", "V"), target)
    assert apparent.values("I").mean() < 0.85
    found = block(correct_smearing(made, target), ("I", "V"), target)
    np.testing.assert_allclose(found.values("I"), 1, atol=2e-3)
    np.testing.assert_allclose(found.residual, 0, atol=2e-3)
    assert np.all(found.sigma_formal > apparent.sigma_formal)


def test_a_target_at_the_phase_centre_is_not_smeared():
    made = smeared(CENTRE, 10.0, 2e6, np.full((3, 3), 5e3), np.array([1.4e9]))
    corrected = correct_smearing(made, CENTRE)
    np.testing.assert_array_equal(corrected.visibility, made.visibility)
    np.testing.assert_array_equal(corrected.weight, made.weight)
