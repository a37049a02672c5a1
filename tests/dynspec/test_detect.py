"""Detections in spectra of known truth, and in noise."""

import warnings

import numpy as np
import pytest
from scipy import stats
from spectra import spectrum

from visds.core.errors import SettingsError
from visds.core.settings import Parser
from visds.dynspec.detection.columns import COLUMNS
from visds.dynspec.detection.detect import detect
from visds.dynspec.detection.settings import DetectSettings

FAST = {"realizations": 48}
BOXES = {"detection_templates": ("box",)}
T, F = 64, 32


def burst(peak=1.0, *, time=30.0, width=4.0, channel=16.0, bandwidth=6.0, drift=0.0,
          shape=(T, F)):
    """Return a Gaussian (T,F) of widths (1 sigma) in samples, drifting in samples per channel."""
    t, f = np.arange(shape[0])[:, None], np.arange(shape[1])
    return (peak * np.exp(-((t - time - drift * (f - channel)) / width) ** 2 / 2)
            * np.exp(-((f - channel) / bandwidth) ** 2 / 2))


def truth(intensity=0.0, circular=0.0, shape=(T, F)):
    values = np.zeros((*shape, 4))
    values[..., 0], values[..., 3] = intensity, circular
    return values


def found(values, *, settings=None, **keywords):
    return detect(spectrum(values, **keywords), DetectSettings(**(FAST | (settings or {}))))


def flag(source, cells):
    return source.flag_cells(np.asarray(cells, bool))


# ---- noise ---------------------------------------------------------------------------------


def alarms_of_noise(make, seeds=100, rate=0.3, **settings):
    """Return the number of observations with an event, and of events, of each search."""
    settings = DetectSettings(false_alarm_rate=rate, **({"realizations": 48} | settings))
    tables = [detect(make(seed), settings) for seed in range(seeds)]
    for table in tables:
        assert table.meta["false_alarm_rate"] == pytest.approx(rate)
        assert table.meta["searches"] == ["I", "+V", "-V"]
    return sum(len(table) > 0 for table in tables), [p for t in tables for p in t["polarization"]]


def is_at_rate(observations, rate=0.3, seeds=100):
    low, high = stats.binom.interval(0.99, seeds, 1 - np.exp(-rate))
    return low <= observations <= high


def test_noise_makes_as_many_events_as_the_quoted_false_alarm_rate():
    observations, searches = alarms_of_noise(
        lambda seed: spectrum(truth(), baselines=12, seed=seed))
    assert is_at_rate(observations)
    assert all(searches.count(name) >= 3 for name in ("I", "+V", "-V"))


def test_quoted_rate_holds_with_gaussian_templates_too():
    observations, _ = alarms_of_noise(
        lambda seed: spectrum(truth(shape=(48, 24)), baselines=12, seed=seed), seeds=40,
        realizations=32)
    assert is_at_rate(observations, seeds=40)


def test_quoted_rate_of_linear_polarization_holds_for_its_rayleigh_noise():
    settings = DetectSettings(false_alarm_rate=0.3, realizations=48, **BOXES,
                              detection_polarizations=("L",))
    tables = [detect(spectrum(truth(shape=(48, 24)), baselines=12, seed=seed), settings)
              for seed in range(40)]
    assert is_at_rate(sum(len(table) > 0 for table in tables), seeds=40)


def test_quoted_rate_holds_for_unequal_weights_and_flagged_stretches():
    cells = np.zeros((48, 24))
    cells[10:14], cells[:, 5:8], cells[30:, 18] = 1, 1, 1
    scale = np.random.default_rng(0).uniform(0.2, 5, (48, 24))[..., None]

    def make(seed):
        source = spectrum(truth(shape=(48, 24)), baselines=12, seed=seed, scans=(1, 2, 3))
        return flag(scaled(source, scale), cells)

    assert is_at_rate(alarms_of_noise(make)[0])


@pytest.mark.long
def test_quoted_rate_holds_where_the_errors_are_too_small_in_some_channels():
    def make(seed):
        rng = np.random.default_rng(1000 + seed)
        source = spectrum(truth(shape=(48, 24)), baselines=12, seed=seed)
        extra = rng.standard_normal((2, 48, 24, 4)) * 0.1 * 2.0
        extra[..., 8:, :] *= 0.4
        return moved(source, extra[0] + 1j * extra[1])

    assert is_at_rate(alarms_of_noise(make)[0])


