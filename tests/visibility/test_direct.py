"""Predicted visibilities of components against a double sum in complex128."""

import numpy as np
import pytest
from double_sum import CIRCULAR, LINEAR, chunk_of, model_of, reference, unit_vector

from visds.core.flags import Flag
from visds.core.sky import LIGHT_SPEED, Direction, convert_positions, direction_cosines
from visds.visibility.sky_model import direct
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.predict import predict


def assert_agree(chunk, model, rtol=3e-7):
    expected = reference(chunk, model)
    np.testing.assert_allclose(predict(chunk, model), expected, rtol=0,
                               atol=rtol * np.abs(expected).max())


@pytest.mark.parametrize("polarized", [False, True], ids=["unpolarized", "polarized"])
@pytest.mark.parametrize("correlations", [CIRCULAR, LINEAR, ("LL", "RR"), ("XX", "YY"), ("YX",),
                                          ("LR", "RR", "LL", "RL")], ids="-".join)
def test_the_prediction_equals_the_double_sum(correlations, polarized):
    assert_agree(chunk_of(correlations=correlations), model_of(polarized=polarized))


@pytest.mark.parametrize("channels", [1, 2, 3, 31, 32, 33, 100, 128, 129, 300])
def test_any_number_of_channels_either_way_agrees(channels):
    frequency = 1.5e9 - 1e6 * np.arange(channels)
    assert_agree(chunk_of(1, 2, frequency), model_of(2))


def test_channels_at_uneven_distances_agree():
    frequency = np.sort(np.random.default_rng(5).uniform(0.3e9, 4e9, 150))
    assert_agree(chunk_of(1, 3, frequency), model_of(3))


def test_more_components_than_fit_a_table_of_fluxes_agree(monkeypatch):
    monkeypatch.setattr(direct, "_TABLE_BYTES", 1000)
    assert_agree(chunk_of(1, 2, 1e9 + 1e6 * np.arange(50)), model_of(30, polarized=True))


def test_phases_are_exact_at_long_baselines_far_from_the_centre():
    frequency = 8e9 + 2e6 * np.arange(128)
    chunk = chunk_of(1, 3, frequency)
    chunk = chunk.replace(uvw=chunk.uvw * 50)
    assert_agree(chunk, model_of(2, size=40.0), rtol=1e-6)


@pytest.mark.parametrize("correlations", [CIRCULAR, LINEAR], ids=["circular", "linear"])
def test_turned_feeds_see_turned_q_and_u(correlations):
    chunk = chunk_of(3, 4, correlations=correlations, feed_angle=[0.3, -1.2, 2.5])
    assert_agree(chunk, model_of(polarized=True))


def test_rl_of_feeds_at_alpha_turns_by_minus_twice_alpha():
    model = ComponentModel(np.array([83.6]), np.array([22.0]), np.array([[1, 0.3, 0.4, 0.1]]),
                           np.array([1e9]), np.array([0.0]))
    chunk = chunk_of(1, 1, [1e9], feed_angle=0.4)
    rr, rl, lr, ll = predict(chunk, model)[0, 0, 0]
    np.testing.assert_allclose([rr, ll], [1.1, 0.9], rtol=1e-6)
    np.testing.assert_allclose(rl, (0.3 + 0.4j) * np.exp(-0.8j), rtol=1e-6)
    np.testing.assert_allclose(lr, np.conj(rl), rtol=1e-6)


def test_an_x_feed_along_the_polarization_sees_all_of_it():
    angle = 0.7
    model = ComponentModel(np.array([83.6]), np.array([22.0]),
                           np.array([[1, np.cos(2 * angle), np.sin(2 * angle), 0]]),
                           np.array([1e9]), np.array([0.0]))
    chunk = chunk_of(1, 1, [1e9], correlations=LINEAR, feed_angle=angle)
    np.testing.assert_allclose(predict(chunk, model)[0, 0, 0], [2, 0, 0, 0], atol=1e-6)


def test_a_source_in_the_east_leads_on_an_eastern_baseline():
    chunk = chunk_of(1, 1, [LIGHT_SPEED], centre=(10.0, 0.0)).replace(
        uvw=np.array([[[100.0, 0, 0]]]))
    model = ComponentModel(np.array([10.01]), np.array([0.0]), np.array([[1.0, 0, 0, 0]]),
                           np.array([1e9]), np.array([0.0]))
    phase = np.angle(predict(chunk, model)[0, 0, 0, 0])
    np.testing.assert_allclose(phase, 2 * np.pi * 100 * np.sin(np.radians(0.01)), rtol=1e-5)


def test_flux_follows_the_power_law():
    model = ComponentModel(np.array([83.6]), np.array([22.0]), np.array([[2.0, 0, 0, 0]]),
                           np.array([1e9]), np.array([-0.7]))
    values = predict(chunk_of(1, 1, [0.5e9, 1e9, 2e9]), model)[0, 0, :, 0]
    np.testing.assert_allclose(values, 2 * np.array([0.5, 1, 2]) ** -0.7, rtol=1e-6)


