"""What the table of a search says of sidelobes: how many to expect, and what is none."""

import numpy as np
import pytest

from visds.imaging.found_table import found_table, sidelobe_alarms, without_echoes

THRESHOLD = 5.5
NONE = np.zeros(0)


def row(snr, *, place=0.0, is_sidelobe=None, flux=None):
    """Return a row of Stokes I at a place of its own, deg."""
    flux = snr * 0.001 if flux is None else flux
    return {"ra": 10 + place, "dec": 20.0, "ra_error": 1.0, "dec_error": 1.0, "flux_density": flux,
            "flux_density_error": 0.001, "snr": abs(snr), "rms": 0.001, "stokes": "I",
            "image": "scan1", "start": 59000.0, "stop": 59000.1, "band_low": 1e9, "band_high": 2e9,
            "beam": 0.005, "weight": 1.0, "kept": True,
            "is_sidelobe": flux < 0 if is_sidelobe is None else is_sidelobe}


def probabilities(*rows):
    """Return the false alarm probabilities of the positive rows."""
    table = found_table(rows, {"I": 1e5}, THRESHOLD)
    return table["false_alarm_probability"][table["flux_density"] > 0]


def test_positive_sidelobes_are_as_many_as_negative_ones():
    """Both are drawn alike; the alarms are those of the negative ones alone."""
    rng = np.random.default_rng(1)
    found, expected = 0, 0.0
    for _ in range(300):
        positive, negative = (THRESHOLD + rng.exponential(1.5, 12) for _ in range(2))
        found += (positive > 11).sum()
        expected += sidelobe_alarms(11.0, negative, THRESHOLD, 0.0)
    assert found > 50
    assert found < 1.2 * expected + 3 * np.sqrt(found)
    assert expected < 3 * found


def test_the_strongest_of_sidelobes_is_seldom_called_certain():
    """Half the time it is positive, above all negative ones."""
    rng = np.random.default_rng(2)
    least = [sidelobe_alarms((THRESHOLD + rng.exponential(2.0, 10)).max(),
                             THRESHOLD + rng.exponential(2.0, 10), THRESHOLD, 0.0)
             for _ in range(500)]
    assert np.mean(np.array(least) < 0.01) < 0.02


def test_what_is_far_above_all_sidelobes_is_a_source():
    negative = THRESHOLD + np.random.default_rng(3).exponential(1.0, 10)
    assert sidelobe_alarms(60.0, negative, THRESHOLD, 0.0) < 1e-6
    assert sidelobe_alarms(negative.max(), negative, THRESHOLD, 0.0) >= 1


def test_negative_ones_that_noise_makes_tell_of_no_sidelobes():
    assert sidelobe_alarms(7.0, np.array([5.6, 5.8]), THRESHOLD, 2.1) == 0
    assert sidelobe_alarms(7.0, np.array([5.6, 5.8]), THRESHOLD, 0.1) > 0.1
    assert sidelobe_alarms(7.0, NONE, THRESHOLD, 0.1) == 0


def test_a_source_that_fades_makes_no_flare_doubtful():
    flare, fades = row(87.0), row(88.0, place=0.1, flux=-0.088, is_sidelobe=False)
    assert probabilities(flare, fades)[0] < 1e-9
    assert probabilities(flare, row(88.0, place=0.1, flux=-0.088))[0] > 0.6


def test_one_negative_peak_near_the_threshold_does_not_make_a_strong_flare_doubtful():
    strong, weak = probabilities(row(90.0), row(6.5, place=0.1), row(5.8, place=0.2, flux=-0.0058))
    assert strong < 1e-4
    assert weak == pytest.approx(0.3, abs=0.15)


def test_sources_beside_a_stronger_one_of_the_same_image_are_counted():
    """They are 1.5 beams and 20 beams from the first; a beam is 0.005 deg."""
    rows = [row(90.0), row(40.0, place=0.008), row(30.0, place=0.1)]
    assert found_table(rows, {"I": 1e5}, THRESHOLD).meta["beside_another"] == 1
    rows[1]["image"] = "scan2"
    assert found_table(rows, {"I": 1e5}, THRESHOLD).meta["beside_another"] == 0


def flare_and_echo(flux, echo):
    """Return the candidate of two snapshots, the quiet one as far below as the other is above."""
    flare = row(12.0, flux=flux)
    return [flare, row(12.5, flux=echo) | {"image": "scan0"}]


def test_what_a_flare_leaves_in_the_other_snapshot_is_no_row_though_it_has_the_higher_snr():
    pair = flare_and_echo(0.012, -0.0125)
    kind = "I", 1e9, 2e9
    kept, = without_echoes([pair], [{(*kind, "scan1"): 0.0119, (*kind, "scan0"): 0.0}], THRESHOLD)
    assert kept["image"] == "scan1"
    kept, = without_echoes([pair], [{(*kind, "scan1"): 0.0, (*kind, "scan0"): -0.0122}], THRESHOLD)
    assert kept["image"] == "scan0"


def test_a_fading_that_is_more_than_an_echo_stays():
    """6 sigma of its own beside an echo of 20."""
    pair = flare_and_echo(0.020, -0.026)
    kind = "I", 1e9, 2e9
    assert len(without_echoes([pair], [{(*kind, "scan1"): 0.020, (*kind, "scan0"): -0.006}],
                              THRESHOLD)) == 2
