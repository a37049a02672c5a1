"""Placement, recovery and counting of injected flares."""

import dataclasses
import itertools

import numpy as np
import pytest
from astropy.table import Table
from spectra import spectrum

from visds.core.errors import SettingsError
from visds.core.quantities import Bin
from visds.dynspec.detection.detect import detect
from visds.dynspec.detection.settings import DetectSettings
from visds.injection.completeness import (
    completeness,
    fluence_at,
    interval_text,
    level_text,
    limits,
    wilson,
)
from visds.injection.flare import Flare, peak_of
from visds.injection.forced_photometry import ForcedPhotometry
from visds.injection.placement import Kind, Room, Search, plan_searches
from visds.injection.recovery import (
    cells_of,
    edges,
    empty_table,
    false_events,
    overlapping,
    rows,
)
from visds.injection.reliability import imaginary, poisson_interval, sign_flipped
from visds.injection.settings import Fraction, InjectSettings
from visds.injection.sums import add_flares

BAND = (1.0e9, 1.1e9)
UNPOLARIZED, FULL = Fraction(0.0, 0, "0%"), Fraction(1.0, 0, "100%")


# ---- Placement -------------------------------------------------------------------------------

def room(T=1000, taken=()):
    time = 59000 + np.arange(T) * 10 / 86400
    keep = np.ones(T, bool)
    keep[T // 3:T // 2] = False
    return Room(time[keep], np.full(keep.sum(), 10.0), 1e9 + 1e6 * np.arange(64),
                np.full(64, 1e6), taken)


def test_flares_of_a_search_are_apart_and_clear_of_what_is_there_and_in_the_data():
    busy = ((59000 + 100 / 86400, 59000 + 2500 / 86400),)
    rooms = [room(taken=busy), room()]
    kinds = [Kind(20.0, 1.0, FULL)] * 60 + [Kind(80.0, 1.0, UNPOLARIZED)] * 30
    searches = plan_searches(kinds, rooms, InjectSettings(bandwidth=5e6))
    flares = [flare for search in searches for flare in search.flares]
    assert len(flares) == len(kinds)
    assert sorted(flare.duration for flare in flares) == sorted(kind.duration for kind in kinds)
    for search in searches:
        there = rooms[search.direction]
        ordered = sorted(search.flares, key=lambda flare: flare.peak)
        for one, other in itertools.pairwise(ordered):
            assert (other.peak - one.peak) * 86400 > 10 * max(one.duration, other.duration) - 80
        for flare in search.flares:
            start, stop, low, high = flare.core(*there.band)
            beside = 1.5 * flare.duration / 86400
            assert all(stop + beside <= begin or end <= start - beside
                       for begin, end in there.taken)
            assert np.abs(there.time - flare.peak).min() * 86400 <= 5.001
            assert there.band[0] <= low < high <= there.band[1]
    assert {search.direction for search in searches} == {0, 1}
    signs = {np.sign(flare.stokes[3]) for flare in flares if flare.duration == 20}
    assert signs == {-1, 1}


def test_the_same_seed_gives_the_same_flares():
    kinds = [Kind(20.0, 1.0, FULL)] * 10
    first, again = (plan_searches(kinds, [room()], InjectSettings(seed=4)) for _ in range(2))
    other = plan_searches(kinds, [room()], InjectSettings(seed=5))
    assert first == again
    assert first != other


def test_flares_longer_than_the_free_time_are_refused():
    full = ((58999.0, 59001.0),)
    with pytest.raises(SettingsError, match=r"--duration: there is no room for a flare of 20 s"):
        plan_searches([Kind(20.0, 1.0, FULL)], [room(taken=full)], InjectSettings())


# ---- Recovery --------------------------------------------------------------------------------

def event(peak, half=20.0, snr=7.0, polarization="I", low=BAND[0], high=BAND[1]):
    at = 59000 + peak / 86400
    return {"peak_time": at, "start": at - half / 86400, "stop": at + half / 86400,
            "band_low": low, "band_high": high, "snr": snr, "polarization": polarization}


def flare(peak, stokes=(1.0, 0, 0, 0.5), **more):
    return Flare(59000 + peak / 86400, 30.0, 1.05e9, stokes, **more)


def found(flares, events, strength=7.0):
    return overlapping(flares, [strength] * len(flares), Table(rows=events), BAND)


def test_an_event_that_overlaps_in_time_and_band_is_of_the_flare():
    assert found([flare(1000)], [event(1010)]) == {0: 0}
    assert found([flare(1000)], [event(1060)]) == {}
    narrow = flare(1000, bandwidth=10e6)
    assert found([narrow], [event(1000, low=1.0e9, high=1.04e9)]) == {}
    assert found([narrow], [event(1000, low=1.0e9, high=1.05e9)]) == {0: 0}


def test_an_event_of_the_other_sign_or_far_too_strong_is_not_the_flare():
    assert found([flare(1000)], [event(1000, polarization="-V")]) == {}
    assert found([flare(1000)], [event(1000, polarization="+V")]) == {0: 0}
    assert found([flare(1000)], [event(1000, snr=12.5)]) == {}
    assert found([flare(1000, stokes=(0, 0, 0, 0))], [event(1000, snr=5.4)], strength=0) == {}


def test_an_event_over_two_flares_is_of_the_nearer_and_a_flare_has_its_best_event():
    flares = [flare(1000), flare(1300)]
    assert found(flares, [event(1250, half=400)]) == {1: 0}
    assert found(flares, [event(1010, snr=6), event(995, snr=8)]) == {0: 1}


def test_events_that_are_of_no_flare_nor_there_before_are_false():
    search = Search(0, 0, (flare(1000),), (Kind(30.0, 1.0, FULL),))
    before = Table(rows=[event(4000)])
    events = Table(rows=[event(1000), event(1060), event(4010), event(6000)])
    assert false_events(search, events, before, BAND) == 1  # 1060 s is in the wing of the flare


# ---- Forced photometry -----------------------------------------------------------------------

def noise(seed, T=120, F=4, level=0.0):
    truth = np.zeros((T, F, 2))
    truth[..., 0] = level
    return spectrum(truth, sigma=0.1, baselines=15, seed=seed, polarizations=("I", "V"))


def test_forced_flux_densities_are_unbiased_and_their_errors_right():
    rng = np.random.default_rng(1)
    pulls = []
    for seed in range(40):
        quiet = noise(seed, level=0.5)
        peaks = quiet.time[rng.integers(5, 115)]
        one = Flare(float(peaks), 35.0, 551.5e6, (0.1, 0, 0, 0))
        made = add_flares(quiet, [one])
        none = np.zeros(made.flags.shape[:2], bool)
        height, error = ForcedPhotometry(made, "I", [one], none).height(one)
        pulls.append((height - 0.1) / error)
    assert abs(np.mean(pulls)) < 3 / np.sqrt(40)
    assert np.std(pulls) == pytest.approx(1, abs=0.35)


def test_a_flare_is_left_out_of_the_level_of_another():
    quiet = noise(2)
    bright = Flare(float(quiet.time[90]), 100.0, 551.5e6, (50.0, 0, 0, 0))
    faint = Flare(float(quiet.time[30]), 40.0, 551.5e6, (1.0, 0, 0, 0))
    none = np.zeros(quiet.flags.shape[:2], bool)
    made = add_flares(quiet, [bright, faint])
    height, error = ForcedPhotometry(made, "I", [bright, faint], none).height(faint)
    assert abs(height - 1) < 4 * error


# ---- The search ------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def searched():
    """Return the share of box flares found, by S/N in units of the threshold."""
    threshold = 5.5
    settings = dataclasses.replace(
        DetectSettings(), detection_threshold=threshold, realizations=8, gain_error=0.0,
        structure_error=False, detection_templates=("box",), detection_polarizations=("I",),
        maximum_duration=Bin(count=16))
    found = {factor: [] for factor in (0.0, 0.55, 1.0, 1.6)}
    for seed in range(24):
        quiet = noise(100 + seed, T=400)
        none = np.zeros(quiet.flags.shape[:2], bool)
        flares, kinds = [], []
        for start, factor in zip((40, 136, 240, 336), found, strict=True):
            # Eight integrations, all of the band: a box that the search has.
            probe = Flare(float(quiet.time[start:start + 8].mean()), 80.0, 551.5e6, (1.0, 0, 0, 0),
                          shape="box")
            error = ForcedPhotometry(quiet, "I", [probe], none).height(probe)[1]
            kinds.append(Kind(80.0, factor * threshold * error * 80.0, UNPOLARIZED))
            flares.append(dataclasses.replace(
                probe, stokes=(peak_of(kinds[-1].fluence, 80.0, "box"), 0, 0, 0)))
        made = add_flares(quiet, flares)
        search = Search(seed, 0, tuple(flares), tuple(kinds))
        for factor, row in zip(found, rows(search, made, detect(made, settings), none, ("I",),
                                           threshold, True), strict=True):
            assert row["snr"] == pytest.approx(factor * threshold, rel=0.02)
            found[factor].append(row["recovered"])
    return {factor: np.mean(recovered) for factor, recovered in found.items()}


def test_half_of_the_flares_at_the_threshold_are_found_and_all_far_above(searched):
    # A binomial of 24 has a standard deviation of 0.1; the search has more boxes than one, which
    # noise raises.
    assert 0.3 < searched[1.0] < 0.87
    assert searched[1.6] == 1.0
    assert searched[0.55] < 0.15


def test_no_flare_of_zero_fluence_is_found(searched):
    assert searched[0.0] == 0.0


def test_sign_flipped_and_imaginary_spectra_are_what_they_are_called():
    made = add_flares(noise(5), [Flare(59000.005, 60.0, 551.5e6, (1.0, 0, 0, 0.3))])
    np.testing.assert_allclose(sign_flipped(made).flux_density, -made.flux_density)
    np.testing.assert_allclose(imaginary(made).flux_density, made.residual)
    for other in (sign_flipped(made), imaginary(made)):
        np.testing.assert_allclose(other.sigma_empirical, made.sigma_empirical, rtol=1e-9)


def test_cells_of_events_are_those_inside():
    made = noise(6)
    half = 5 / 86400
    events = Table(rows=[{"start": made.time[3] - half, "stop": made.time[5] + half,
                          "band_low": made.frequency[1] - 5e5,
                          "band_high": made.frequency[2] + 5e5}])
    inside = cells_of(events, made)
    assert np.argwhere(inside).tolist() == [[t, f] for t in (3, 4, 5) for f in (1, 2)]
    assert edges(made) == (made.frequency[0] - 5e5, made.frequency[-1] + 5e5)


# ---- Counting --------------------------------------------------------------------------------

def test_wilsons_interval_of_none_of_ten_and_of_half_of_ten():
    # Wilson 1927: at z = 1.96 0 of 10 is 0 to 0.2775, 5 of 10 is 0.2366 to 0.7634.
    low, high = wilson(np.array([0, 5]), np.array([10, 10]), 1.959964)
    np.testing.assert_allclose(low, [0, 0.2366], atol=1e-4)
    np.testing.assert_allclose(high, [0.2775, 0.7634], atol=1e-4)


def test_poisson_intervals_are_those_of_gehrels():
    np.testing.assert_allclose(poisson_interval(0), (0, 1.841), atol=1e-3)
    np.testing.assert_allclose(poisson_interval(1), (0.1727, 3.300), atol=1e-3)
    np.testing.assert_allclose(poisson_interval(10), (6.891, 14.267), atol=1e-3)


def test_the_fluence_of_a_level_is_interpolated_on_a_curve_that_rises():
    fluence, trials = np.array([1.0, 2, 3, 4]), np.full(4, 10)
    assert fluence_at(0.5, fluence, [0, 0.4, 0.6, 1.0], trials) == pytest.approx(2.5)
    assert fluence_at(0.5, fluence, [0, 0.6, 0.4, 1.0], trials) == pytest.approx(2.0)
    assert np.isnan(fluence_at(0.95, fluence, [0, 0.4, 0.6, 0.9], trials))
    assert np.isnan(fluence_at(0.5, fluence, [0.6, 0.7, 0.8, 1.0], trials))


def test_completeness_is_counted_by_kind_and_polarization_and_gives_limits():
    table = empty_table()
    plain = {name: "" if table[name].dtype.kind == "U" else 0 for name in table.colnames}
    for fluence, number in ((1.0, 0), (2.0, 5), (3.0, 10)):
        for k in range(10):
            table.add_row(plain | {
                "place": "field", "duration": 20.0, "polarized": "50%", "fluence": fluence,
                "shape": "box", "flux_density_I": fluence / 20, "recovered": k < number,
                "recovered_V": k < number // 2, "snr": 4.0, "forced_fluence_I": 1.1 * fluence,
                "event_fluence": -0.8 * fluence, "true_fluence": -fluence,
                "event_delay": float(k)})
    table.meta["searched"] = ["I", "V"]
    made = completeness(table)
    assert made["searched"].tolist() == ["any", "I", "V"] * 3
    any_row = made[(made["searched"] == "any") & (made["fluence"] == 2.0)][0]
    assert (any_row["trials"], any_row["found"]) == (10, 5)
    assert any_row["fluence_ratio"] == pytest.approx(0.8)
    assert any_row["forced_ratio"] == pytest.approx(1.1)
    assert any_row["delay"] == pytest.approx(2.0)
    limit = limits(made, "box")
    whole, in_i, in_v = limit
    assert whole["fluence_50"] == pytest.approx(2.0)
    assert whole["fluence_95"] == 2.9
    assert whole["flux_density_95"] == pytest.approx(2.9 / 20)
    assert np.isnan(in_i["fluence_50"])
    # Half of the fluence is Stokes V.
    assert in_v["fluence_50"] == pytest.approx(3.0 / 2)
    assert np.isnan(in_v["fluence_95"])


@pytest.mark.parametrize(("shares", "text", "half"), [
    ([0.0, 0.5, 1.0], "2 Jy s", "1 Jy s"),
    ([0.0, 0.1, 0.4], "more than 3 Jy s (the most put in)", "more than 1.5 Jy s (the most put in)"),
    ([0.6, 0.8, 1.0], "less than 1 Jy s (the least put in)",
     "less than 500 mJy s (the least put in)")])
def test_a_level_that_no_fluence_tells_is_beyond_the_most_or_the_least_of_them(shares, text, half):
    made = Table({"fluence": [3.0, 2.0, 1.0], "completeness": shares[::-1], "trials": [20] * 3,
                  "searched": ["any"] * 3, "polarized": ["50%"] * 3})
    assert level_text(0.5, made) == text
    made["searched"] = "V"
    assert level_text(0.5, made) == half


@pytest.mark.parametrize(("trials", "text"), [
    (3, "68 % interval 1.93 Jy s to unknown: 3 flares of each fluence are too few to bound it"),
    (40, "68 % interval 1.95 Jy s to 1.97 Jy s")])
def test_a_limit_has_an_interval_or_says_that_flares_are_too_few(trials, text):
    found = np.array([0, trials, trials])
    low, high = wilson(found, np.full(3, trials))
    made = Table({"fluence": [1.0, 2.0, 3.0], "completeness": found / trials,
                  "completeness_low": low, "completeness_high": high, "trials": [trials] * 3,
                  "searched": ["any"] * 3, "polarized": ["0%"] * 3})
    assert interval_text(0.95, made) == text