def test_noise_that_neighbouring_cells_share_stays_below_the_quoted_rate():
    def make(seed):
        rng = np.random.default_rng(2000 + seed)
        source = spectrum(truth(shape=(48, 24)), baselines=12, seed=seed)
        extra = (rng.standard_normal((12, 6, 4)) + 1j * rng.standard_normal((12, 6, 4))) * 0.1
        return moved(source, np.kron(extra, np.ones((4, 4, 1))))

    observations, _ = alarms_of_noise(make)
    assert observations <= stats.binom.ppf(0.995, 100, 1 - np.exp(-0.3))


def scaled(source, scale):
    """Return a spectrum with noise `scale` (T,F,1) times as large, and weights that know it."""
    powers = {"sum_w": -2, "sum_wv": -1, "sum_w2": -4, "sum_w2v": -3, "sum_w2v2": -2}
    changes = {name: getattr(source, name) * scale**power for name, power in powers.items()}
    return source.replace(
        **changes, sum_w2_cross=source.sum_w2_cross * scale[..., 0] ** -2,
        sum_w2_covariance=source.sum_w2_covariance * scale[..., 0] ** -2)


def moved(source, extra):
    """Return a spectrum with `extra` (T,F,P; complex Jy) added to every visibility."""
    w, w2 = source.sum_w, source.sum_w2
    i, v = 0, 3
    return source.replace(
        sum_wv=source.sum_wv + w * extra, sum_w2v=source.sum_w2v + w2 * extra,
        sum_w2v2=(source.sum_w2v2 + 2 * (source.sum_w2v * extra.conj()).real
                  + w2 * np.abs(extra) ** 2),
        sum_w2_cross=(source.sum_w2_cross + (source.sum_w2v[..., i] * extra[..., v].conj()).real
                      + (source.sum_w2v[..., v] * extra[..., i].conj()).real
                      + w2[..., i] * (extra[..., i] * extra[..., v].conj()).real))


def test_same_spectrum_gives_the_same_table_to_the_last_bit():
    values = truth(intensity=burst(0.5), circular=burst(0.3, time=50))
    first, second = found(values), found(values)
    assert first.meta == second.meta
    for name in COLUMNS:
        np.testing.assert_array_equal(first[name], second[name])


# ---- bursts --------------------------------------------------------------------------------


def test_drifting_flare_is_one_event_with_its_time_band_peak_and_fluence():
    emission = burst(1.0, drift=0.7)
    table = found(truth(intensity=0.5 + emission, circular=-0.8 * emission))
    assert len(table) == 1
    event = table[0]
    start = (event["start"] - 59000) * 8640 + 0.5
    stop = (event["stop"] - 59000) * 8640 + 0.5
    low, high = (event["band_low"] - 549.5e6) / 1e6, (event["band_high"] - 549.5e6) / 1e6
    t, f = np.nonzero(emission > 0.3)
    assert start <= t.min() and stop >= t.max() + 1
    assert low <= f.min() and high >= f.max() + 1
    t, f = np.nonzero(emission > 0.01)
    assert start >= t.min() and stop <= t.max() + 1
    assert low >= f.min() and high <= f.max() + 1
    assert event["peak_time"] == pytest.approx(59000 + 30 / 8640, abs=3 / 8640)
    assert event["peak_frequency"] == pytest.approx(566e6, abs=4e6)
    assert event["peak_flux_density"] == pytest.approx(
        1.0, abs=3 * event["peak_flux_density_error"] + 0.1)
    box = emission[round(start):round(stop), round(low):round(high)]
    assert event["fluence"] == pytest.approx(10 * box.mean(1).sum(),
                                             abs=3 * event["fluence_error"])
    assert event["polarization"] == "I"
    assert event["fraction_V"] == pytest.approx(-0.8, abs=3 * event["fraction_V_error"])
    half = (event["fraction_V_high"] - event["fraction_V_low"]) / 2
    assert half == pytest.approx(event["fraction_V_error"], rel=0.05)
    assert event["snr_V"] < -10
    assert event["false_alarm_probability"] < 1e-6
    assert (event["ra"], event["dec"], event["scan"]) == (83.0, -5.0, 1)
    assert event["ra_error"] == pytest.approx(5.0 / (2 * event["snr"]))
    assert event["name"].startswith("test star 2020-05-31T00:")
    assert event["duration"] == pytest.approx((event["stop"] - event["start"]) * 86400, abs=1e-4)
    assert table.meta["epoch_jyear"] == pytest.approx(2020.4120, abs=1e-3)