def test_a_phase_centre_in_b1950_sees_icrs_components_in_its_own_axes():
    place = Direction(83.6, 22.0).to("B1950")
    chunk = chunk_of(1, 4, frame="B1950", centre=(place.ra, place.dec))
    assert_agree(chunk, model_of(2, size=0.5))
    centre = ComponentModel(np.array([83.6]), np.array([22.0]), np.array([[1.0, 0, 0, 0]]),
                            np.array([1e9]), np.array([0.0]))
    np.testing.assert_allclose(predict(chunk, centre)[..., 0], 1, atol=1e-5)


def test_a_model_without_flux_predicts_nothing():
    model = ComponentModel(np.array([83.6]), np.array([22.0]), np.zeros((1, 4)), np.array([1e9]),
                           np.array([0.0]))
    assert not predict(chunk_of(), model).any()


def predicted(chunk, model, **options):
    visibility = np.zeros_like(chunk.visibility)
    direct.add_components(visibility, 1.0, chunk, model, **options)
    return visibility


def one(ra=83.6, dec=22.0, *, shape=(0.0, 0.0, 0.0), stokes=(1.0, 0, 0, 0), terms=0.0,
        is_logarithmic=True):
    return ComponentModel(np.array([ra]), np.array([dec]), np.array([stokes]), np.array([1e9]),
                          np.array([terms]).reshape(1, -1), np.array([is_logarithmic]),
                          np.array([shape]))


def sum_of_pixels(chunk, model, pixels=25, width=5.0):
    """Return the visibilities (T,B,F) of a 1 Jy Gaussian as the sum over points on the sky.

    The points lie on the plane that touches the sphere at the component, along its own east and
    north of the ICRS, the position angle counted from north through east.
    """
    place, angle = unit_vector(model.ra[0], model.dec[0]), np.radians(model.shape[0, 2])
    ra = np.radians(model.ra[0])
    east = np.array([-np.sin(ra), np.cos(ra), 0])
    north = np.cross(place, east)
    offsets = np.linspace(-width, width, pixels)
    along, across = np.meshgrid(offsets, offsets)
    weight = np.exp(-(along**2 + across**2) / 2).ravel()
    major, minor = np.radians(model.shape[0, :2] / 3600) / np.sqrt(8 * np.log(2))
    along, across = along.ravel()[:, np.newaxis] * major, across.ravel()[:, np.newaxis] * minor
    vectors = (place + along * (np.cos(angle) * north + np.sin(angle) * east)
               + across * (np.cos(angle) * east - np.sin(angle) * north))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    centre = Direction(*chunk.phase_centre, chunk.frame)
    places = convert_positions(np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])) % 360,
                               np.degrees(np.arcsin(vectors[:, 2])), "ICRS", chunk.frame)
    turns = chunk.uvw @ direction_cosines(*places, centre).T / LIGHT_SPEED
    fringes = np.exp(2j * np.pi * turns[..., np.newaxis, :] * chunk.frequency[:, np.newaxis])
    return fringes @ (weight / weight.sum())


@pytest.mark.parametrize("place", [(83.6, 22.0), (84.1, 21.2), (110.0, 60.0), (20.0, -50.0),
                                   (83.6, 89.9)])
@pytest.mark.parametrize("shape", [(2.0, 2.0, 0.0), (3.0, 0.5, 35.0), (4.0, 1.0, -80.0),
                                   (2.0, 0.0, 120.0)], ids=str)
def test_a_gaussian_is_the_sum_of_the_points_that_it_is_made_of(place, shape):
    chunk, model = chunk_of(2, 12, 1e9 + 2e7 * np.arange(40)), one(*place, shape=shape)
    expected = sum_of_pixels(chunk, model)
    assert np.ptp(np.abs(expected)) > 0.3
    # The sky is curved across the Gaussian: 3e-5 turns of phase at a sigma from its middle.
    np.testing.assert_allclose(predicted(chunk, model)[..., 0], expected, rtol=0, atol=5e-5)


def test_a_gaussian_in_b1950_has_its_position_angle_from_north_of_the_icrs():
    place = Direction(20.0, 85.0).to("B1950")
    chunk = chunk_of(1, 12, frame="B1950", centre=(place.ra, place.dec))
    model = one(21.0, 85.1, shape=(4.0, 0.5, 40.0))
    wrong = one(21.0, 85.1, shape=(4.0, 0.5, 47.0))
    expected = sum_of_pixels(chunk, model)
    np.testing.assert_allclose(predicted(chunk, model)[..., 0], expected, rtol=0, atol=5e-5)
    assert np.abs(predicted(chunk, wrong)[..., 0] - expected).max() > 0.02


