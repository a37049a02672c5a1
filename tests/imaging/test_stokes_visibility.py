"""What is gridded: pairs of correlations as the estimator of the spectrum uses them."""

import numpy as np
import pytest
from point_sources import CIRCULAR, LINEAR, PHASE_CENTRE, chunk

from visds.core.polarization import available_stokes
from visds.core.quantities import UVDistance
from visds.core.sky import Direction
from visds.dynspec.block import make_block
from visds.imaging.stokes_visibility import UVRange, gather

TARGET = Direction(83.4, 22.2)
FLUX = (1.0, 0.2, -0.3, -0.1)


def spoilt(made, seed=5):
    """Return a chunk with flags, NaN and weights of one correlation only, and of many values."""
    rng = np.random.default_rng(seed)
    flags, visibility = made.flags.copy(), made.visibility.copy()
    flags[rng.random(flags.shape) < 0.1] = 1
    visibility[rng.random(flags.shape) < 0.01] = np.nan
    weight = rng.uniform(0.5, 2, flags.shape).astype("f4")
    weight[rng.random(flags.shape) < 0.03] = 0
    return made.replace(flags=flags, visibility=visibility, weight=weight)


@pytest.mark.parametrize("correlations", [CIRCULAR, LINEAR, ("RR", "LL"), ("YY", "XX")])
@pytest.mark.parametrize("feed_angle", [0.0, 0.7])
def test_the_mean_of_what_is_gridded_is_the_dynamic_spectrum(correlations, feed_angle):
    made = spoilt(chunk([(TARGET, FLUX)], correlations=correlations, noise=0.3,
                        feed_angle=feed_angle, integrations=1))
    stokes = available_stokes(correlations)
    spectrum = make_block([made], TARGET, stokes, correlations)
    group, = gather([made], stokes, TARGET)
    for s, name in enumerate(stokes):
        weight = group.weight[group.weight_of[s]].astype(float)
        mean = (weight * group.visibility[s]).sum(axis=0) / weight.sum(axis=0)
        p = spectrum.polarizations.index(name)
        if feed_angle and name in "QU" and len(correlations) == 4 and correlations == LINEAR:
            # There Q and U are turned after their means are made, from samples of their own.
            np.testing.assert_allclose(mean.real, spectrum.flux_density[0, :, p], atol=0.1)
            continue
        np.testing.assert_allclose(mean.real, spectrum.flux_density[0, :, p], atol=2e-6)
        np.testing.assert_allclose(mean.imag, spectrum.residual[0, :, p], atol=2e-6)
        np.testing.assert_allclose(weight.sum(axis=0), spectrum.sum_w[0, :, p], rtol=1e-5)


def test_turned_q_and_u_have_the_weights_of_their_noise():
    made = chunk(correlations=LINEAR, noise=1.0, feed_angle=0.4, integrations=40, channels=16)
    weight = made.weight.copy()
    weight[..., [1, 2]] /= 4  # XY and YX have twice the noise
    visibility = made.visibility.copy()
    visibility[..., [1, 2]] *= 2
    group, = gather([made.replace(weight=weight, visibility=visibility)], tuple("IQUV"),
                    PHASE_CENTRE)
    for s in range(4):
        scaled = group.visibility[s].real * np.sqrt(group.weight[group.weight_of[s]])
        assert np.std(scaled) == pytest.approx(1, abs=0.01)


def test_one_flagged_hand_takes_its_partner_with_it_and_no_other_pair():
    made = chunk([(PHASE_CENTRE, FLUX)])
    flags = made.flags.copy()
    flags[0, 0, 0, CIRCULAR.index("LL")] = 1
    group, = gather([made.replace(flags=flags)], tuple("IQUV"), PHASE_CENTRE)
    assert group.weight_of == (0, 1, 1, 0)
    assert group.weight[0, 0, 0] == 0 and group.visibility[0, 0, 0] == 0
    assert group.visibility[3, 0, 0] == 0
    assert group.weight[1, 0, 0] == 2
    assert np.all(group.weight[0].ravel()[1:] == 2)


def test_descending_channels_are_gridded_ascending():
    made = chunk([(TARGET, FLUX)])
    turned = made.replace(visibility=made.visibility[:, :, ::-1], frequency=made.frequency[::-1],
                          flags=made.flags[:, :, ::-1])
    one, = gather([made], ("I", "V"), PHASE_CENTRE)
    other, = gather([turned], ("I", "V"), PHASE_CENTRE)
    assert np.all(np.diff(other.frequency) > 0)
    np.testing.assert_array_equal(one.visibility, other.visibility)


def test_a_band_takes_its_channels_and_a_uv_range_its_lengths():
    made = chunk([(TARGET, FLUX)])
    band = made.frequency[2], made.frequency[4]
    group, = gather([made], ("I",), PHASE_CENTRE,
                    UVRange(UVDistance(300.0, False), UVDistance(3e3, True)), band)
    np.testing.assert_array_equal(group.frequency, made.frequency[2:5])
    length = np.hypot(*made.uvw.reshape(-1, 3)[:, :2].T)[:, None]
    expected = (length >= 300) & (length * group.frequency / 299792458 <= 3e3)
    np.testing.assert_array_equal(group.weight[0] > 0, expected)


def test_rows_come_in_groups_of_the_size_asked_for_and_none_is_lost():
    made = chunk([(TARGET, FLUX)], integrations=7)
    whole, = gather([made], ("I", "V"), TARGET)
    slabs = [made.select_times(0, 3), made.select_times(3, 7)]
    parts = [(group.uvw.copy(), group.visibility.copy())
             for group in gather(slabs, ("I", "V"), TARGET, nbytes=2 * 66 * 8 * 48)]
    assert [len(part[0]) for part in parts] == [132, 132, 132, 66]
    np.testing.assert_array_equal(np.concatenate([part[0] for part in parts]), whole.uvw)
    np.testing.assert_array_equal(np.concatenate([part[1] for part in parts], axis=1),
                                  whole.visibility)


def test_stokes_that_the_correlations_do_not_allow_are_refused():
    with pytest.raises(ValueError, match="Stokes U cannot be made"):
        list(gather([chunk(correlations=("RR", "LL"))], ("I", "U"), PHASE_CENTRE))
