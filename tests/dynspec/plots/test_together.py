"""Figures of several spectra: each in its panel or colour, all on one axis of time or phase."""

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.colors import to_rgba
from spectra import spectrum

from visds.core.errors import SettingsError
from visds.dynspec.cuts import CutSettings, cut_cells
from visds.dynspec.plots.settings import plot_settings
from visds.dynspec.plots.together import COLOURS, Part, SharedAxis, draw_together, together_figure
from visds.dynspec.plots.together_settings import TogetherSettings

PERIOD = 7200.0


def part(start=59000.2, *, name="", T=40, flare=(10, 20), seed=1, meta=None, **options):
    truth = np.zeros((T, 4, 4))
    truth[flare[0]:flare[1], :, 0], truth[flare[0]:flare[1], :, 3] = 1.0, -0.5
    data = spectrum(truth, sigma=0.02, start_mjd=start, seed=seed, baselines=20, meta=meta,
                    **options)
    found = Table({"start": [data.time[flare[0]]], "stop": [data.time[flare[1] - 1]],
                   "band_low": [data.frequency[0]], "band_high": [data.frequency[-1]],
                   "polarization": ["I"]})
    return Part(data, found, name)


def figure(parts, plot="I", *, align="time", light_curves="stacked", period=None, epoch=None,
           **options):
    made = together_figure(parts, plot, plot_settings(**options),
                           TogetherSettings(align, light_curves), period=period, epoch=epoch)
    made.draw_without_rendering()
    return made


def panels(made):
    """Return the panels, without the colour bars."""
    return [axes for axes in made.axes if axes.get_xlim() != (0, 1)]


def names(made):
    """Return what the panels are named, above them and not as the numbers in them."""
    return [text.get_text() for axes in panels(made) for text in axes.texts
            if not text.get_text().isdigit()]


def points(axes):
    """Return the places of the curve's points of each colour, markers only."""
    return {line.get_color(): line.get_xdata() for line in axes.lines
            if line.get_marker() == "o" and len(line.get_xdata())}


def test_dates_of_several_years_have_their_year_and_names_are_clear_of_the_breaks():
    made = figure([part(), part(59800.2, seed=2)])
    dates = [label.get_text().split("\n")[1] for label in panels(made)[-1].get_xticklabels()
             if "\n" in label.get_text()]
    assert dates == ["2020 May 31", "2022 Aug 9"]
    for axes in panels(made):
        name, = (text for text in axes.texts if not text.get_text().isdigit())
        # A break's strokes reach 2.5 points above the frame.
        assert name.get_window_extent().y0 >= (axes.get_window_extent().y1
                                               + 2.5 * made.dpi / 72)


def test_epochs_are_named_by_what_tells_them_apart():
    made = figure([part(), part(59030.2, seed=2)])
    assert names(made) == ["2020 May 31", "2020 Jun 30"]
    assert made.texts[0].get_text() == "test star, VLA, 549.5–553.5 MHz"
    other = part(meta={"target": "other star"})
    assert names(figure([part(), other])) == ["test star", "other star"]
    same = [part(name="first"), part(name="second", seed=2)]
    assert names(figure(same)) == ["first", "second"]
    both = figure([part(), part(first_frequency=1e9, meta={"telescope": "MeerKAT"})])
    assert names(both) == ["VLA, 549.5–553.5 MHz", "MeerKAT, 999.5–1003.5 MHz"]


def test_every_spectrum_is_at_its_own_time_on_the_common_axis():
    first, second = part(), part(59000.21, seed=2)
    axis = SharedAxis([first.spectrum, second.spectrum], kind="ut", compress=True)
    made = figure([first, second], "lightcurve", curves=["I"], curve_bin="none")
    for axes, one in zip(panels(made), (first, second), strict=True):
        np.testing.assert_allclose(*(np.sort(places) for places in (
            next(iter(points(axes).values())), axis.place(one.spectrum.time))))
    assert len({axes.get_xlim() for axes in panels(made)}) == 1
    assert axis.start < first.spectrum.time[0] and axis.stop > second.spectrum.time[-1]


def test_epochs_aligned_at_their_starts_begin_at_the_same_place():
    made = figure([part(), part(59030.7, seed=2)], "lightcurve", curves=["I"], align="start",
                  light_curves="overlaid", curve_bin="none")
    first, second = (points(panels(made)[0])[colour] for colour in COLOURS[:2])
    np.testing.assert_allclose(first, second, atol=1e-3)
    assert panels(made)[0].get_xlabel() == "Time since the start of each (s)"


