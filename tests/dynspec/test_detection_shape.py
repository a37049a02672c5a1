"""Drift, rise and decay of simulated bursts, of known truth."""

import numpy as np
import pytest
from spectra import spectrum

from visds.dynspec.detection.detect import detect
from visds.dynspec.detection.settings import DetectSettings
from visds.dynspec.detection.shape import fitted

T, F, STEP, WIDTH = 60, 32, 10.0, 1e6


def pulse(drift=0.0, rise=40.0, decay=40.0, flank=np.square):
    """Return a burst (T,F), means over integrations of 10 s, of half times and s/Hz as given."""
    t, f = np.arange(T) * STEP, 550e6 + WIDTH * np.arange(F)
    parts = []
    for offset in (np.arange(10) + 0.5) / 10 - 0.5:
        since = t[:, None] + offset * STEP - 300 - drift * (f - 566e6)
        parts.append(2.0 ** -flank(since / np.where(since < 0, rise, decay)))
    return np.mean(parts, axis=0) * np.exp(-((f - 566e6) / 8e6) ** 2 / 2)


def shapes(snr, number=24, **truth):
    shape = pulse(**truth)
    shape *= snr / np.sqrt((shape**2).sum())
    rng = np.random.default_rng(1)
    return [fitted(shape + rng.standard_normal(shape.shape), np.ones(shape.shape),
                   np.arange(T) * STEP, np.full(T, STEP), 550e6 + WIDTH * np.arange(F), snr)
            for _ in range(number)]


def pulls(found, name, truth):
    values = np.array([[getattr(one, name), getattr(one, f"{name}_error")] for one in found])
    return (values[:, 0] - truth) / values[:, 1]


@pytest.mark.parametrize(("snr", "drift"), [
    (12, 0.0), (25, 6e-6), (25, -6e-6), (60, -1.5e-5), (100, -1.5e-5)])
def test_delay_of_drifting_bursts_comes_back_within_its_errors(snr, drift):
    found = shapes(snr, drift=drift)
    pull = pulls(found, "delay", drift)
    assert abs(pull.mean()) < 4 / np.sqrt(len(pull))
    assert 0.5 < pull.std() < 1.6
    rates = np.array([one.drift_rate for one in found])
    if drift == 0:
        assert np.isnan(rates).mean() > 0.8
    else:
        assert np.median(rates) == pytest.approx(1 / drift, rel=0.2)


def steep_rise(since):
    """Return flanks of another shape before and after: a Gaussian, then an exponential."""
    return np.where(since < 0, since**2, since)


def between(since):
    """Return flanks of a shape between the two."""
    return np.abs(since) ** 1.4


@pytest.mark.parametrize(("flank", "snr"), [(np.square, 40), (np.abs, 40), (steep_rise, 80),
                                            (between, 80)])
def test_rise_and_decay_come_back_within_their_errors(flank, snr):
    found = shapes(snr, 12, rise=20.0, decay=80.0, drift=5e-6, flank=flank)
    for name, truth in (("rise_time", 20), ("decay_time", 80)):
        pull = pulls(found, name, truth)
        assert np.isfinite(pull).all()
        assert abs(np.median(pull)) < 1 and np.abs(pull).max() < 5
        values = np.array([getattr(one, name) for one in found])
        assert np.median(values) == pytest.approx(truth, rel=0.15)


def test_rise_faster_than_an_integration_is_an_upper_limit():
    found = shapes(40, 12, rise=1.0, decay=60.0)
    limits = [one for one in found if np.isnan(one.rise_time_error)]
    assert len(limits) > len(found) / 2
    assert all(1 < one.rise_time < 40 for one in limits)
    assert all(np.isfinite(one.decay_time_error) for one in found)


@pytest.mark.parametrize("snr", [15, 100])
def test_a_burst_within_an_integration_has_no_drift_that_noise_gave_it(snr):
    found = shapes(snr, 20, rise=2.0, decay=2.0)
    assert np.isnan([one.drift_rate for one in found]).all()
    assert 0.5 < pulls(found, "delay", 0.0).std() < 1.6


def test_nothing_is_told_of_a_decay_that_was_not_seen():
    values = 30 * pulse()[:31]
    found = fitted(values, np.ones(values.shape), np.arange(31) * STEP, np.full(31, STEP),
                   550e6 + WIDTH * np.arange(F), 200.0)
    assert np.isnan(found.decay_time) and np.isnan(found.decay_time_error)
    assert found.rise_time == pytest.approx(40, rel=0.1)


def test_burst_of_one_channel_has_no_drift():
    values = pulse()[:, :1] * 30
    found = fitted(values, np.ones(values.shape), np.arange(T) * STEP, np.full(T, STEP),
                   np.array([566e6]), 40.0)
    assert np.isnan(found.delay) and np.isnan(found.drift_rate)
    assert found.decay_time == pytest.approx(40, rel=0.1)


def test_nothing_is_told_of_data_without_weight():
    values = np.zeros((T, F))
    found = fitted(values, values, np.arange(T) * STEP, np.full(T, STEP),
                   550e6 + WIDTH * np.arange(F), 10.0)
    assert np.isnan(found.delay) and np.isnan(found.rise_time)


@pytest.mark.parametrize("sign", [1, -1])
def test_table_has_drift_with_its_sign_in_megahertz_a_second(sign):
    values = np.zeros((T, F, 4))
    values[..., 3] = -pulse(drift=sign * 8e-6)
    event, = detect(spectrum(values), DetectSettings(realizations=16))
    assert event["polarization"] == "-V"
    assert event["delay"] == pytest.approx(sign * 8, abs=4 * event["delay_error"])
    assert event["drift_rate"] == pytest.approx(sign / 8, abs=4 * event["drift_rate_error"])
    assert event["rise_time"] == pytest.approx(40, abs=4 * event["rise_time_error"])
