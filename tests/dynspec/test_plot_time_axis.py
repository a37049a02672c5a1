"""The time axis: true edges, gaps, labels."""

import numpy as np
import pytest
from spectra import spectrum

from visds.core.errors import SettingsError
from visds.dynspec.plots.cells import (
    frequency_edges,
    rebin_channels,
    rebin_times,
    time_edges,
    visible,
)
from visds.dynspec.plots.ticks import choose_ticks, round_steps
from visds.dynspec.plots.time_axis import TimeAxis, cell_widths


def example(T=60, F=4, **keywords):
    return spectrum(np.zeros((T, F, 4)), **keywords)


def labels(axis, inches=6.0):
    return [tick.label for tick in axis.ticks(inches, 0.4)]


def test_a_cell_spans_its_time_plus_and_minus_half_an_integration():
    data = example(start_mjd=59000.5)
    axis = TimeAxis(data)
    low, high = time_edges(data, axis)
    # The axis starts at the first edge, half an integration before the first centre.
    np.testing.assert_allclose(low, 10 * np.arange(60), atol=1e-4)
    np.testing.assert_allclose(high, 10 * np.arange(1, 61), atol=1e-4)
    assert axis.start == pytest.approx(59000.5 - 5 / 86400, abs=1e-10)


def test_neighbouring_cells_share_an_edge_and_a_missing_integration_leaves_a_gap():
    data = example(T=20)
    data = data.select_times(np.delete(np.arange(20), 7))
    low, high = time_edges(data, TimeAxis(data, compress=False))
    assert (low[1:] - high[:-1] == 0).sum() == 17
    assert low[7] - high[6] == pytest.approx(10, abs=1e-4)


def test_a_channel_spans_its_centre_plus_and_minus_half_its_width():
    low, high = frequency_edges(example())
    np.testing.assert_allclose(low, 549.5e6 + 1e6 * np.arange(4))
    np.testing.assert_allclose(high, 550.5e6 + 1e6 * np.arange(4))


def test_gaps_to_scale_are_as_long_as_they_are():
    data = example(scans=(1, 2), gap=600.0)
    axis = TimeAxis(data, compress=False)
    assert axis.length == pytest.approx(60 * 10 + 600, abs=1e-3)
    assert not axis.breaks
    assert axis.place(data.time[30]) == pytest.approx(30 * 10 + 600 + 5, abs=1e-3)


def test_shortened_gaps_keep_the_scale_within_scans():
    data = example(scans=(1, 2, 3), gap=5000.0)
    axis = TimeAxis(data)
    assert len(axis.breaks) == 2 and axis.length < 700
    for scan in (1, 2, 3):
        place = axis.place(data.time[data.scan == scan])
        np.testing.assert_allclose(np.diff(place), 10, atol=1e-3)


def test_scans_that_touch_leave_no_gap():
    axis = TimeAxis(example(scans=(1, 2), gap=0.0))
    assert axis.runs[0].stop == axis.runs[1].start and not axis.breaks


def test_ticks_stand_at_round_times_of_day_and_at_their_own_place():
    axis = TimeAxis(example(T=360, start_mjd=59000.5))
    ticks = axis.ticks(6.0, 0.4)
    assert [tick.label for tick in ticks] == ["12:00", "12:10", "12:20", "12:30", "12:40", "12:50"]
    for tick in ticks:
        minute = float(tick.label[3:])
        assert axis.place(tick.time) == pytest.approx(minute * 60 + 5, abs=1e-3)


def test_minor_ticks_divide_the_step_between_ticks_into_round_parts():
    axis = TimeAxis(example(T=360, start_mjd=59000.5))
    minor = axis.minor_times(axis.ticks(6.0, 0.4))
    np.testing.assert_allclose(np.diff(minor) * 86400, 120, atol=1e-3)


def test_a_run_over_midnight_has_the_date_at_the_first_tick_of_each_day():
    axis = TimeAxis(example(T=60, integration=3600.0, start_mjd=59000.5))
    assert axis.spans_days and axis.label == "Time in 2020 (UTC)"
    found = labels(axis)
    dates = [label.split("\n")[1] for label in found if "\n" in label]
    assert dates == ["31 May", "1 Jun", "2 Jun"]
    assert all(label.startswith("00:00") for label in found if "\n" in label[1:]
               and "31 May" not in label)


def test_a_run_within_a_day_has_the_date_in_the_label():
    assert TimeAxis(example(start_mjd=59000.5)).label == "Time on 2020 May 31 (UTC)"


