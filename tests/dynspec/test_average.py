"""The averaging kernel against a slow reference in complex128, and its physics."""

from collections import Counter

import numpy as np
import pytest

from visds.core.flags import Flag
from visds.core.sky import LIGHT_SPEED
from visds.core.vector import turn
from visds.dynspec.average import average

RTOL_TURNED = 1e-6
RTOL_CENTRED = 1e-10


def reference(visibility, flags, weight, pairs, path, frequency):
    """Sum as `average` says, one visibility after the other."""
    T, B, F, _ = visibility.shape
    weight = np.broadcast_to(weight, visibility.shape)
    shape = (T, F, len(pairs))
    names = ("sum_w", "sum_w2", "sum_w2_product", "sum_w2_covariance", "count")
    sums = {name: np.zeros(shape) for name in names}
    sums |= {"sum_wv": np.zeros((*shape, 2), complex), "sum_w2v": np.zeros((*shape, 2), complex),
             "sum_w2v2": np.zeros((*shape, 2)), "flags": np.zeros(shape, np.uint8),
             "flag_counts": Counter()}
    for t, b, f, n in np.ndindex(T, B, F, len(pairs)):
        reasons, own = 0, []
        for p in pairs[n]:
            w = float(weight[t, b, f, p])
            bits = int(flags[t, b, f, p])
            bits |= 0 if np.isfinite(visibility[t, b, f, p]) else Flag.NOT_FINITE
            bits |= 0 if 0 < w < np.inf else Flag.ZERO_WEIGHT
            own.append(bits)
            reasons |= bits
        for bits in own:
            sums["flag_counts"][bits or (Flag.COUPLED if reasons else 0)] += 1
        cell = t, f, n
        sums["flags"][cell] |= reasons
        if reasons:
            continue
        w1, w2 = (float(weight[t, b, f, p]) for p in pairs[n])
        v = np.array([complex(visibility[t, b, f, p]) for p in pairs[n]])
        if path is not None:
            v *= np.exp(-2j * np.pi * frequency[f] / LIGHT_SPEED * path[t, b])
        w = 4 / (1 / w1 + 1 / w2)
        sums["sum_w"][cell] += w
        sums["sum_w2"][cell] += w**2
        sums["sum_wv"][cell] += w * v
        sums["sum_w2v"][cell] += w**2 * v
        sums["sum_w2v2"][cell] += w**2 * np.abs(v) ** 2
        sums["sum_w2_product"][cell] += w**2 * (v[0] * v[1].conjugate()).real
        sums["sum_w2_covariance"][cell] += w**2 * (1 / w1 - 1 / w2) / 4
        sums["count"][cell] += 1
    return sums


def noise(rng, *shape):
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def assert_agree(data, rtol):
    expected, result = reference(*data), average(*data)
    assert result.flag_counts == expected.pop("flag_counts")
    for name, values in expected.items():
        got = getattr(result, name)
        assert got.shape == values.shape, name
        # Sums cancel: the error is measured by their largest.
        atol = rtol * np.abs(values).max() if values.size else 0
        np.testing.assert_allclose(got, values, rtol=0, atol=atol, err_msg=name)
    return result


CASES = {
    # T, B, F, P, pairs
    "four correlations": (2, 7, 37, 4, [[0, 3], [1, 2]]),
    "another order": (2, 5, 16, 4, [[2, 0], [3, 1]]),
    "more than one block of channels": (1, 6, 300, 4, [[0, 3], [1, 2]]),
    "only parallel hands used": (1, 9, 20, 4, [[0, 3]]),
    "two correlations": (3, 8, 33, 2, [[1, 0]]),
    "three correlations": (1, 5, 18, 3, [[0, 2]]),
    "one channel": (2, 10, 1, 4, [[0, 3], [1, 2]]),
    "one baseline": (2, 1, 12, 4, [[0, 3], [1, 2]]),
    "one visibility": (1, 1, 1, 2, [[0, 1]]),
}


