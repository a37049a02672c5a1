"""Functions for vectorized loops, against numpy's."""

import numpy as np

from visds.core.vector import decay, turn


def test_decay_is_the_exponential():
    x = np.concatenate([[0.0], np.geomspace(1e-12, 32, 2000)])
    np.testing.assert_allclose([decay(value) for value in x], np.exp(-x), rtol=3e-10)


def test_decay_beyond_its_range_stays_small():
    assert decay(1e9) == decay(np.inf) == decay(32.0) < 2e-14


def test_turns_are_folded_exactly():
    turns = np.random.default_rng(1).uniform(-1e6, 1e6, 2000)
    expected = np.exp(2j * np.pi * (turns - np.round(turns)))
    values = np.array([complex(*turn(value)) for value in turns])
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-10)