def test_a_gaussian_along_north_is_resolved_by_baselines_along_v():
    chunk = chunk_of(1, 2, [LIGHT_SPEED]).replace(uvw=np.array([[[5e4, 0, 0], [0, 5e4, 0]]]))
    along_u, along_v = predicted(chunk, one(shape=(2.0, 0.0, 0.0)))[0, :, 0, 0].real
    turns = 5e4 * np.radians(2 / 3600)
    np.testing.assert_allclose(along_u, 1, rtol=1e-6)
    np.testing.assert_allclose(along_v, np.exp(-(np.pi * turns)**2 / (4 * np.log(2))), rtol=1e-5)


def test_gaussians_on_uneven_channels_and_in_many_blocks_agree():
    frequency = np.sort(np.random.default_rng(5).uniform(0.8e9, 2e9, 300))
    chunk, model = chunk_of(1, 5, frequency), one(83.9, 22.3, shape=(1.0, 0.4, 20.0))
    np.testing.assert_allclose(predicted(chunk, model)[..., 0], sum_of_pixels(chunk, model),
                               rtol=0, atol=2e-5)


def test_what_is_resolved_out_is_nothing_and_never_nan():
    chunk = chunk_of(1, 5, np.linspace(1e8, 5e9, 200))
    for arcsec in (30.0, 3600.0, 1e5):
        values = predicted(chunk, one(shape=(arcsec, arcsec, 0.0)))
        assert np.abs(values).max() < 1e-6 or arcsec == 30
        assert np.all(np.isfinite(values))
        assert np.abs(values).max() <= 1


def test_points_and_gaussians_of_all_stokes_add_up():
    chunk = chunk_of(2, 5, feed_angle=[0.3, 1.0])
    points = model_of(4, polarized=True)
    shapes = np.array([[0, 0, 0], [2.0, 1.0, 30], [0, 0, 0], [1.0, 1.0, 0]])
    mixed = ComponentModel(points.ra, points.dec, points.stokes, points.reference_frequency,
                           points.spectral_terms, shape=shapes)
    expected = 0
    for s in range(4):
        point = reference(chunk, points.select(slice(s, s + 1)))
        if shapes[s, 0]:
            fringe = reference(chunk, one(points.ra[s], points.dec[s]))[..., 0]
            left = sum_of_pixels(chunk, mixed.select(slice(s, s + 1))) / fringe
            point = point * left[..., np.newaxis]
        expected = expected + point
    np.testing.assert_allclose(predicted(chunk, mixed), expected, rtol=0,
                               atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("terms", "is_logarithmic", "expected"), [
    ((-0.7, 0.2), True, lambda x: x ** (-0.7 + 0.2 * np.log10(x))),
    ((-0.7, 0.2), False, lambda x: 1 - 0.7 * (x - 1) + 0.2 * (x - 1) ** 2)])
def test_spectra_of_several_terms_are_followed(terms, is_logarithmic, expected):
    frequency = np.array([0.5e9, 1e9, 1.7e9])
    values = predicted(chunk_of(1, 1, frequency), one(terms=terms, is_logarithmic=is_logarithmic))
    np.testing.assert_allclose(values[0, 0, :, 0], expected(frequency / 1e9), rtol=1e-6)


def test_a_beam_multiplies_the_flux_density_of_each_component_and_channel():
    chunk, model = chunk_of(2, 5, np.linspace(0.8e9, 1.6e9, 40)), model_of(6)
    centre = Direction(*chunk.phase_centre)

    def beam(cosines, frequency):
        assert cosines.shape[1] == 2
        return np.exp(-1e3 * np.sum(cosines**2, axis=1)[:, np.newaxis] * (frequency / 1e9) ** 2)

    expected = 0
    for s in range(6):
        alone = model.select(slice(s, s + 1))
        factor = beam(alone.cosines(centre)[:, :2], chunk.frequency)[0]
        expected = expected + reference(chunk, alone) * factor[:, np.newaxis]
    np.testing.assert_allclose(predicted(chunk, model, beam=beam), expected, rtol=0,
                               atol=3e-7 * np.abs(expected).max())


@pytest.mark.parametrize(("T", "B"), [(1, 7), (2, 3), (5, 2), (1, 1)])
def test_threads_change_nothing(T, B):
    chunk, model = chunk_of(T, B, feed_angle=np.linspace(0, 1, T)), model_of(20, polarized=True)
    chunk.flags[0, 0] = Flag.ABSENT
    for smearing in (False, True):
        alone = predicted(chunk, model, smearing=smearing)
        np.testing.assert_array_equal(predicted(chunk, model, smearing=smearing, threads=3), alone)


def test_ten_thousand_components_agree():
    chunk, model = chunk_of(1, 2, 1e9 + 1e7 * np.arange(3)), model_of(10000)
    cosines = model.cosines(Direction(*chunk.phase_centre))
    turns = (chunk.uvw @ cosines.T)[..., np.newaxis, :] * chunk.frequency[:, np.newaxis]
    expected = np.sum(model.flux_density(chunk.frequency)[0].T
                      * np.exp(2j * np.pi * turns / LIGHT_SPEED), axis=-1)
    np.testing.assert_allclose(predicted(chunk, model)[..., 0], expected, rtol=0,
                               atol=1e-6 * np.abs(expected).max())