@pytest.mark.parametrize("sign", [1, -1])
def test_burst_in_V_alone_is_found_with_its_sign(sign):
    table = found(truth(circular=sign * burst(0.5)))
    assert table["polarization"].tolist() == ["+V" if sign > 0 else "-V"]
    assert np.sign(table["flux_density_V"][0]) == sign
    assert np.sign(table["fluence"][0]) == sign
    assert np.isnan(table["fraction_V"][0])


def test_flux_density_and_fluence_of_many_flares_are_unbiased_and_errors_true():
    # Boxes of a flat flare hold all of it; those of a Gaussian one miss its wings.
    emission = np.zeros((T, F))
    emission[24:40, 8:24] = 0.2
    tables = [found(truth(intensity=1 + emission), seed=seed, settings={"gain_error": 0.0})
              for seed in range(40)]
    assert all(len(table) == 1 for table in tables)
    box = np.array([[t[name][0] for name in ("flux_density_I", "flux_density_I_error")]
                    for t in tables])
    assert box[:, 0].mean() == pytest.approx(0.2, rel=0.05)
    fluence = np.array([t["fluence"][0] * (t["band_high"][0] - t["band_low"][0]) / 16e6
                        for t in tables])
    assert fluence.mean() == pytest.approx(0.2 * 160, rel=0.05)
    pull = (box[:, 0] - 0.2) / box[:, 1]
    assert pull.std() == pytest.approx(1, abs=0.35)


def test_fluence_of_a_well_detected_gaussian_flare_is_whole_within_five_percent():
    emission = burst(1.0, drift=0.3)
    tables = [found(truth(intensity=emission), seed=seed, settings={"gain_error": 0.0})
              for seed in range(15)]
    whole = [t["fluence"][0] * (t["band_high"][0] - t["band_low"][0]) for t in tables]
    assert np.mean(whole) == pytest.approx(10 * emission.sum() * 1e6, rel=0.05)


def test_linear_polarization_finds_a_burst_that_stokes_i_misses():
    values = truth(intensity=burst(0.03))
    values[..., 1], values[..., 2] = burst(0.15) * np.cos(2.0), burst(0.15) * np.sin(2.0)
    assert len(found(values)) == 0
    table = found(values, settings={"detection_polarizations": ("I", "V", "L")})
    event, = table
    assert event["polarization"] == "L" and table.meta["searches"] == ["I", "+V", "-V", "L"]
    assert table.meta["threshold_L"] > table.meta["threshold"] + 0.2
    assert event["polarization_angle"] == pytest.approx(np.degrees(1.0),
                                                        abs=4 * event["polarization_angle_error"])
    assert event["peak_flux_density"] == pytest.approx(
        0.15, abs=4 * event["peak_flux_density_error"] + 0.03)
    assert event["fluence"] > 5 * event["fluence_error"]
    assert abs(event["snr_I"]) < table.meta["threshold"]


def test_polarized_fractions_of_a_burst_are_those_of_the_burst_and_not_of_the_star():
    shape = burst(1.0)
    values = truth(intensity=1 + shape, circular=0.3 * shape)
    values[..., 1], values[..., 2] = 0.5 - 0.4 * shape, 0.2 * shape
    event, = found(values)
    for name, fraction in (("Q", -0.4), ("U", 0.2), ("V", 0.3), ("L", np.hypot(0.4, 0.2))):
        assert event[f"fraction_{name}"] == pytest.approx(
            fraction, abs=4 * event[f"fraction_{name}_error"])
        assert event[f"fraction_{name}_error"] < 0.05
    assert event["polarization_angle"] == pytest.approx(
        np.degrees(np.arctan2(0.2, -0.4) / 2), abs=4 * event["polarization_angle_error"])