def test_flares_of_one_phase_are_at_one_place_whatever_their_cycle():
    # The time at the barycentre counts: the delay of the second night is 100 s longer.
    late = part(59000.2 + 37 * PERIOD / 86400 - 100 / 86400, seed=2)
    late = Part(late.spectrum.replace(
        time_barycentre=late.spectrum.time + 0.004 + 100 / 86400), late.detections)
    made = figure([part(), late], "lightcurve", curves=["I"], align="phase", period=PERIOD,
                  epoch=59000.0, light_curves="overlaid", curve_bin="none")
    axes = panels(made)[0]
    first, second = (points(axes)[colour] for colour in COLOURS[:2])
    np.testing.assert_allclose(first, second, atol=1e-2)
    assert axes.get_xlabel() == ("Phase, P = 7200 s from MJD 59000.000000 TDB at the barycentre")
    # Ticks are phases: 0.204 d are 2.448 cycles of 2 h, of which the first is taken off whole.
    labels = [float(tick.get_text()) for tick in axes.get_xticklabels()]
    assert all(0.44 <= value <= 0.52 for value in labels) and len(labels) > 1


def test_a_curve_of_each_spectrum_has_the_colour_of_the_legend():
    made = figure([part(), part(59030.2, seed=2)], "lightcurve", light_curves="overlaid",
                  align="start")
    legend = made.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["2020 May 31", "2020 Jun 30"]
    assert [to_rgba(line.get_color()) for line in legend.get_lines()] == [
        to_rgba(colour) for colour in COLOURS[:2]]
    assert len(panels(made)) == 2
    assert all(set(COLOURS[:2]) <= set(points(axes)) for axes in panels(made))


def test_bins_of_overlaid_curves_are_named_only_where_there_are_some_and_who_chose_them():
    def said(**options):
        faint = [part(start, flare=(0, 0), seed=seed, T=60)
                 for seed, start in enumerate((59000.2, 59030.2))]
        made = figure(faint, "lightcurve", light_curves="overlaid", align="start", **options)
        return {text for text in names(made) if "bin" in text}

    assert said(curve_bin="none") == set()
    assert said(curve_bin="30s") == {"bins of 30 s"}
    assert said() == {"bins of 20 s, chosen automatically"}


def test_an_overlaid_spectrum_without_data_is_said_to_be_so():
    dark = part(59030.2)
    dark = Part(dark.spectrum.flag_cells(np.ones((40, 4), bool)), None)
    made = figure([part(), dark], "lightcurve", light_curves="overlaid", align="start")
    assert [text.get_text() for text in made.legends[0].get_texts()] == [
        "2020 May 31", "2020 Jun 30 (no unflagged data)"]


def test_detections_move_with_their_spectrum():
    made = figure([part(), part(59030.7, seed=2, flare=(25, 30))], "lightcurve", curves=["I"],
                  align="start")
    spans = [axes.patches[0].get_window_extent().x0 for axes in panels(made)]
    begin = [axes.transData.transform((250 if k else 100, 0))[0]
             for k, axes in enumerate(panels(made))]
    # From the centre of the first integration on, half of one behind its edge.
    half = 5 * np.diff(panels(made)[0].transData.transform([(0, 0), (1, 0)])[:, 0])[0]
    np.testing.assert_allclose(spans, np.array(begin) + half, atol=0.5)


def test_gaps_are_hatched_where_they_are_the_spectrums_own():
    broken = part(scans=(1, 2), gap=100.0)
    whole = part(seed=2, T=50)
    axis = SharedAxis([broken.spectrum, whole.spectrum], kind="ut", compress=True)
    assert len(axis.runs) == 1
    assert len(axis.of(broken.spectrum).runs) == 2 and len(axis.of(whole.spectrum).runs) == 1


def test_cuts_are_seen_and_named_in_the_common_legend():
    made = figure([Part(cut_cells(one.spectrum, CutSettings(expected_sign=1)), None)
                   for one in (part(), part(59030.2, seed=2))], "V")
    assert [text.get_text() for text in made.legends[0].get_texts()] == ["masked: V < 0"]


def test_the_files_have_the_names_of_the_plots(tmp_path):
    two = [part(), part(59030.2, seed=2)]
    paths = draw_together(two, plot_settings(picture_resolution=50), TogetherSettings(), tmp_path)
    assert [path.name for path in paths] == [
        "dynspec_I.png", "dynspec_V.png", "dynspec_VI.png", "lightcurve.png"]


@pytest.mark.parametrize(("plot", "options", "match"), [
    ("overview", {}, "--plots overview is of one spectrum, and 2 are given"),
    ("faraday", {}, "--plots faraday is of one spectrum"),
    ("I", {"align": "phase"}, "--align phase needs a --period"),
    ("I", {"align": "start", "mark_time": ["05:00"]}, "--mark-time: times in UTC cannot be marked"),
    ("RR", {"time_axis": "barycentre", "mark_time": ["05:00"]}, "--mark-time"),
    ("XX", {}, "'XX' needs XX, which is not in this spectrum")])
def test_what_cannot_be_drawn_of_several_is_one_line(plot, options, match):
    with pytest.raises(SettingsError, match=match) as caught:
        figure([part(), part(59030.2)], plot, **options)
    assert "\n" not in str(caught.value)


def test_more_curves_than_colours_are_not_overlaid():
    with pytest.raises(SettingsError, match="8 curves in one panel cannot be told apart"):
        figure([part(59000.0 + k) for k in range(8)], "lightcurve", light_curves="overlaid")
