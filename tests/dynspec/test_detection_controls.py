"""Thresholds held against data without the source."""

import numpy as np
import pytest
from spectra import spectrum

from visds.dynspec.detection import controls
from visds.dynspec.detection.boxes import Boxes
from visds.dynspec.detection.detect import detect
from visds.dynspec.detection.false_alarm import FalseAlarms
from visds.dynspec.detection.settings import DetectSettings

T, F = 64, 32
SETTINGS = DetectSettings(realizations=16, detection_templates=("box",))
ALARMS = FalseAlarms(location=10.0, scale=1.0, searches=3, realizations=100)


def peaks(rng, number, scale=1.0, location=10.0):
    return np.sqrt(2 * np.maximum(rng.gumbel(location, scale, number), 0.5))


def red_noise(seed, strength=0.25):
    """Return a spectrum with noise of minutes in all channels of the real part, of this size."""
    rng = np.random.default_rng(seed)
    slow = np.cumsum(rng.standard_normal(T)) * strength / np.sqrt(T)
    values = np.zeros((T, F, 4))
    values[..., 0] = (slow - slow.mean())[:, None]
    return spectrum(values, seed=seed, baselines=12)


@pytest.mark.parametrize("number", [8, 24, 100])
def test_controls_that_are_noise_leave_the_threshold_but_for_a_few_times_in_a_hundred(number):
    rng = np.random.default_rng(0)
    raised = [controls.raised(ALARMS, peaks(rng, number), 0.01)[2] != "" for _ in range(500)]
    assert np.mean(raised) < 0.05


def test_heavier_tail_of_controls_raises_the_threshold_to_its_own_rate():
    rng = np.random.default_rng(1)
    thresholds = []
    for _ in range(50):
        alarms, threshold, said = controls.raised(ALARMS, peaks(rng, 60, scale=2.0), 0.01)
        assert said.startswith("Gumbel distribution of the peaks of controls")
        thresholds.append(threshold)
        assert float(alarms.rate(threshold)) == pytest.approx(0.01)
    truth = FalseAlarms(10.0, 2.0, 3, 1).threshold(0.01)
    assert np.mean(thresholds) == pytest.approx(truth, rel=0.03)


def test_highest_of_few_controls_is_the_threshold_where_noise_cannot_be_that_high():
    found = [4.2, 4.5, 9.0]
    alarms, threshold, said = controls.raised(ALARMS, found, 0.01)
    assert threshold == 9.0 and said.startswith("highest peak of controls")
    # Three controls cannot say that such a peak is rarer than one in four searches.
    assert float(alarms.rate(9.0)) == pytest.approx(3 / 4)
    assert controls.raised(ALARMS, found[:2], 0.01)[1] == ALARMS.threshold(0.01)
    assert controls.raised(ALARMS, [], 0.01) == (ALARMS, ALARMS.threshold(0.01), "")


def test_red_noise_off_source_raises_the_threshold_and_the_table_says_so():
    target = spectrum(np.zeros((T, F, 4)), baselines=12)
    quiet = [spectrum(np.zeros((T, F, 4)), seed=seed, baselines=12) for seed in range(1, 5)]
    plain = detect(target, SETTINGS)
    same = detect(target, SETTINGS, quiet)
    assert same.meta["threshold"] == plain.meta["threshold"] == plain.meta["threshold_of_noise"]
    assert (plain.meta["control_directions"], same.meta["control_directions"]) == (0, 4)
    assert np.isnan(plain.meta["largest_snr_off_source"])
    table = detect(target, SETTINGS, [red_noise(seed) for seed in range(1, 5)])
    assert table.meta["threshold"] > plain.meta["threshold"] + 1
    assert table.meta["threshold_of_noise"] == plain.meta["threshold"]
    assert "controls, which is above noise realizations" in table.meta["calibration"]
    assert table.meta["largest_snr_off_source"] > plain.meta["threshold"]


def test_sidelobes_of_a_burst_in_the_controls_do_not_raise_the_threshold():
    values = np.zeros((T, F, 4))
    values[30:38, 10:20, 0] = 3.0
    others = [spectrum(0.15 * values, seed=seed, baselines=12) for seed in range(1, 4)]
    table = detect(spectrum(values, baselines=12), SETTINGS, others)
    assert table.meta["threshold"] == table.meta["threshold_of_noise"]
    assert not table["veto_off_source"][0]


def test_a_given_threshold_stands_whatever_the_controls_say():
    settings = DetectSettings(realizations=16, detection_threshold=6.0,
                              detection_templates=("box",))
    target = spectrum(np.zeros((T, F, 4)), baselines=12)
    table = detect(target, settings, [red_noise(seed) for seed in range(1, 5)])
    assert table.meta["threshold"] == 6.0
    assert table.meta["false_alarm_rate"] > detect(target, settings).meta["false_alarm_rate"]


def test_slow_changes_do_not_make_the_sign_flipped_data_useless():
    # A source that fades: of its changed sign it rises, and yet that tells of no noise.
    rng = np.random.default_rng(2)
    values = rng.standard_normal((128, 8)) + np.linspace(3, -3, 128)[:, None]
    boxes = Boxes((slice(0, 128),), 8)

    class Plane:
        weight, scatter = np.ones(values.shape), np.ones(boxes.scatter_shape())
        coherent = np.zeros(values.shape)

    Plane.values = values
    assert controls.sign_flipped_peak(Plane, boxes, []) < 5
    Plane.values = values - 6 * (np.arange(128)[:, None] % 64 == 40)
    assert controls.sign_flipped_peak(Plane, boxes, []) > 10


def test_control_of_other_cells_is_refused():
    with pytest.raises(ValueError, match=r"a control has \(8, 4\) integrations and channels"):
        detect(spectrum(np.zeros((T, F, 4))), SETTINGS, [spectrum(np.zeros((8, 4, 4)))])
