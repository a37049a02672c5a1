"""Polarization of bursts and means of spectra of known truth: what tables say of it."""

import numpy as np
import pytest
from astropy.table import Table
from spectra import spectrum

from visds.core.errors import SettingsError
from visds.dynspec.polarimetry.rm_synthesis import wavelength_squared
from visds.dynspec.polarimetry.settings import PolarizationSettings
from visds.dynspec.polarimetry.stokes_spectrum import (
    burst_spectrum,
    detection_spectrum,
    mean_spectrum,
)
from visds.dynspec.polarimetry.summary import COLUMNS, band_average, mean_table, polarization_row

T, F, WIDTH = 40, 64, 4e6
BURST = slice(20, 28)
SETTINGS = PolarizationSettings()


def star(i, linear, v, rm, chi):
    """Return the Stokes parameters (F,4) of a source."""
    squared, _ = wavelength_squared(700e6 + WIDTH * np.arange(F), np.full(F, WIDTH))
    p = linear * np.exp(2j * (chi + rm * squared))
    return np.stack([np.full(F, i), p.real, p.imag, np.full(F, v)], axis=1)


def flaring(sigma=0.05, seed=0, quiet=(0.5, 0.1, 0.05, -20, 0.0), burst=(1.0, 0.5, 0.3, 60, 0.9),
            **options):
    """Return a spectrum of a quiet star and its burst."""
    truth = np.tile(star(*quiet), (T, 1, 1))
    truth[BURST] += star(*burst)
    return spectrum(truth, sigma=sigma, seed=seed, channel_width=WIDTH, first_frequency=700e6,
                    baselines=12, **options)


def outside():
    chosen = np.ones(T, bool)
    chosen[BURST] = False
    return chosen


def test_a_burst_less_its_level_has_its_own_polarization_and_not_the_stars():
    row = polarization_row(burst_spectrum(flaring(), BURST, outside()), SETTINGS)
    assert set(row) == set(COLUMNS)
    for name, truth in (("rm", 60), ("fraction_L_derotated", 0.5),
                        ("intrinsic_angle", np.degrees(0.9)),
                        ("ellipticity", np.degrees(np.arctan2(0.3, 0.5) / 2))):
        assert abs(row[name] - truth) < 4 * row[f"{name}_error"] + 0.01 * abs(truth)
    assert row["fraction_V_interval"] == "bounded"
    assert row["fraction_V_low"] - 0.02 < 0.3 < row["fraction_V_high"] + 0.02
    # 60 rad/m2 turn Q and U several times in the band: little of L is left in its average.
    assert row["fraction_L"] < 0.15 < row["fraction_L_derotated"]


def test_the_star_in_quiet_has_another_rotation_measure_than_its_burst():
    row = polarization_row(mean_spectrum(flaring(), outside()), SETTINGS)
    assert row["rm"] == pytest.approx(-20, abs=4 * row["rm_error"])
    assert row["fraction_L_derotated"] == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(("hands", "ratio"), [(("RR", "LL"), 1.0), (("XX", "YY"), 3.0)])
def test_fractions_of_band_averages_are_within_their_errors(hands, ratio):
    pulls = []
    for seed in range(60):
        made = flaring(sigma=0.6, seed=seed, burst=(1.0, 0.4, -0.5, 0, 0.4), hand_ratio=ratio,
                       parallel_hands=hands)
        row = polarization_row(burst_spectrum(made, BURST, outside()), SETTINGS)
        pulls.append([(row[f"fraction_{name}"] - truth) / row[f"fraction_{name}_error"]
                      for name, truth in (("Q", 0.4 * np.cos(0.8)), ("U", 0.4 * np.sin(0.8)),
                                          ("L", 0.4))])
    assert np.mean(pulls, axis=0) == pytest.approx(0, abs=4 / np.sqrt(60))
    assert np.std(pulls, axis=0) == pytest.approx(1, abs=4 / np.sqrt(120))


def test_the_errors_of_a_burst_hold_those_of_its_level():
    made = flaring()
    inside, level = mean_spectrum(made, BURST), mean_spectrum(made, outside())
    found = burst_spectrum(made, BURST, outside())
    np.testing.assert_allclose(found.sigma, np.hypot(inside.sigma, level.sigma))
    np.testing.assert_allclose(found.covariance, inside.covariance + level.covariance)
    channels = slice(5, 20)
    part = burst_spectrum(made, BURST, outside(), channels)
    np.testing.assert_allclose(part.flux_density, found.flux_density[channels])