def test_brightness_temperature_and_luminosity_need_distance_and_radius():
    far = {"distance_pc": 5.0, "radius_rsun": 0.4}
    event, = found(truth(intensity=burst(1.0)), meta=far)
    peak, frequency = event["peak_flux_density"], event["peak_frequency"]
    parsec = 3.0857e18
    assert event["luminosity"] == pytest.approx(
        4 * np.pi * (5 * parsec) ** 2 * peak * 1e-23, rel=1e-4)
    assert event["nu_luminosity"] == pytest.approx(event["luminosity"] * frequency)
    disc = np.pi * (0.4 * 6.957e10 / (5 * parsec)) ** 2
    assert event["brightness_temperature"] == pytest.approx(
        peak * 1e-23 * 2.99792458e10**2 / (2 * 1.380649e-16 * frequency**2 * disc), rel=1e-4)
    event, = found(truth(intensity=burst(1.0)), meta={"distance_pc": 5.0})
    assert np.isfinite(event["luminosity"]) and np.isnan(event["brightness_temperature"])
    event, = found(truth(intensity=burst(1.0)))
    assert np.isnan(event["luminosity"])


def test_boxes_alone_find_what_boxes_find():
    table = found(truth(intensity=burst(1.0)), settings=BOXES)
    assert list(table["template"]) == ["box"]
    assert found(truth(intensity=burst(1.0)))["template"][0] == "gaussian"


def test_two_bursts_ten_minutes_apart_are_two_events():
    both = burst(0.8, time=15, width=1.5, shape=(96, F)) + burst(0.8, time=75, width=1.5,
                                                               shape=(96, F))
    table = found(truth(intensity=both, shape=(96, F)))
    assert len(table) == 2
    assert np.diff(table["peak_time"])[0] * 1440 == pytest.approx(10, abs=0.5)


def test_strong_burst_leaves_no_dips_of_the_other_sign_beside_it():
    table = found(truth(circular=burst(30.0, width=8)))
    assert table["polarization"].tolist() == ["+V"]


def test_burst_longer_than_half_the_observation_is_found_above_its_quiescent_level():
    emission = np.zeros((T, F))
    emission[20:] = 0.2
    table = found(truth(intensity=0.3 + emission))
    assert len(table) == 1
    assert table["flux_density_I"][0] == pytest.approx(
        0.2, abs=4 * table["flux_density_I_error"][0])
    assert table["duration"][0] == pytest.approx(440, abs=40)


@pytest.mark.parametrize(("integrations", "on"), [(3, slice(1, 2)), (48, slice(1, -1))])
def test_burst_that_leaves_only_the_ends_of_the_observation_is_found(integrations, on):
    emission = np.zeros((integrations, F))
    emission[on] = 0.5
    event, = found(truth(intensity=emission, shape=emission.shape))
    assert event["duration"] == pytest.approx(len(emission[on]) * 10, abs=10)
    assert event["flux_density_I"] == pytest.approx(0.5, abs=4 * event["flux_density_I_error"])
    assert event["fluence"] == pytest.approx(5 * len(emission[on]), abs=4 * event["fluence_error"])


@pytest.mark.parametrize(("gap", "events"), [(0.0, 1), (300.0, 2)])
def test_parts_of_a_burst_in_two_scans_are_one_event_if_the_gap_is_no_longer(gap, events):
    emission = np.zeros((48, F))
    emission[22:26] = 0.5
    table = found(truth(intensity=emission, shape=(48, F)), scans=(1, 2), gap=gap)
    assert table["duration"].tolist() == [40 / events] * events


