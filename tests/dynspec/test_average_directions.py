"""Sums in many directions of the same visibilities, against sums in complex128."""

import numpy as np
import pytest

from visds.core.flags import Flag
from visds.core.sky import LIGHT_SPEED
from visds.dynspec.average import sum_up, sum_up_directions

PAIRS = np.array([[0, 3], [1, 2]])


def reference(visibility, flags, weight, pairs, paths, frequency):
    """Return `turned` (D,T,N,8,F) of all directions, and the sums of the moduli of the same."""
    weight = np.broadcast_to(weight, visibility.shape).astype(float)
    usable = (flags == 0) & np.isfinite(visibility) & (weight > 0) & (weight < np.inf)
    sums = []
    for path in paths:
        turn = np.exp(-2j * np.pi * path[..., None] * frequency / LIGHT_SPEED)
        for i, j in pairs:
            used = usable[..., i] & usable[..., j]
            w1, w2 = (np.where(used, weight[..., p], 1) for p in (i, j))
            w = np.where(used, 4 / (1 / w1 + 1 / w2), 0)
            values = [factor * np.where(used, visibility[..., p], 0) * turn
                      for factor in (w, w**2) for p in (i, j)]
            sums.append([(part.sum(axis=1), np.abs(value).sum(axis=1))
                         for value in values for part in (value.real, value.imag)])
    shape = len(paths), len(pairs), 8, 2, len(visibility), len(frequency)
    sums = np.array(sums).reshape(shape).transpose(3, 0, 4, 1, 2, 5)
    return sums[0], sums[1]