def test_a_detection_stands_on_what_is_outside_of_all_detections():
    made = flaring()
    half = made.integration / 2 / 86400
    second = slice(5, 9)
    detections = Table({
        "start": [(made.time - half)[part.start] for part in (BURST, second)],
        "stop": [(made.time + half)[part.stop - 1] for part in (BURST, second)]})
    detections["box_start"], detections["box_stop"] = detections["start"], detections["stop"]
    detections["box_low"], detections["box_high"] = 750e6, 850e6
    level = outside()
    level[second] = False
    channels = (made.frequency > 750e6) & (made.frequency < 850e6)
    expected = burst_spectrum(made, BURST, level, channels)
    found = detection_spectrum(made, detections, 0)
    np.testing.assert_array_equal(found.flux_density, expected.flux_density)
    detections["start"][1], detections["stop"][1] = made.time[0] - 1, made.time[-1] + 1
    assert np.isnan(detection_spectrum(made, detections, 0).flux_density).all()
    assert np.isnan(polarization_row(detection_spectrum(made, detections, 0),
                                     SETTINGS)["fraction_L"])


def test_what_noise_could_have_made_has_no_angle_and_no_rotation_measure():
    made = flaring(burst=(1.0, 0, 0.3, 0, 0), quiet=(0.5, 0, 0, 0, 0), sigma=0.3)
    row = polarization_row(burst_spectrum(made, BURST, outside()), SETTINGS)
    for name in ("polarization_angle", "rm", "intrinsic_angle", "fraction_L_derotated"):
        assert np.isnan(row[name]) and np.isnan(row[f"{name}_error"])
    assert row["rm_probability"] > 1e-4 and row["rm_snr"] < 6
    assert row["ellipticity"] > 40
    every = PolarizationSettings(polarization_snr=1e-3, rm_false_alarm=1.0)
    assert np.isfinite(polarization_row(burst_spectrum(made, BURST, outside()), every)["rm"])


def test_where_i_is_weak_v_over_i_has_an_interval_and_no_error():
    made = flaring(quiet=(0.0, 0, 0, 0, 0), burst=(0.0, 0, 0.5, 0, 0), sigma=0.3)
    row = polarization_row(burst_spectrum(made, BURST, outside()), SETTINGS)
    assert np.isnan(row["fraction_L"]) and np.isnan(row["fraction_Q_error"])
    assert row["fraction_V_interval"] in ("outside", "bounded")
    assert row["fraction_V_interval"] == "outside" or row["fraction_V_high"] > 5


def test_without_cross_hands_there_is_i_and_v_and_nothing_linear():
    made = flaring().select_polarizations(("I", "V"))
    row = polarization_row(mean_spectrum(made), SETTINGS)
    assert row["fraction_V_interval"] == "bounded"
    assert all(np.isnan(value) for name, value in row.items() if not name.startswith("fraction_V"))


def test_the_table_of_the_mean_has_a_row_a_scan_and_one_of_all():
    table = mean_table(flaring(scans=(3, 7)), SETTINGS)
    assert table["scan"].tolist() == [3, 7, -1]
    assert table.colnames == ["scan", *COLUMNS]
    assert table["rm"].unit == "rad/m2"
    # The burst is in scan 7; the star beside it moves the peak a little.
    assert table["rm"][0] == pytest.approx(-20, abs=1)
    assert table["rm"][1] == pytest.approx(60, abs=3)
    assert mean_table(flaring(), SETTINGS)["scan"].tolist() == [1]


def test_the_band_average_weighs_all_stokes_parameters_alike():
    made = mean_spectrum(flaring())
    values, sigma = made.flux_density.copy(), made.sigma.copy()
    sigma[3:20, 1] *= 50
    values[40, 2] = np.nan
    changed = band_average(made.__class__(
        made.frequency, made.channel_width, values, sigma, made.covariance, made.polarizations,
        made.partner))
    good = np.arange(F) != 40
    w = 1 / made.sigma[good, 0] ** 2
    np.testing.assert_allclose(changed.flux_density[0], np.average(values[good], axis=0, weights=w))
    assert changed.channel_width[0] == pytest.approx(F * WIDTH)


@pytest.mark.parametrize(("option", "text"), [("polarization_snr", "0"), ("largest_rm", "-5"),
                                              ("rm_false_alarm", "2"), ("rm_false_alarm", "x")])
def test_settings_that_mean_nothing_are_refused(option, text):
    field = PolarizationSettings.__dataclass_fields__[option].metadata["option"]
    with pytest.raises(SettingsError, match=f"'{text}' is not a"):
        field.parsed(text)
