"""The periodogram: periods with their errors, and what noise and gaps do not make."""

import dataclasses

import numpy as np
import pytest
from light_curves import measured

from visds.dynspec.variability.periodogram import periodogram

SCANS = np.concatenate([600.0 * k + 10 * np.arange(35) for k in range(6)])


def test_a_period_an_amplitude_and_an_epoch_are_recovered_with_their_errors():
    rng = np.random.default_rng(0)
    period, sigma = 431.0, rng.uniform(0.05, 0.2, len(SCANS))
    pulls = []
    for _ in range(40):
        values = (1 + 0.1 * np.cos(2 * np.pi * (SCANS - 100) / period)
                  + sigma * rng.standard_normal(len(SCANS)))
        found = periodogram(measured(SCANS, values, sigma))
        assert found.false_alarm_probability < 1e-3
        late = (found.epoch - 59000) * 86400 - 100
        pulls.append([(found.period - period) / found.period_error,
                      (found.amplitude - 0.1) / found.amplitude_error,
                      (late - period * np.round(late / period)) / found.epoch_error / 86400])
    pulls = np.array(pulls)
    np.testing.assert_allclose(pulls.mean(0), 0, atol=4 / np.sqrt(40))
    np.testing.assert_allclose(pulls.std(0), 1, atol=0.35)


def test_white_noise_in_scans_has_the_false_alarms_that_are_stated():
    """And so a gap, however regular, makes no period; nor does noise of the imaginary part."""
    rng = np.random.default_rng(1)
    seconds = SCANS[np.arange(len(SCANS)) % 35 < 20]
    found = [periodogram(measured(seconds, 1 + rng.normal(0, 0.1, 120), 0.1,
                                  rng.normal(0, 0.1, 120))) for _ in range(150)]
    for name in ("false_alarm_probability", "imaginary_false_alarm_probability"):
        chances = np.array([getattr(one, name) for one in found])
        for probability in (0.3, 0.1):
            expected = 150 * probability
            assert (chances < probability).sum() == pytest.approx(
                expected, abs=4 * np.sqrt(expected * (1 - probability)))


def test_the_window_tells_of_gaps_and_the_power_of_noise_does_not():
    rng = np.random.default_rng(2)
    found = [periodogram(measured(SCANS, 1 + rng.normal(0, 0.1, len(SCANS)), 0.1))
             for _ in range(40)]
    place = int(np.argmin(np.abs(found[0].frequency - 86400 / 600)))
    assert found[0].window[place] > 0.15
    assert found[0].window[place] > 20 * np.median(found[0].window)
    powers = np.mean([one.power for one in found], axis=0)
    assert powers[place] == pytest.approx(powers.mean(), rel=0.6)


def test_the_errors_scale_of_the_measurements_makes_no_period():
    """The false-alarm probability is the same for errors that are wrong by a factor."""
    rng = np.random.default_rng(3)
    values = 1 + rng.normal(0, 0.1, len(SCANS))
    right, wrong = (periodogram(measured(SCANS, values, sigma)) for sigma in (0.1, 0.02))
    assert wrong.false_alarm_probability == pytest.approx(right.false_alarm_probability)


def test_times_are_those_at_the_barycentre():
    """Here the wavefront comes later and later at the Earth, by 1e-4 of the time that passes."""
    rng = np.random.default_rng(4)
    seconds = 10.0 * np.arange(2000)
    made = measured(seconds, np.cos(2 * np.pi * seconds / 300) + rng.normal(0, 0.05, 2000), 0.05)
    moved = dataclasses.replace(made, time=59000 + seconds * (1 + 1e-4) / 86400)
    found = periodogram(moved)
    assert found.period == pytest.approx(300, abs=4 * found.period_error)
    assert found.period_error < 0.25 * 300 * 1e-4
    with pytest.raises(ValueError, match="barycentre are not known"):
        periodogram(dataclasses.replace(made, time_barycentre=made.time * np.nan))


def test_a_period_and_what_a_few_nights_make_of_it_are_told_together():
    rng = np.random.default_rng(5)
    seconds = np.concatenate([86164.0 * k + 100 * np.arange(60) for k in range(3)])
    for period in (7000.0, 3100.0):
        values = np.cos(2 * np.pi * seconds / period) + rng.normal(0, 0.5, len(seconds))
        found = periodogram(measured(seconds, values, 0.5))
        told = np.array([found.period, *found.aliases])
        assert np.abs(told - period).min() < 0.01 * period
        assert len(found.aliases) > 1


def test_the_range_is_from_twice_the_spacing_to_half_of_the_span_unless_asked_for():
    rng = np.random.default_rng(6)
    made = measured(10.0 * np.arange(200), rng.normal(0, 1, 200), 1.0)
    found = periodogram(made)
    assert 86400 / found.frequency[0] == pytest.approx(995)
    assert 86400 / found.frequency[-1] == pytest.approx(20, rel=0.02)
    found = periodogram(made, shortest=50.0, longest=200.0)
    assert 50 <= 86400 / found.frequency[-1] < 51
    assert 86400 / found.frequency[0] == pytest.approx(200)
    with pytest.raises(ValueError, match="no period is between 500 and 200 s"):
        periodogram(made, shortest=500.0, longest=200.0)


def test_power_that_still_rises_at_the_end_of_the_range_is_no_period():
    rng = np.random.default_rng(7)
    seconds = 10.0 * np.arange(200)
    found = periodogram(measured(seconds, seconds / 1000 + rng.normal(0, 0.05, 200), 0.05))
    assert found.false_alarm_probability < 1e-3
    assert np.isnan(found.period_error)


def test_of_few_or_equal_measurements_there_is_no_period():
    assert np.isnan(periodogram(measured(10.0 * np.arange(5), np.ones(5), 1.0)).period)
    assert np.isnan(periodogram(measured(10.0 * np.arange(50), np.ones(50), 1.0)).period)
    assert periodogram(measured([], [], 1.0)).ephemeris is None