def test_long_flare_over_scans_with_short_gaps_is_one_event():
    rows = np.arange(72)
    seconds = 10.0 * rows + 60.0 * (rows // 12)
    profile = 0.3 * 2.0 ** -((seconds - seconds.mean()) / 240) ** 2
    for seed in range(4):
        table = found(truth(intensity=profile[:, None] * np.ones(F), shape=(72, F)),
                      scans=(1, 2, 3, 4, 5, 6), gap=60.0, seed=seed)
        assert len(table) == 1
        assert table["duration"][0] > 500


def test_flares_of_two_scans_with_quiet_time_between_them_are_two_events():
    emission = np.zeros((48, F))
    emission[8:18] = emission[30:44] = 0.5
    table = found(truth(intensity=emission, shape=(48, F)), scans=(1, 2), gap=20.0)
    assert table["scan"].tolist() == [1, 2]


def test_flare_in_one_scan_stays_in_that_scan():
    emission = np.zeros((T, F))
    emission[32:48] = 0.3
    table = found(truth(intensity=emission), scans=(1, 2, 3, 4))
    assert table["scan"].tolist() == [3]
    assert table["duration"][0] == pytest.approx(160, abs=1)


def test_event_beside_flagged_data_ends_there():
    cells = np.zeros((T, F))
    cells[30:40] = 1
    emission = np.zeros((T, F))
    emission[24:36] = 0.5
    source = flag(spectrum(truth(intensity=emission)), cells)
    table = detect(source, DetectSettings(**FAST))
    assert len(table) == 1
    assert table["duration"][0] == pytest.approx(60, abs=1e-3)
    assert table["fluence"][0] == pytest.approx(0.5 * 60, abs=4 * table["fluence_error"][0])


def test_burst_that_flagged_channels_cut_in_two_is_one_event():
    cells = np.zeros((T, F))
    cells[:, 12:20] = 1
    table = detect(flag(spectrum(truth(intensity=burst(2.0, bandwidth=8))), cells),
                   DetectSettings(**FAST))
    assert len(table) == 1
    assert table["band_low"][0] < 561e6 and table["band_high"][0] > 571e6


# ---- constant sources ------------------------------------------------------------------------


def test_constant_source_is_no_event_unless_its_level_is_kept():
    spectral = 1 + 0.5 * np.arange(F) / F
    assert len(found(truth(intensity=spectral, circular=0.3))) == 0
    table = found(truth(intensity=spectral, circular=0.3), settings={"quiescent": "none"})
    assert len(table) == 1
    assert table["duration"][0] == pytest.approx(T * 10, abs=1e-3)
    assert table["flux_density_I"][0] == pytest.approx(
        spectral.mean(), abs=4 * table["flux_density_I_error"][0])


def test_gain_errors_of_a_bright_constant_source_are_no_events():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        gain = 0.01 * (rng.standard_normal((T, 1)) + 1j * rng.standard_normal((T, 1)))
        source = spectrum(truth(intensity=30.0), seed=seed, baselines=20)
        extra = np.zeros((T, F, 4), complex)
        extra[..., 0] = 30 * gain
        assert len(detect(moved(source, extra), DetectSettings(**FAST))) == 0


def test_bright_burst_makes_no_gain_error_of_a_faint_star():
    flare = np.zeros((T, F))
    flare[T // 4:T // 4 + 4] = 30.0
    snr = [found(truth(intensity=flare), settings={"gain_error": error})["snr"][0]
           for error in (0.0, 0.01)]
    assert snr[1] == pytest.approx(snr[0], rel=0.02)


def test_resolved_source_that_changes_as_baselines_rotate_is_no_event_but_a_point_source_is():
    change = 0.15 * np.sin(np.pi * np.arange(T) / T)[:, None] * np.ones((T, F))
    source = spectrum(truth(intensity=1 + change), baselines=45, sigma=0.01, integration=600)
    assert len(detect(source, DetectSettings(**FAST))) == 1
    # Every baseline sees another amplitude, here of 0.7 Jy rms about the mean.
    w2 = source.sum_w2[..., 0]
    spread = source.sum_w2v2.copy()
    spread[..., 0] += w2 * 0.7**2
    resolved = source.replace(sum_w2v2=spread)
    assert len(detect(resolved, DetectSettings(**FAST))) == 0
    assert len(detect(resolved, DetectSettings(**FAST, structure_error=False))) == 1


def test_slow_trend_is_found_as_an_event_of_a_third_of_the_observation_or_more():
    trend = np.linspace(-0.1, 0.1, T)[:, None] * np.ones((T, F))
    table = found(truth(intensity=2 + trend), settings={"gain_error": 0.0})
    assert len(table) == 1
    assert table["duration"][0] >= T * 10 / 3


# ---- what cannot be searched ---------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 32), (1, 1), (2, 1), (40, 1)])
def test_few_integrations_or_channels_give_an_empty_table_without_a_warning(shape):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = found(truth(intensity=1.0, shape=shape))
    assert len(table) == 0
    assert list(table.columns) == list(COLUMNS)


def test_spectrum_without_data_gives_an_empty_table_with_all_columns_and_units():
    source = flag(spectrum(truth(shape=(8, 4)), baselines=12), np.ones((8, 4)))
    table = detect(source, DetectSettings(**FAST))
    assert len(table) == 0
    assert list(table.columns) == list(COLUMNS)
    assert {name: table[name].unit for name in ("start", "ra", "fluence")} == {
        "start": "d", "ra": "deg", "fluence": "Jy s"}
    assert np.isnan(table.meta["threshold"])
    assert table["name"].dtype.kind == "U" and table["scan"].dtype.kind == "i"


def test_linear_feeds_without_V_are_searched_in_I():
    source = spectrum(truth(intensity=burst(1.0))[..., :2], polarizations=("I", "Q"),
                      parallel_hands=("XX", "YY"))
    table = detect(source, DetectSettings(**FAST))
    assert table["polarization"].tolist() == ["I"]
    assert table.meta["searches"] == ["I"]
    assert np.isnan(table["snr_V"][0])


def test_the_direction_is_that_of_the_target_and_said_to_be_assumed():
    source = spectrum(truth(intensity=burst(1.0)))
    source = source.replace(meta={"ra_deg": 83.1, "dec_deg": -5.2, "beam_arcsec": 6.0})
    table = detect(source, DetectSettings(**FAST))
    assert (table["ra"][0], table["dec"][0]) == (83.1, -5.2)
    assert table["ra_error"][0] == table["dec_error"][0] == pytest.approx(3 / table["snr"][0])
    assert table.meta["position"] == "assumed: direction of the target, not measured"
    assert list(table["position"]) == ["assumed"]
    for name in ("ra", "dec"):
        assert "or assumed: that of the target" in table[name].description
        assert table[f"{name}_error"].description.endswith("where assumed")


def test_unknown_beam_and_direction_are_nan():
    source = spectrum(truth(intensity=burst(1.0)))
    table = detect(source.replace(meta={}), DetectSettings(**FAST))
    assert np.isnan(table["ra"][0]) and np.isnan(table["ra_error"][0])


def test_detections_come_back_from_a_file_with_units_and_threshold(tmp_path):
    from astropy.table import Table

    table = found(truth(intensity=burst(1.0)))
    table.write(tmp_path / "detections.ecsv")
    back = Table.read(tmp_path / "detections.ecsv")
    assert back["fluence"].unit == "Jy s"
    assert back.meta["threshold"] == table.meta["threshold"]
    assert back["name"][0] == table["name"][0]


# ---- settings ------------------------------------------------------------------------------------


def test_threshold_may_be_given_and_its_rate_is_quoted():
    low = found(truth(), settings={"detection_threshold": 4.0})
    high = found(truth(), settings={"detection_threshold": 8.0})
    assert (low.meta["threshold"], high.meta["threshold"]) == (4.0, 8.0)
    assert low.meta["false_alarm_rate"] > 0.3
    assert high.meta["false_alarm_rate"] < 1e-6


def test_box_limits_are_kept():
    from visds.core.quantities import Bin

    table = found(truth(intensity=burst(1.0, width=8)),
                  settings={"maximum_duration": Bin(width=40.0), "minimum_bandwidth": Bin(count=4),
                            "maximum_bandwidth": Bin(width=8e6)})
    duration = (table["box_stop"] - table["box_start"]) * 86400
    band = table["box_high"] - table["box_low"]
    assert np.all(duration <= 40.001)
    assert np.all((band >= 4e6) & (band <= 8e6))


def test_settings_are_read_as_a_user_writes_them():
    parser = Parser("visds-test", "test", {"detect": DetectSettings})
    _, settings = parser.parse(["--false-alarm-rate", "0.1", "--detection-polarizations", "V",
                                "--minimum-duration", "20s", "--across-scans"])
    detect_settings = settings["detect"]
    assert detect_settings.false_alarm_rate == 0.1
    assert detect_settings.detection_polarizations == ("V",)
    assert detect_settings.minimum_duration.width == 20
    assert detect_settings.across_scans
    for wrong in (["--false-alarm-rate", "-1"], ["--gain-error", "2"], ["--realizations", "3"],
                  ["--detection-polarizations", "Q"]):
        with pytest.raises(SettingsError, match=wrong[0]):
            parser.parse(wrong)