def data_of(*, T=2, B=21, F=37, P=4, D=4, spacing="even", channels=False, damaged=False,
            bright=0.0, seed=0):
    rng = np.random.default_rng(seed)
    shape = T, B, F, P
    visibility = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape) + bright).astype(
        np.complex64)
    flags = np.zeros(shape, np.uint8)
    weight = rng.uniform(0.2, 3, (T, B, F if channels else 1, P)).astype(np.float32)
    if damaged:
        flags[rng.random(shape) < 0.1] = Flag.MEASUREMENT_SET
        flags[:, B // 2], flags[0, :, F // 2], flags[0, :17, :1] = 1, 1, Flag.RFI
        visibility[rng.random(shape) < 0.02] = np.nan
        visibility[rng.random(shape) < 0.02] = complex(1, -np.inf)
        bad = rng.random(weight.shape) < 0.05
        weight[bad] = rng.choice([0, -1, np.nan, np.inf], bad.sum())
    frequency = {"even": np.linspace(0.9e9, 1.1e9, F),
                 "descending": np.linspace(1.1e9, 0.9e9, F),
                 "uneven": np.sort(rng.uniform(0.9e9, 1.1e9, F))}[spacing]
    pairs = PAIRS if P == 4 else np.array([[1, 0]])
    return visibility, flags, weight, pairs, rng.uniform(-3e4, 3e4, (D, T, B)), frequency


CASES = {
    "evenly spaced channels": {"F": 300},
    "descending channels": {"spacing": "descending", "F": 150},
    "uneven channels": {"spacing": "uneven", "F": 150},
    "flags and NaN": {"damaged": True, "B": 40},
    "flags, NaN, uneven channels": {"damaged": True, "spacing": "uneven", "B": 19},
    "weights of channels": {"channels": True},
    "weights of channels, flags and NaN": {"channels": True, "damaged": True, "F": 140},
    "two correlations": {"P": 2, "damaged": True},
    "a bright source": {"bright": 1e4},
    "a bright source, flags": {"bright": 1e4, "damaged": True},
    "many rows": {"T": 1, "B": 351, "F": 20, "bright": 1.0},
    "one visibility": {"T": 1, "B": 1, "F": 1, "P": 2},
    "one further direction": {"D": 2},
    "no further direction": {"D": 1},
    "forty directions": {"D": 40, "damaged": True},
}


@pytest.mark.parametrize("case", CASES)
def test_sums_in_all_directions_are_right_to_a_millionth_of_the_sum_of_moduli(case):
    data = data_of(**CASES[case])
    first, turned = sum_up_directions(*data)
    expected, moduli = reference(*data)
    assert turned.shape == expected[1:].shape
    np.testing.assert_array_less(np.abs(first.values[:, :, :8] - expected[0]),
                                 1e-6 * moduli[0] + 1e-300)
    np.testing.assert_array_less(np.abs(turned - expected[1:]), 1e-6 * moduli[1:] + 1e-300)


@pytest.mark.parametrize("damaged", [False, True])
def test_the_first_direction_is_to_the_bit_that_of_a_run_with_one_target(damaged):
    data = data_of(T=3, B=30, F=200, D=3, damaged=damaged)
    first, _ = sum_up_directions(*data)
    alone = sum_up(*data[:4], data[4][0], data[5])
    for name in ("values", "left_out", "flag_counts"):
        np.testing.assert_array_equal(getattr(first, name), getattr(alone, name))


@pytest.mark.parametrize("spacing", ["even", "uneven"])
def test_neither_the_other_directions_nor_the_slab_change_a_direction(spacing):
    data = data_of(T=4, B=37, F=60, D=6, damaged=True, spacing=spacing)
    arrays, pairs, paths, frequency = data[:3], *data[3:]
    _, turned = sum_up_directions(*data)
    allowed = 2e-7 * reference(*data)[1][1:]
    for d in range(1, 6):
        _, alone = sum_up_directions(*arrays, pairs, paths[[0, d]], frequency)
        np.testing.assert_array_less(np.abs(alone[0] - turned[d - 1]), allowed[d - 1] + 1e-300)
    _, slab = sum_up_directions(*(array[2:3] for array in arrays), pairs, paths[:, 2:3], frequency)
    np.testing.assert_array_less(np.abs(slab - turned[:, 2:3]), allowed[:, 2:3] + 1e-300)


def test_a_source_of_1_jy_is_seen_in_its_own_direction_only():
    visibility, flags, weight, pairs, paths, frequency = data_of(T=1, B=400, F=100, D=3)
    for d in (1, 2):
        visibility[:] = np.exp(2j * np.pi * paths[d, ..., None] * frequency / LIGHT_SPEED)[
            ..., None]
        first, turned = sum_up_directions(visibility, flags, weight, pairs, paths, frequency)
        sum_w = first.values[:, :, 11]
        flux = turned[:, :, :, 0] / sum_w
        np.testing.assert_allclose(flux[d - 1], 1, atol=3e-7)
        np.testing.assert_allclose(turned[d - 1, :, :, 1] / sum_w, 0, atol=3e-7)
        assert np.abs(flux[2 - d]).max() < 0.3


@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1e12, 1e25])
def test_squares_of_weights_beyond_float32_do_not_overflow_nor_vanish(scale):
    visibility, flags, weight, pairs, paths, frequency = data_of(B=40)
    weight[:, ::3] *= 1e4
    weight *= np.float32(scale)
    data = visibility, flags, weight, pairs, paths, frequency
    _, turned = sum_up_directions(*data)
    expected, moduli = reference(*data)
    np.testing.assert_array_less(np.abs(turned - expected[1:]), 1e-6 * moduli[1:])


def test_cells_without_data_are_exactly_zero_in_every_direction():
    visibility, flags, weight, pairs, paths, frequency = data_of(B=40, F=140)
    visibility[0], flags[0] = np.nan, Flag.ABSENT
    visibility[1, :, 7] = np.nan
    _, turned = sum_up_directions(visibility, flags, weight, pairs, paths, frequency)
    assert not turned[:, 0].any() and not turned[:, 1, ..., 7].any()
    assert np.isfinite(turned).all() and np.all(turned[:, 1, ..., 8:] != 0)


def test_paths_of_other_shapes_are_refused():
    data = data_of()
    for wrong in (data[4][:0], data[4][:, :, 1:]):
        with pytest.raises(ValueError, match="do not belong to visibilities"):
            sum_up_directions(*data[:4], wrong, data[5])