def test_a_run_over_new_year_has_both_years_in_the_label():
    axis = TimeAxis(example(T=24, integration=3600.0, start_mjd=59214.5))  # 2020 Dec 31
    assert axis.label == "Time in 2020–2021 (UTC)"


@pytest.mark.parametrize("scans", [1, 3, 10])
@pytest.mark.parametrize("start", 59000.5 + np.linspace(0, 0.01, 7))
def test_no_label_of_time_reaches_further_beyond_the_end_than_is_allowed(scans, start):
    axis = TimeAxis(example(T=120, scans=tuple(range(scans)), gap=3000.0, start_mjd=start))
    for beyond in (0.0, 0.1):
        ticks = axis.ticks(6.0, 0.4, beyond_inches=beyond)
        last = float(axis.place(ticks[-1].time)) * 6 / axis.length
        wide = 1.5 if ticks[-1].label.count(":") == 2 else 1.0
        assert len(ticks) > 1 and last + wide * 0.4 / 2 <= 6 + beyond + 1e-6


def test_a_few_more_labels_are_not_worth_seconds():
    """Ten scans of 80 or 90 s at odd times: eight have room for a label with seconds."""
    hours = [20.88333, 22.01667, 22.83056, 23.63889, 24.73333, 25.92500, 27.01944, 28.27222,
             29.39444, 30.72222]
    data = example(T=90, scans=tuple(range(10)))
    since = np.tile(np.arange(9), 10) + 0.5
    data = data.replace(time=59000 + np.repeat(hours, 9) / 24 + since * 10 / 86400)
    axis = TimeAxis(data.select_times(np.delete(np.arange(90), [17, 26, 44])))
    found = [tick.label for tick in axis.ticks(5.5, 0.344)]
    assert len(found) == 7 and all(label.split("\n")[0].count(":") == 1 for label in found)


def test_a_week_is_not_wrapped_into_a_day():
    axis = TimeAxis(example(T=168, integration=3600.0, start_mjd=59000.0))
    times = [tick.time for tick in axis.ticks(6.0, 0.4)]
    assert times == sorted(times) and times[-1] - times[0] > 5


def test_seconds_are_shown_where_the_step_needs_them():
    axis = TimeAxis(example(T=60, integration=0.25, start_mjd=59000.5))
    assert all(label.count(":") == 2 for label in labels(axis))
    assert labels(axis)[0] == "12:00:00"


def test_labels_never_touch_whatever_the_number_of_scans():
    for scans in (2, 7, 40):
        axis = TimeAxis(example(T=240, scans=tuple(range(scans)), gap=3000.0))
        places = [float(axis.place(tick.time)) for tick in axis.ticks(6.0, 0.4)]
        assert len(places) > 1 and np.diff(places).min() >= 0.4 * axis.length / 6


def test_elapsed_time_starts_at_zero_in_the_unit_that_was_asked_for():
    axis = TimeAxis(example(T=360), kind="elapsed", unit="min")
    assert labels(axis)[:3] == ["0", "10", "20"] and axis.label.endswith("(min)")
    assert labels(TimeAxis(example(T=360), kind="elapsed", unit="s"))[1] == "500"


def test_the_barycentric_axis_shifts_every_time_by_the_light_travel_time():
    data = example()
    axis = TimeAxis(data, kind="barycentre")
    assert float(axis.from_utc(data.time[7])) == pytest.approx(data.time_barycentre[7], abs=1e-9)
    assert axis.place(axis.from_utc(data.time[7])) == pytest.approx(75, abs=1e-3)


def test_barycentric_times_that_are_not_known_are_an_error():
    data = example()
    with pytest.raises(SettingsError, match="barycentre are not known"):
        TimeAxis(data.replace(time_barycentre=np.full(60, np.nan)), kind="barycentre")


def test_a_spectrum_with_more_cells_than_pixels_is_summed_not_sampled():
    rng = np.random.default_rng(0)
    data = spectrum(rng.normal(size=(700, 90, 4)), sigma=0.01)
    small = rebin_channels(rebin_times(data, TimeAxis(data), width=1.0, resolution=50),
                           length=90e6, height=0.5, resolution=50)
    assert small.flags.shape[:2] == (50, 23)
    assert small.count.sum() == data.count.sum()
    assert small.values("I")[0, 0] == pytest.approx(np.mean(data.values("I")[:14, :4]))


