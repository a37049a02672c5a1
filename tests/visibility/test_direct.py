"""Predicted visibilities against a double sum in complex128, and what subtracting leaves."""

import numpy as np
import pytest

from visds.core.flags import Flag
from visds.core.sky import LIGHT_SPEED, Direction
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.sky_model import direct
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.predict import predict
from visds.visibility.sky_model.subtract import subtract

CIRCULAR = ("RR", "RL", "LR", "LL")
LINEAR = ("XX", "XY", "YX", "YY")


def chunk_of(T=2, B=5, frequency=None, *, correlations=CIRCULAR, feed_angle=0.0, frame="J2000",
             centre=(83.6, 22.0), seed=0):
    rng = np.random.default_rng(seed)
    frequency = 1e9 + 1e6 * np.arange(7) if frequency is None else np.asarray(frequency, float)
    F, P = len(frequency), len(correlations)
    return VisibilityChunk(
        visibility=np.zeros((T, B, F, P)), flags=np.zeros((T, B, F, P)),
        weight=np.ones((T, B, 1, P)), uvw=rng.uniform(-2e4, 2e4, (T, B, 3)),
        antennas=np.zeros((B, 2)), time=np.arange(T), integration=np.ones(T),
        feed_angle=np.broadcast_to(np.asarray(feed_angle, float), T), frequency=frequency,
        channel_width=np.ones(F), correlations=correlations, phase_centre=centre, frame=frame,
        field="star", scan=1, spectral_window=0)


def model_of(S=5, *, centre=(83.6, 22.0), size=2.0, polarized=False, seed=1):
    rng = np.random.default_rng(seed)
    stokes = np.zeros((S, 4))
    stokes[:, 0] = rng.uniform(0.1, 3, S)
    if polarized:
        stokes[:, 1:] = rng.uniform(-1, 1, (S, 3))
    return ComponentModel(centre[0] + rng.uniform(-size, size, S),
                          centre[1] + rng.uniform(-size, size, S), stokes,
                          rng.uniform(0.8e9, 2e9, S), rng.uniform(-2, 1, S))


def unit_vector(ra, dec):
    ra, dec = np.radians(ra), np.radians(dec)
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def reference(chunk, model):
    """Sum as the conventions say, one visibility after the other, with vectors on the sphere."""
    T, B, F, P = chunk.visibility.shape
    result = np.zeros((T, B, F, P), complex)
    ra0 = np.radians(chunk.phase_centre[0])
    towards = unit_vector(*chunk.phase_centre)
    east = np.array([-np.sin(ra0), np.cos(ra0), 0])
    north = np.cross(towards, east)
    for s in range(len(model.ra)):
        place = Direction(model.ra[s], model.dec[s]).to(chunk.frame)
        vector = unit_vector(place.ra, place.dec)
        lmn = np.array([vector @ east, vector @ north, vector @ towards - 1])
        for t, b, f in np.ndindex(T, B, F):
            nu = chunk.frequency[f]
            i, q, u, v = (model.stokes[s] * (nu / model.reference_frequency[s])
                          ** model.spectral_terms[s, 0])
            a = 2 * chunk.feed_angle[t]
            q, u = q * np.cos(a) + u * np.sin(a), u * np.cos(a) - q * np.sin(a)
            values = {"RR": i + v, "LL": i - v, "RL": q + 1j * u, "LR": q - 1j * u,
                      "XX": i + q, "YY": i - q, "XY": u + 1j * v, "YX": u - 1j * v}
            fringe = np.exp(2j * np.pi * nu / LIGHT_SPEED * (chunk.uvw[t, b] @ lmn))
            result[t, b, f] += fringe * np.array([values[name] for name in chunk.correlations])
    return result


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


@pytest.mark.parametrize("polarized", [False, True], ids=["unpolarized", "polarized"])
def test_subtracting_a_model_from_its_own_prediction_leaves_nothing(polarized):
    chunk, model = chunk_of(feed_angle=0.5), model_of(20, polarized=polarized)
    chunk = chunk.replace(visibility=predict(chunk, model))
    scale = np.abs(chunk.visibility).max()
    left = subtract(chunk, model)
    assert left is chunk
    assert np.abs(left.visibility).max() < 2e-7 * scale


def test_what_is_not_in_the_model_stays():
    chunk, model = chunk_of(), model_of(3)
    chunk = chunk.replace(visibility=predict(chunk, model) + np.complex64(5 - 3j))
    np.testing.assert_allclose(subtract(chunk, model).visibility, 5 - 3j, atol=2e-6)


def test_flags_and_weights_stay_and_absent_rows_stay_zero():
    chunk = chunk_of(2, 4)
    chunk.flags[0, 1] = Flag.ABSENT
    chunk.flags[1, 2, 3, 0] = Flag.MEASUREMENT_SET
    flags, weight = chunk.flags.copy(), chunk.weight.copy()
    chunk.flags.flags.writeable = chunk.uvw.flags.writeable = False
    left = subtract(chunk, model_of())
    assert not left.visibility[0, 1].any()
    assert left.visibility[1, 2, 3, 0] != 0
    assert np.all(left.visibility[0, [0, 2, 3]][..., 0] != 0)
    np.testing.assert_array_equal(left.flags, flags)
    np.testing.assert_array_equal(left.weight, weight)


def test_read_only_visibilities_are_refused():
    chunk = chunk_of()
    chunk.visibility.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        subtract(chunk, model_of())


def test_a_model_without_flux_predicts_nothing():
    model = ComponentModel(np.array([83.6]), np.array([22.0]), np.zeros((1, 4)), np.array([1e9]),
                           np.array([0.0]))
    assert not predict(chunk_of(), model).any()