@pytest.mark.parametrize("turned", [False, True], ids=["centre", "off centre"])
@pytest.mark.parametrize("per_channel", [False, True], ids=["row weights", "channel weights"])
@pytest.mark.parametrize("damage", ["none", "flags", "everything"])
@pytest.mark.parametrize("case", CASES)
def test_sums_equal_those_of_a_loop_over_single_visibilities(case, damage, per_channel, turned):
    T, B, F, P, pairs = CASES[case]
    rng = np.random.default_rng(len(case))
    visibility = noise(rng, T, B, F, P)
    flags = np.zeros(visibility.shape, np.uint8)
    weight = rng.uniform(0.2, 3, (T, B, F if per_channel else 1, P)).astype(np.float32)
    if damage != "none":
        hit = rng.random(flags.shape) < 0.15
        flags[hit] = rng.choice([1, 8, 16, 17, 96], hit.sum())
        flags[:, B // 2] = 1
    if damage == "everything":
        visibility[rng.random(flags.shape) < 0.05] = np.nan
        visibility[rng.random(flags.shape) < 0.03] = complex(1, np.inf)
        visibility[rng.random(flags.shape) < 0.03] = complex(-np.inf, 0)
        bad = rng.random(weight.shape) < 0.1
        weight[bad] = rng.choice([0, -1, np.nan, np.inf], bad.sum())
    frequency = np.sort(rng.uniform(0.9e9, 1.1e9, F))[::-1]
    path = rng.uniform(-3e4, 3e4, (T, B)) if turned else None
    assert_agree((visibility, flags, weight, np.array(pairs), path, frequency),
                 RTOL_TURNED if turned else RTOL_CENTRED)


def test_a_clean_row_and_a_flagged_one_of_the_same_block_do_not_mix():
    rng = np.random.default_rng(1)
    visibility = noise(rng, 1, 4, 20, 4)
    flags = np.zeros(visibility.shape, np.uint8)
    flags[0, 2, 5, 0] = 1
    visibility[0, 1, 7, 3] = np.nan
    weight = rng.uniform(1, 2, (1, 4, 1, 4)).astype(np.float32)
    result = assert_agree((visibility, flags, weight, np.array([[0, 3], [1, 2]]), None,
                           np.linspace(1e9, 2e9, 20)), RTOL_CENTRED)
    assert result.count[0, 5].tolist() == [3, 4]
    assert result.count[0, 7].tolist() == [3, 4]
    assert result.flags[0, 5, 0] == Flag.MEASUREMENT_SET
    assert result.flags[0, 7, 0] == Flag.NOT_FINITE


def test_a_flag_in_rr_leaves_ll_out_and_the_cross_hands_in():
    visibility = np.ones((1, 3, 2, 4), np.complex64)
    visibility[0, 1, 0, 3] = 100
    flags = np.zeros(visibility.shape, np.uint8)
    flags[0, 1, 0, 0] = Flag.MEASUREMENT_SET
    result = average(visibility, flags, np.ones((1, 3, 1, 4), np.float32),
                     np.array([[0, 3], [1, 2]]), None, np.array([1e9, 2e9]))
    assert result.count[0].tolist() == [[2, 3], [3, 3]]
    assert result.sum_wv[0, 0, 0].tolist() == [4, 4]
    assert result.flag_counts[Flag.MEASUREMENT_SET] == 1
    assert result.flag_counts[Flag.COUPLED] == 1
    assert result.flag_counts[0] == 3 * 2 * 4 - 2


def test_a_point_source_of_1_jy_at_the_target_averages_to_1_jy():
    rng = np.random.default_rng(2)
    frequency = 550e6 + 1e6 * np.arange(200)
    path = rng.uniform(-3e4, 3e4, (3, 50))
    visibility = np.exp(2j * np.pi * path[..., None] * frequency / LIGHT_SPEED)
    visibility = np.repeat(visibility[..., None], 4, axis=-1).astype(np.complex64)
    weight = rng.uniform(0.5, 2, (3, 50, 1, 4)).astype(np.float32)
    result = average(visibility, np.zeros(visibility.shape, np.uint8), weight,
                     np.array([[0, 3], [1, 2]]), path, frequency)
    np.testing.assert_allclose(result.sum_wv / result.sum_w[..., None], 1, atol=3e-7)


def test_noise_averages_to_zero_within_its_formal_error():
    rng = np.random.default_rng(3)
    visibility = noise(rng, 40, 100, 30, 2)
    result = average(visibility, np.zeros(visibility.shape, np.uint8),
                     np.ones((40, 100, 1, 2), np.float32), np.array([[0, 1]]), None,
                     np.linspace(1e9, 2e9, 30))
    half_sum = (result.sum_wv.sum(-1).real / 2 / result.sum_w)[..., 0]
    in_sigma = half_sum * np.sqrt(result.sum_w[..., 0])
    assert abs(in_sigma.mean()) < 4 / np.sqrt(in_sigma.size)
    assert abs(in_sigma.std() - 1) < 4 / np.sqrt(2 * in_sigma.size)


def test_a_cell_without_data_has_sums_of_exactly_zero():
    visibility = np.full((1, 5, 130, 2), np.nan, np.complex64)
    result = average(visibility, np.full(visibility.shape, Flag.ABSENT, np.uint8),
                     np.zeros((1, 5, 1, 2), np.float32), np.array([[0, 1]]), np.ones((1, 5)),
                     np.linspace(1e9, 2e9, 130))
    for name in ("sum_w", "sum_wv", "sum_w2", "sum_w2v2", "sum_w2_covariance", "count"):
        assert not np.any(getattr(result, name)), name
    assert result.flag_counts[Flag.ABSENT | Flag.NOT_FINITE | Flag.ZERO_WEIGHT] == 5 * 130 * 2


def test_the_data_are_not_modified():
    rng = np.random.default_rng(4)
    visibility = noise(rng, 1, 4, 9, 2)
    visibility[0, 1, 3, 0] = np.nan
    flags = (rng.random(visibility.shape) < 0.3).astype(np.uint8)
    before = visibility.copy(), flags.copy()
    visibility.flags.writeable = flags.flags.writeable = False
    average(visibility, flags, np.ones((1, 4, 1, 2), np.float32), np.array([[0, 1]]),
            np.full((1, 4), 100.0), np.linspace(1e9, 2e9, 9))
    np.testing.assert_array_equal(visibility, before[0])
    np.testing.assert_array_equal(flags, before[1])


def test_arrays_of_other_shapes_are_refused():
    visibility = np.zeros((1, 4, 9, 2), np.complex64)
    with pytest.raises(ValueError, match="do not belong together"):
        average(visibility, np.zeros((1, 4, 8, 2), np.uint8), np.ones((1, 4, 1, 2), np.float32),
                np.array([[0, 1]]), None, np.linspace(1e9, 2e9, 9))


def test_turn_gives_cosine_and_sine_of_turns_both_ways():
    turns = np.concatenate([np.linspace(-2, 2, 4001), [0, 0.25, 0.5, -0.5, 1e6 + 0.375]])
    for x in turns:
        np.testing.assert_allclose(turn(x), (np.cos(2 * np.pi * x), np.sin(2 * np.pi * x)),
                                   atol=1e-9 if abs(x) > 10 else 5e-11)