def test_a_spectrum_with_fewer_cells_than_pixels_is_left_alone():
    data = example()
    assert rebin_times(data, TimeAxis(data), width=6.0, resolution=200) is data
    assert rebin_channels(data, length=4e6, height=2.0, resolution=200) is data


def test_a_cell_alone_between_gaps_and_too_narrow_to_be_seen_is_widened_about_its_centre():
    low, high = visible((np.array([0.0, 1.0, 50.0]), np.array([1.0, 2.0, 50.5])), least=4.0)
    np.testing.assert_allclose(low, [0, 1, 48.25])
    np.testing.assert_allclose(high, [1, 2, 52.25])


def thinned(**keywords):
    """Return a spectrum of 10 s every 20 s, with the eighth sample missing."""
    data = example(T=40, **keywords)
    return data.select_times(np.delete(np.arange(0, 40, 2), 7))


def test_samples_spaced_wider_than_they_are_long_are_one_run_of_cells_that_touch():
    data = thinned()
    axis = TimeAxis(data)
    low, high = time_edges(data, axis)
    assert len(axis.runs) == 1 and not axis.breaks
    np.testing.assert_allclose(high - low, 20, atol=1e-3)
    assert (low[1:] - high[:-1] > 1e-3).sum() == 1


def test_a_run_ends_at_a_gap_of_more_than_three_times_the_usual_spacing():
    for missing, runs in ((2, 1), (3, 2)):
        data = example(T=40)
        data = data.select_times(np.delete(np.arange(40), np.arange(20, 20 + missing)))
        assert len(TimeAxis(data).runs) == runs


def test_samples_that_stand_for_less_than_a_tenth_of_the_time_keep_their_length():
    data = example(T=60)
    np.testing.assert_array_equal(cell_widths(data.select_times(np.arange(0, 60, 11))), 10)


def test_every_wide_panel_has_two_labels():
    axis = TimeAxis(example(T=240, scans=(1, 2), gap=3000.0, start_mjd=59000.501))
    times = np.array([tick.time for tick in axis.ticks(6.0, 0.4)])
    for run in axis.runs:
        assert ((times >= run.start) & (times <= run.stop)).sum() >= 2


@pytest.mark.parametrize(("scans", "most"), [(8, 2), (20, 3), (40, 5)])
def test_a_narrow_panel_has_a_label_or_is_near_one_that_has(scans, most):
    axis = TimeAxis(example(T=3 * scans, scans=tuple(range(scans)), gap=3000.0,
                            start_mjd=59000.501))
    times = np.array([tick.time for tick in axis.ticks(6.0, 0.28)])
    has_label = [((times >= run.start) & (times <= run.stop)).any() for run in axis.runs]
    assert len(axis.runs) == scans
    assert np.convolve(has_label, np.ones(most, int), "valid").min() >= 1


@pytest.mark.parametrize(("T", "scans", "gap"), [
    (23, 3, 8000.0), (60, 2, 3000.0), (240, 20, 3000.0), (240, 40, 3010.0), (6, 6, 500.0)])
@pytest.mark.parametrize("kind", ["ut", "elapsed"])
def test_labels_of_one_axis_have_one_format(T, scans, gap, kind):
    axis = TimeAxis(example(T=T, scans=tuple(range(scans)), gap=gap, start_mjd=59000.5012),
                    kind=kind)
    found = [label.split("\n")[0] for label in labels(axis)]
    assert len({(label.count(":"), len(label.partition(".")[2])) for label in found}) == 1
    assert len(set(found)) == len(found) > 1


def test_the_first_label_of_elapsed_time_is_not_minus_zero():
    for start in 59000.5 + np.linspace(0, 0.01, 20):
        axis = TimeAxis(example(T=360, start_mjd=start), kind="elapsed")
        assert not any(label.startswith("-") for label in labels(axis))


def test_a_panel_too_narrow_for_a_label_is_not_searched_to_the_last_digit():
    places = []

    def place(value):
        places.append(value)
        return float(value)

    _, chosen = choose_ticks(
        [(0.0, 100.0), (100.0, 110.0), (110.0, 200.0)], round_steps(1e-6, 1e3), 20.0,
        multiples=lambda step, low, high: np.arange(np.ceil(low / step), high / step + 1e-9) * step,
        place=place)
    assert [len(panel) for panel in chosen] == [6, 0, 5]
    assert len(places) < 1000
