"""Pictures of dynamic spectra: what they show, where, and that they are the same on every run."""

import dataclasses
import itertools
import pickle
import re

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.image import PcolorImage
from matplotlib.markers import CARETDOWN, CARETUP
from matplotlib.patches import PathPatch
from spectra import spectrum

from visds.core.errors import SettingsError
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.colour import (
    FLAGGED,
    MASKED,
    NOT_GIVEN,
    colour_map,
    colour_norm,
    fraction_limit,
    log_ticks,
    robust_limits,
)
from visds.dynspec.plots.draw import (
    available_plots,
    draw_products,
    picture,
    plot_figure,
    plot_settings,
)
from visds.dynspec.plots.quantity import quantity
from visds.dynspec.plots.settings import PlotSettings, check_pictures
from visds.dynspec.plots.time_axis import TimeAxis


def example(T=60, F=8, *, flare=1.0, **keywords):
    """Return a spectrum with a flare of `flare` Jy and V = -I/2 in the middle third of the time."""
    truth = np.zeros((T, F, len(keywords.get("polarizations", "IQUV"))))
    truth[T // 3:2 * T // 3, :, 0] = flare
    truth[T // 3:2 * T // 3, :, -1] = -flare / 2
    return spectrum(truth, **({"sigma": 0.02, "start_mjd": 59000.5} | keywords))


def plot_curve(data, **options):
    return data.plot("lightcurve", **options)


def images(figure):
    return [image for image in figure.axes[0].images if isinstance(image, PcolorImage)]


def drawn(figure):
    """Return the drawn values (F,T), NaN where nothing is drawn."""
    return np.ma.filled(np.ma.masked_invalid(images(figure)[0].get_array()), np.nan)


def colours_at(figure, x, y):
    """Return the colours (len(x), len(y), 4) that the first panel of a figure has at places."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    paper = np.asarray(canvas.buffer_rgba()) / 255
    places = [figure.axes[0].transData.transform([(one, other) for other in y]) for one in x]
    return np.array([[paper[len(paper) - 1 - int(b), int(a)] for a, b in row] for row in places])


def words(figure):
    figure.canvas.draw()
    texts = [t.get_text() for axes in figure.axes for t in axes.texts]
    texts += [t.get_text() for t in figure.texts]
    texts += [t.get_text() for legend in figure.legends for t in legend.get_texts()]
    for axes in figure.axes:
        texts += [axes.get_xlabel(), axes.get_ylabel()]
    return "\n".join(texts)


def detections(data):
    return Table({"start": [data.time[20]], "stop": [data.time[39]],
                  "band_low": [551e6], "band_high": [553e6], "polarization": ["-V"]})


def test_every_cell_is_drawn_with_its_value_between_its_edges():
    data = example(T=12, F=3)
    figure = plot_figure(data, "V", flux_unit="mJy")
    np.testing.assert_allclose(drawn(figure), 1e3 * data.values("V").T)
    image = images(figure)[0]
    expected = image.get_cmap()(image.norm(1e3 * data.values("V")))
    # A pixel is a fifth of a second wide and 0.02 MHz high.
    for inside in (0.04, 0.5, 0.96):
        found = colours_at(figure, 10 * (np.arange(12) + inside), 549.5 + np.arange(3) + inside)
        np.testing.assert_allclose(found, expected, atol=0.01)
    assert figure.axes[0].get_xlim() == pytest.approx((0, 120), abs=1e-3)
    assert figure.axes[0].get_ylim() == (549.5, 552.5)


def test_flagged_cells_are_grey_and_explained_and_have_no_value():
    data = example(T=12, F=3)
    cells = np.zeros((12, 3), bool)
    cells[4, 1] = True
    figure = plot_figure(data.flag_cells(cells), "I")
    assert np.isnan(drawn(figure)[1, 4]) and np.isnan(drawn(figure)).sum() == 1
    found = colours_at(figure, 10 * np.arange(12) + 5, [550, 551, 552])
    is_grey = np.isclose(found, to_rgba(FLAGGED), atol=0.01).all(-1)
    assert np.argwhere(is_grey).tolist() == [[4, 1]]
    assert "flagged" in words(figure)


def test_imaginary_part_of_flagged_cells_is_flagged_too():
    data = example(T=12, F=3)
    cells = np.zeros((12, 3), bool)
    cells[4, 1] = True
    figure = plot_figure(data.flag_cells(cells), "imaginary:V")
    assert np.isnan(drawn(figure)[1, 4])


def test_a_gap_stays_blank_and_is_not_a_flag():
    data = example(T=12, F=3, scans=(1, 2), gap=100.0)
    for gaps, length in (("scale", 220), ("compressed", None)):
        figure = plot_figure(data, "I", gaps=gaps)
        assert len(images(figure)) == 1
        assert np.isnan(drawn(figure)[:, 6]).all() and drawn(figure).shape == (3, 13)
        if length:
            assert figure.axes[0].get_xlim()[1] == pytest.approx(length, abs=1e-3)


def test_the_colour_scale_of_v_is_symmetric_and_that_of_i_ignores_single_extremes():
    rng = np.random.default_rng(0)
    values = rng.normal(size=10000)
    values[:3] = 1e4
    low, high = robust_limits(values, is_signed=True)
    assert low == -high and 2.5 < high < 7
    low, high = robust_limits(values, is_signed=False)
    assert -4 < low < -2 and 4 < high < 7


@pytest.mark.parametrize("values", [np.full(5, np.nan), np.zeros(5), np.full(5, 3.0)])
@pytest.mark.parametrize("is_signed", [True, False])
def test_limits_are_usable_without_data_and_for_constant_data(values, is_signed):
    low, high = robust_limits(values, is_signed=is_signed)
    assert np.isfinite([low, high]).all() and low < high


@pytest.mark.parametrize("scale", ["linear", "power", "log"])
def test_every_colour_scale_maps_plus_and_minus_v_to_mirrored_colours(scale):
    norm = colour_norm((-5, 5), is_signed=True, scale=scale, power=0.5, noise=0.1)
    values = np.array([0.0, 0.05, 0.5, 5.0])
    np.testing.assert_allclose(norm(values) + norm(-values), 1)
    assert np.all(np.diff(norm(values)) > 0)


def test_a_colour_limit_is_in_the_unit_that_it_is_written_in():
    figure = plot_figure(example(), "V", flux_unit="Jy", colour_limit=["V=250mJy", "I=3Jy"])
    assert images(figure)[0].norm.vmax == pytest.approx(0.25)
    assert images(figure)[0].norm.vmin == pytest.approx(-0.25)


def test_fractions_are_percent_and_only_where_i_is_seen():
    data = example(T=30)
    figure = plot_figure(data, "V/I")
    values = drawn(figure)
    assert np.isfinite(values[:, 10:20]).all()
    assert np.median(values[:, 10:20]) == pytest.approx(-50, abs=2)
    assert np.isnan(np.delete(values, np.s_[10:20], 1)).mean() > 0.99
    assert "I < 5σ" in words(figure) and "V/I (%)" in words(figure)


def test_parallel_hands_signal_to_noise_and_sigma_can_be_drawn():
    data = example(T=30)
    assert np.nanmean(drawn(plot_figure(data, "RR", flux_unit="Jy"))[:, 10:20]) == \
        pytest.approx(0.5, abs=0.01)
    assert np.nanmean(drawn(plot_figure(data, "LL", flux_unit="Jy"))[:, 10:20]) == \
        pytest.approx(1.5, abs=0.01)
    assert np.nanmean(drawn(plot_figure(data, "snr:V"))[:, 10:20]) == pytest.approx(-25, rel=0.1)
    assert np.nanmean(drawn(plot_figure(data, "sigma", flux_unit="mJy"))) == \
        pytest.approx(20, rel=0.1)


def test_brightness_temperature_falls_with_frequency_squared_for_a_constant_flux_density():
    data = spectrum(np.ones((10, 11, 4)), sigma=1e-4, channel_width=55e6)
    figure = plot_figure(data, "I", flux_unit="K", stellar_radius=0.4, stellar_distance=5)
    values = drawn(figure).mean(1)
    assert values[0] / values[10] == pytest.approx(4, rel=1e-3)
    assert "K)" in words(figure)


def test_masks_hide_samples_in_their_picture_alone_and_never_by_default():
    data = example(T=30)
    assert np.isfinite(drawn(plot_figure(data, "V"))).all()
    masked = drawn(plot_figure(data, "V", expected_sign="1", sign_tolerance="200mJy"))
    assert np.isnan(masked[:, 10:20]).all()
    assert np.isfinite(np.delete(masked, np.s_[10:20], 1)).all()
    assert np.isfinite(drawn(plot_figure(data, "I", expected_sign="1"))).all()
    above = plot_figure(data, "I", mask_above="0.5Jy")
    assert np.isnan(drawn(above)[:, 10:20]).all() and "masked: |I| > 500 mJy" in words(above)


@pytest.mark.parametrize("width", ["single", "double"])
def test_all_that_is_masked_is_one_entry_of_the_legend_within_the_picture(width):
    figure = plot_figure(example(T=30), "overview", expected_sign="1", sign_tolerance="200mJy",
                         mask_above="I=0.5Jy", mask_below="I=-2Jy", picture_width=width)
    figure.draw_without_rendering()
    legend, = figure.legends
    said = [text.get_text() for text in legend.get_texts()]
    masked, = (text for text in said if text.startswith("masked"))
    assert masked.replace("\n", " ").count("|I| > 500 mJy") == 1 and "V < 0" in masked
    box, title = legend.get_window_extent(), figure.texts[0].get_window_extent()
    assert box.x0 > 0 and box.y1 < figure.bbox.y1 and title.y1 < figure.bbox.y1
    assert box.y0 > figure.axes[0].get_window_extent().y1


def test_v_can_be_drawn_with_negative_upwards():
    figure = plot_figure(example(), "V", invert_v=True)
    assert figure.axes[1].yaxis_inverted()
    curve = plot_curve(example(), invert_v=True)
    assert not curve.axes[0].yaxis_inverted() and curve.axes[1].yaxis_inverted()


def boxes(figure):
    """Return the outlines of detections in the first panel, a list of strokes each."""
    return [[patch.get_path().vertices[i:i + 2].tolist()
             for i in range(0, len(patch.get_path().vertices), 2)]
            for patch in figure.axes[0].patches if isinstance(patch, PathPatch)]


def test_detections_are_outlined_on_their_own_polarization():
    data = example(F=8)
    assert not boxes(plot_figure(data, "I", detections=detections(data)))
    box, = boxes(plot_figure(data, "V", detections=detections(data)))
    (left, bottom), (right, top) = np.min(box, (0, 1)), np.max(box, (0, 1))
    assert (bottom, top) == pytest.approx((551, 553))
    assert (left, right) == pytest.approx((205, 395), abs=1e-3)


@pytest.mark.parametrize("gaps", ["compressed", "scale"])
def test_the_box_and_the_shade_of_a_detection_over_a_gap_leave_the_gap_open(gaps):
    data = example(F=8, scans=(1, 2), gap=600.0)
    axis = TimeAxis(data, compress=gaps == "compressed")
    gap = axis.place([run for one, other in itertools.pairwise(axis.runs)
                      for run in (one.stop, other.start)])
    assert gap[1] - gap[0] > 5
    box, = boxes(plot_figure(data, "V", detections=detections(data), gaps=gaps))
    (left, _), (right, _) = np.min(box, (0, 1)), np.max(box, (0, 1))
    assert left < gap[0] and right > gap[1]
    along = [sorted([a[0], b[0]]) for a, b in box if a[0] != b[0]]
    assert len(along) == 4
    assert all(high <= gap[0] + 1e-3 or low >= gap[1] - 1e-3 for low, high in along)
    curve = plot_curve(data, detections=detections(data), gaps=gaps)
    spans = [patch.get_extents().transformed(curve.axes[1].transData.inverted())
             for patch in curve.axes[1].patches]
    assert len(spans) == 2
    assert all(span.x1 <= gap[0] + 1e-3 or span.x0 >= gap[1] - 1e-3 for span in spans)


def test_marks_at_times_and_fluxes_stand_where_they_belong():
    data = example(T=60)
    figure = plot_curve(data, mark_time="12:05", mark_flux=["V=-0.25Jy"], flux_unit="mJy",
                              curve_bin="none")
    at = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linestyle() != "-"
          and len(line.get_xdata()) == 2 and line.get_xdata()[0] == line.get_xdata()[1]]
    assert at == pytest.approx([305], abs=1e-3)
    levels = [line.get_ydata()[0] for line in figure.axes[1].lines
              if len(line.get_ydata()) == 2 and line.get_xdata()[1] == 1]
    assert sorted(levels) == pytest.approx([-250, 0])
    assert -250 not in [line.get_ydata()[0] for line in figure.axes[0].lines]


def test_a_light_curve_is_coloured_by_its_polarization():
    data = example(T=30)
    figure = plot_curve(data, colour_by_polarization=True, curve_bin="none")
    points = next(c for c in figure.axes[0].collections if isinstance(c, PathCollection))
    colours = np.ma.filled(points.get_array(), np.nan)
    assert colours[10:20] == pytest.approx(np.full(10, -50), abs=2)
    assert np.isnan(np.delete(colours, np.s_[10:20])).all()


def curve_points(figure, panel):
    lines = [line for line in figure.axes[panel].lines if line.get_marker() == "o"]
    return lines[0].get_ydata()


def test_a_faint_light_curve_is_binned_and_says_so():
    data = example(T=480, F=2, flare=0.01, sigma=0.05, integration=10.0)
    figure = plot_curve(data)
    assert len(curve_points(figure, 0)) < 60 and "bins (dots: 10 s)" in words(figure)
    assert len(curve_points(plot_curve(data, curve_bin="none"), 0)) == 480
    assert len(curve_points(plot_curve(data, curve_bin="60s"), 0)) == 80


def test_binning_a_faint_light_curve_does_not_smear_a_flare():
    truth = np.zeros((240, 1, 4))
    truth[100:106, 0, 0] = 1.0
    data = spectrum(truth, sigma=0.05)
    assert np.nanmax(curve_points(plot_curve(data, flux_unit="mJy"), 0)) > 900


def test_a_single_channel_becomes_a_light_curve_and_a_single_integration_a_spectrum():
    data = example()
    one_channel = plot_figure(data.select_channels([3]), "V", curve_bin="none", flux_unit="Jy")
    np.testing.assert_allclose(curve_points(one_channel, 0), data.values("V")[:, 3])
    one_time = plot_figure(data.select_times([30]), "V", flux_unit="Jy")
    assert "Frequency (MHz)" in words(one_time)
    np.testing.assert_allclose(one_time.axes[0].lines[0].get_ydata(), data.values("V")[30])


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "gaussian"])
def test_interpolated_pictures_have_the_same_extent(interpolation):
    data = example(scans=(1, 2))
    figure = plot_figure(data, "I", interpolation=interpolation)
    figure.canvas.draw()
    assert len(figure.axes[0].images) == 2
    assert figure.axes[0].images[0].get_extent()[2:] == [549.5, 557.5]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "gaussian"])
def test_interpolation_shows_every_cell_that_has_a_value_and_no_other(interpolation):
    """Each masked cell is grey over all of itself; next to it, cells have the colour of theirs."""
    data = spectrum(np.full((24, 8, 4), 1.0), sigma=0.01, scans=(1, 2))
    masked = np.random.default_rng(1).random((24, 8)) < 0.4
    options = {"interpolation": interpolation, "colour_limit": "2Jy", "picture_resolution": 100}
    figure = plot_figure(data.flag_cells(masked), "V", **options)
    axis = TimeAxis(data)
    centre = axis.place(data.time)
    for shift in (-0.35, 0.0, 0.35):
        found = colours_at(figure, centre + 10 * shift, data.frequency / 1e6 + shift)
        is_grey = np.isclose(found, to_rgba(FLAGGED), atol=0.01).all(-1)
        np.testing.assert_array_equal(is_grey, masked)
        # V is 1 of 2 Jy throughout.
        np.testing.assert_allclose(found[~masked], [colour_map(quantity("V"), None)(0.75)] * int(
            (~masked).sum()), atol=0.03)


def test_interpolation_shows_a_fraction_beside_cells_where_i_is_faint():
    truth = np.zeros((30, 4, 4))
    truth[10:20:3, :, 0], truth[10:20:3, :, 3] = 1.0, -0.8
    data = spectrum(truth, sigma=0.02)
    seen = np.isfinite(data.fraction("V")[0])
    figure = plot_figure(data, "V/I", interpolation="gaussian")
    found = colours_at(figure, TimeAxis(data).place(data.time), data.frequency / 1e6)
    is_faint = np.isclose(found, to_rgba(NOT_GIVEN), atol=0.01).all(-1)
    np.testing.assert_array_equal(is_faint, ~seen)
    assert (found[10:20:3, :, 2] > found[10:20:3, :, 1] + 0.2).all()  # purple: V/I = -80 %


def test_a_panel_without_values_says_what_it_would_show_and_why_it_does_not():
    faint = spectrum(np.full((10, 4, 4), 0.01), sigma=0.2)
    dark = plot_figure(example(), "I", mask_below=["I=5Jy"])
    flagged = example().flag_cells(np.ones((60, 8), bool))
    for figure, said in ((plot_figure(faint, "V/I"), "V/I: I < 5σ throughout"),
                         (plot_figure(faint, "overview"), "V/I: I < 5σ throughout"),
                         (dark, "Stokes I: masked (I ≤ 5 Jy) throughout"),
                         (plot_figure(flagged, "V"), "Stokes V: no unflagged data")):
        lines = words(figure).split("\n")
        # A label where there is no colour bar would be of nothing.
        assert said in lines and said.partition(":")[0] not in lines
    coloured = words(plot_curve(faint, colour_by_polarization=True))
    assert "V/I: I < 5σ throughout" in coloured and "V/I" not in coloured.split("\n")


def test_a_point_beyond_the_axis_has_an_arrow_at_its_border_and_the_legend_says_so():
    data = example(T=30)
    figure = plot_curve(data, flux_range=["-0.2Jy", "0.6Jy"], curve_bin="none")
    for axes, marker, border in zip(figure.axes, (CARETUP, CARETDOWN), (1, 0), strict=True):
        line, = (one for one in axes.artists + axes.lines if one.get_marker() == marker)
        places = next(one for one in axes.lines if one.get_marker() == "o").get_xdata()
        np.testing.assert_array_equal(line.get_xdata(), places[10:20])
        assert set(line.get_ydata()) == {border}
    assert words(figure).split("\n").count("beyond the axis") == 1
    assert "beyond" not in words(plot_curve(data))
    # V is drawn with its negative side upwards: so is the arrow.
    inverted = plot_curve(data, flux_range=["-0.2Jy", "0.6Jy"], curve_bin="none", invert_v=True)
    assert any(one.get_marker() == CARETUP for one in inverted.axes[1].lines)


@pytest.mark.parametrize(("low", "high"), [(548e6, 551e6), (555e6, 558e6), (549.5e6, 550.5e6)])
def test_the_number_of_a_detection_at_the_border_is_in_the_panel(low, high):
    data = example()
    for first, last in ((0, 3), (30, 40), (56, 59)):
        found = Table({"start": [data.time[first]], "stop": [data.time[last] + 1],
                       "band_low": [low], "band_high": [high], "polarization": ["I"]})
        figure = plot_figure(data, "I", detections=found)
        FigureCanvasAgg(figure).draw()
        number, = (text for text in figure.axes[0].texts if text.get_text() == "1")
        box, panel = number.get_window_extent(), figure.axes[0].get_window_extent()
        assert panel.x0 <= box.x0 and box.x1 <= panel.x1 + 1
        assert panel.y0 - 1 <= box.y0 and box.y1 <= panel.y1 + 1


def test_a_detection_outside_the_band_that_is_drawn_has_no_number_in_it():
    found = Table({"start": [example().time[20]], "stop": [example().time[39]],
                   "band_low": [600e6], "band_high": [601e6], "polarization": ["I"]})
    assert "1" not in words(plot_figure(example(), "I", detections=found)).split("\n")


def test_masked_and_flagged_cells_are_told_apart_and_named_only_where_there_are_some():
    data = example(T=30)
    flagged = np.zeros((30, 8), bool)
    flagged[3, 2] = flagged[12, 2] = True
    masked = plot_figure(data, "V", expected_sign="1", sign_tolerance="200mJy")
    assert "masked: V < 0" in words(masked) and "flagged" not in words(masked)
    both = plot_figure(data.flag_cells(flagged), "V", expected_sign="1", sign_tolerance="200mJy")
    assert {"flagged", "masked: V < 0"} <= set(words(both).split("\n"))
    found = colours_at(both, TimeAxis(data).place(data.time), data.frequency / 1e6)
    is_flagged, is_masked = (np.isclose(found, to_rgba(colour), atol=0.01).all(-1)
                             for colour in (FLAGGED, MASKED))
    np.testing.assert_array_equal(is_flagged, flagged)
    expected = np.zeros((30, 8), bool)
    expected[10:20] = True
    np.testing.assert_array_equal(is_masked, expected & ~flagged)
    legend = {text.get_text(): patch.get_facecolor() for legend in both.legends for text, patch in
              zip(legend.get_texts(), legend.get_patches(), strict=True)}
    assert legend == {"flagged": to_rgba(FLAGGED), "masked: V < 0": to_rgba(MASKED)}


@pytest.mark.parametrize("plot", ["V", "overview"])
def test_columns_of_several_integrations_are_told(plot):
    data = example(T=120, scans=(1, 2), gap=40000.0)
    assert "columns" not in words(plot_figure(data, plot))
    for options in ({"gaps": "scale"}, {"gaps": "scale", "expected_sign": "-1"}):
        figure = plot_figure(data, plot, **options)
        held = picture(data, ["V"], plot_settings(gaps="scale")).columns
        number = round(held.integration.max() / 10)
        assert number > 1 and f"(UTC), columns of {number} integrations" in words(figure)
    assert "columns" not in words(plot_figure(data, "lightcurve", gaps="scale"))


@pytest.mark.parametrize("width", ["single", "double"])
@pytest.mark.parametrize("kind", ["ut", "elapsed", "barycentre"])
def test_the_label_of_columns_is_within_the_picture(width, kind):
    figure = plot_figure(example(T=120, scans=(1, 2), gap=40000.0), "V", gaps="scale",
                         picture_width=width, time_axis=kind)
    figure.draw_without_rendering()
    box = figure.axes[0].xaxis.label.get_window_extent()
    assert "columns of" in words(figure) and min(box.x0, box.y0) >= 0
    assert box.x1 <= figure.bbox.width


@pytest.mark.parametrize("start", [59000.5, 59000.500833, 59000.504167, 59000.505])
def test_labels_of_time_are_within_the_picture(start):
    data = spectrum(np.full((40, 2, 4), 1.0), scans=(1, 2, 3, 4), gap=3000.0, start_mjd=start)
    for width in ("single", "double"):
        figure = plot_figure(data, "lightcurve", picture_width=width)
        figure.draw_without_rendering()
        assert max(label.get_window_extent().x1 for axes in figure.axes
                   for label in axes.get_xticklabels()) <= figure.bbox.width


def test_the_cells_of_an_overview_reach_the_frame():
    figure = plot_figure(example(T=240), "overview")
    assert figure.axes[0].get_xlim() == pytest.approx((0, 2400), abs=1e-2)


def test_bins_of_a_curve_are_named_by_what_was_asked_not_by_the_rest_of_scans():
    """Scans of 90 s in bins of 1 min: each has a whole bin and half a one."""
    data = example(T=90, scans=tuple(range(10)))
    assert "1 min bins (dots: 10 s)" in words(plot_curve(data, curve_bin="1min"))
    assert "1 min bins (dots: 10 s)" in words(plot_curve(data, curve_bin="6"))
    assert "25 s bins (dots: 10 s)" in words(plot_curve(data, curve_bin="25s"))
    assert "1.5 min bins (dots: 10 s)" in words(plot_curve(data, curve_bin="1h"))
    spaced = data.replace(integration=np.full(90, 5.0))
    assert "1 min bins (dots: 5 s)" in words(plot_curve(spaced, curve_bin="1min"))


def test_a_spectrum_without_unflagged_data_is_drawn_and_says_so(tmp_path):
    data = example(T=10, F=4).flag_cells(np.ones((10, 4), bool))
    assert len(draw_products(data, None, plot_settings(), tmp_path)) == 5
    figures = [plot_curve(data, colour_by_polarization=True)] + [
        plot_figure(one, plot) for one in (data, data.rebin(time=10)) for plot in ("I", "V/I")]
    for figure in figures:
        assert "no unflagged data" in words(figure)
        # Of what is not there, no axis has a number: but of time and frequency.
        for axes in figure.axes:
            assert "Frequency" in axes.get_ylabel() or not axes.get_yticks().size


def test_a_fraction_of_a_faint_source_is_not_said_to_be_flagged():
    faint = spectrum(np.full((10, 4, 4), 0.01), sigma=0.2)
    for data in (faint.rebin(time=10), faint.rebin(channel=4)):
        assert "I < 5σ throughout" in words(plot_figure(data, "V/I"))


@pytest.mark.parametrize(("largest", "limit"), [
    (7e-2, 0.1), (0.2, 0.2), (0.3, 0.5), (3.0, 5.0), (80.0, 100.0), (130.0, 100.0)])
def test_the_scale_of_a_fraction_follows_its_values(largest, limit):
    assert fraction_limit(np.linspace(-largest, largest, 11)) == limit
    assert fraction_limit(np.full(3, np.nan)) == 100


def test_a_light_curve_of_a_slightly_polarized_source_is_not_all_white():
    truth = np.zeros((20, 1, 4))
    truth[..., 0], truth[..., 3] = 30.0, 30.0 * np.linspace(-7e-4, 7e-4, 20)[:, None]
    figure = plot_curve(spectrum(truth, sigma=1e-4), colour_by_polarization=True)
    points = next(one for one in figure.axes[0].collections if isinstance(one, PathCollection))
    assert points.get_clim() == (-0.1, 0.1)


def lightness(colour):
    """Return CIE L* of an sRGB colour: 0 black, 100 white."""
    linear = np.where(np.array(to_rgb(colour)) <= 0.04045, np.array(to_rgb(colour)) / 12.92,
                      ((np.array(to_rgb(colour)) + 0.055) / 1.055) ** 2.4)
    return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16


def test_where_no_fraction_is_given_is_neither_like_zero_nor_like_flagged():
    zero = colour_map(quantity("V/I"), None)(0.5)
    # Greys and a white: so they look to all eyes, and on a printer without colours.
    assert np.ptp(to_rgb(zero)) < 0.01 and np.ptp(to_rgb(NOT_GIVEN)) == np.ptp(to_rgb(FLAGGED)) == 0
    assert lightness(zero) - lightness(NOT_GIVEN) > 15
    assert lightness(NOT_GIVEN) - lightness(FLAGGED) > 15


@pytest.mark.parametrize("rotation", [0, 30, 60, 90, -45])
def test_turned_labels_of_time_leave_no_empty_strip_and_are_not_cut(rotation):
    figure = plot_figure(example(scans=(1, 2)), "I", tick_rotation=str(rotation))
    FigureCanvasAgg(figure).draw()
    bottom = figure.axes[0].xaxis.label.get_window_extent().y0 / figure.dpi
    assert 0 <= bottom < 0.13


def test_the_usual_plots_are_those_that_the_data_can_give():
    assert available_plots(example()) == ("I", "V", "V/I", "lightcurve", "overview")
    assert available_plots(example(polarizations=("I",))) == ("I", "lightcurve", "overview")
    assert available_plots(example().select_channels([0])) == ("I", "V", "V/I", "lightcurve")


def test_products_are_the_files_asked_for_in_their_order(tmp_path):
    settings = plot_settings(plots=["V/I", "snr:V", "lightcurve"], picture_format=["png", "pdf"],
                             plot_tag="night1", picture_resolution=60)
    paths = draw_products(example(), None, settings, tmp_path / "plots")
    assert [path.name for path in paths] == [
        "dynspec_VI_night1.png", "dynspec_VI_night1.pdf", "snr_V_night1.png", "snr_V_night1.pdf",
        "lightcurve_night1.png", "lightcurve_night1.pdf"]
    assert sorted(paths) == sorted((tmp_path / "plots").iterdir())


def test_the_same_spectrum_gives_the_same_bytes(tmp_path):
    data = example(scans=(1, 2))
    settings = plot_settings(plots=["overview"], picture_format=["png", "pdf"],
                             picture_resolution=60)
    first = draw_products(data, detections(data), settings, tmp_path / "a")
    second = draw_products(data, detections(data), settings, tmp_path / "b")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_pictures_have_the_width_of_a_journals_columns_and_the_height_asked_for(tmp_path):
    assert plot_figure(example(), picture_width="single").get_size_inches()[0] == 3.5
    assert tuple(plot_figure(example(), picture_height="4").get_size_inches()) == (7, 4)


def test_a_notebook_gets_the_figure_as_a_png():
    assert example().plot("V")._repr_png_().startswith(b"\x89PNG")


def test_panels_of_an_overview_share_their_time_axis():
    figure = plot_figure(example(), "overview")
    panels = figure.axes[0].get_shared_x_axes().get_siblings(figure.axes[0])
    assert len(panels) == 5 and len({axes.get_xlim() for axes in panels}) == 1


def test_a_users_matplotlib_settings_do_not_change_the_products(tmp_path):
    import matplotlib

    settings = plot_settings(plots=["I"], picture_resolution=60)
    first = draw_products(example(), None, settings, tmp_path / "a")[0].read_bytes()
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 20, "lines.linewidth": 9,
                                "savefig.facecolor": "green", "xtick.direction": "in"}):
        assert draw_products(example(), None, settings, tmp_path / "b")[0].read_bytes() == first


@pytest.mark.parametrize(("options", "match"), [
    ({"plot": "XX"}, "'XX' needs XX, which is not in this spectrum .*RR, LL"),
    ({"plot": "W"}, "'W' is not a quantity, which is I, Q, U, V"),
    ({"colour_limits": "5mJy"}, "'colour_limits' is not an option .* 'colour_limit'"),
    ({"colour_limit": "-5mJy"}, "colour limit must be above zero, not -"),
    ({"colour_limit": "5GK"}, "a level in K does not fit a picture in m?Jy"),
    ({"flux_unit": "K"}, "needs --stellar-radius and --stellar-distance"),
    ({"flux_unit": "cgs"}, "flux_unit: 'cgs' is not one of"),
    ({"colour_map": "virids"}, "did you mean 'viridis'"),
    ({"expected_sign": "0"}, "'0' is not a sign"),
    ({"picture_width": "wide"}, "not a width in inches"),
    ({"mark_time": "noon"}, "'noon' is not a time in UTC"),
    ({"picture_height": "0.4"}, "give a larger --picture-height")])
def test_what_cannot_be_drawn_is_one_line(options, match):
    with pytest.raises(SettingsError, match=match) as caught:
        plot_figure(example(), **options)
    assert "\n" not in str(caught.value)


def test_nothing_is_drawn_if_one_of_the_plots_is_not_in_the_data(tmp_path):
    with pytest.raises(SettingsError, match="needs YY"):
        draw_products(example(), None, plot_settings(plots=["I", "YY"]), tmp_path / "plots")
    assert not (tmp_path / "plots").exists()


@pytest.mark.parametrize("width", ["single", "double"])
def test_long_numbers_do_not_push_a_label_off_the_picture(width):
    data = example().replace(frequency=1413e6 + 0.07e6 * np.arange(8),
                             channel_width=np.full(8, 0.07e6))
    for figure in (plot_figure(data, "overview", picture_width=width),
                   plot_figure(data, picture_width=width)):
        figure.draw_without_rendering()
        assert min(axes.yaxis.get_tightbbox().x0 for axes in figure.axes) >= 0


def test_the_light_curve_of_a_steady_source_is_drawn_about_its_level():
    data = spectrum(np.full((30, 2, 4), 2.5), sigma=0.02)
    low, high = plot_curve(data, flux_unit="Jy").axes[0].get_ylim()
    assert 2.3 < low < 2.5 < high < 2.7
    asked = plot_curve(data, flux_unit="Jy", flux_range=["I=2Jy", "I=3Jy"])
    assert asked.axes[0].get_ylim() == (2, 3)
    with pytest.raises(SettingsError, match="needs a lower and an upper end for I"):
        plot_curve(data, flux_range=["3Jy", "2Jy"])


def test_the_faint_cells_of_a_fraction_are_explained_only_where_there_are_some():
    bright = spectrum(np.full((30, 4, 4), 2.5), sigma=0.02)
    assert "I < 5σ" not in words(plot_figure(bright, "overview"))
    assert "I < 5σ" not in words(plot_curve(bright, colour_by_polarization=True))
    for figure in (plot_figure(example(), "overview", colour_by_polarization=True),
                   plot_curve(example(), colour_by_polarization=True)):
        assert words(figure).count("I < 5σ") == 1


def shown_texts(figure):
    """Return all texts on the paper: of the figure, its legends, panels, axes and ticks."""
    texts = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in figure.axes:
        texts += [*axes.texts, axes.xaxis.label, axes.yaxis.label]
        for axis, coordinate, ends in ((axes.xaxis, 0, axes.get_xlim()),
                                       (axes.yaxis, 1, axes.get_ylim())):
            texts += [label for label in axis.get_ticklabels()
                      if min(ends) <= label.get_position()[coordinate] <= max(ends)]
    return [text for text in texts if text.get_text() and text.get_visible()]


@pytest.mark.parametrize("width", ["single", "double"])
@pytest.mark.parametrize("plot", ["overview", "V/I", "lightcurve"])
def test_no_two_texts_of_a_picture_overlap(plot, width):
    data = example(scans=(1, 2, 3), meta={"target": "WISEA J062309.94-045624.6"})
    cells = np.zeros((60, 8), bool)
    cells[4, 1] = True
    figure = plot_figure(data.flag_cells(cells), plot, picture_width=width, colour_scale="log",
                         colour_by_polarization=True, curve_bin="20s")
    figure.draw_without_rendering()
    texts = shown_texts(figure)
    for one, other in itertools.combinations(texts, 2):
        first, second = one.get_window_extent(), other.get_window_extent()
        overlap = (min(first.x1, second.x1) - max(first.x0, second.x0),
                   min(first.y1, second.y1) - max(first.y0, second.y0))
        assert min(overlap) < 1, (one.get_text(), other.get_text())


def test_the_help_of_plot_names_every_option_of_drawing():
    """All but those about files, which a figure is not."""
    of_files = {"plots", "picture_format", "plot_tag"}
    fields = {field.name for field in dataclasses.fields(PlotSettings)}
    assert all(name in DynamicSpectrum.plot.__doc__ for name in fields - of_files)


@pytest.mark.parametrize("plots", [("I",), ("V/I", "lightcurve"), ("lightcurve", "overview")])
def test_what_pictures_are_drawn_from_is_small_and_holds_all_the_data(plots):
    data = example(T=3000, F=8)
    reduced = picture(data, plots, plot_settings(picture_resolution=100))
    assert len(pickle.dumps(reduced)) < 0.4 * data.nbytes
    assert reduced.band.count.sum() == data.count.sum()
    shown = [data.index(label) for label in reduced.columns.polarizations]
    assert reduced.columns.count.sum() == data.count[..., shown].sum()


def test_a_sample_is_masked_before_samples_are_summed_to_pixels():
    truth = np.zeros((3000, 2, 4))
    truth[1000, 0, 0] = 50
    data = spectrum(truth, sigma=0.02)
    summed = drawn(plot_figure(data, "I", flux_unit="Jy"))
    masked = drawn(plot_figure(data, "I", flux_unit="Jy", mask_above="1Jy"))
    assert np.nanmax(summed) > 5 and np.nanmax(masked) < 1
    assert np.isfinite(masked).all()


def test_a_light_curve_draws_itself_as_its_spectrum_does():
    data = example()
    options = {"flux_unit": "mJy", "curves": ["V", "I"], "detections": detections(data)}
    one = data.light_curve().plot(**options)
    other = plot_curve(data, curve_bin="none", **options)
    for panel in (0, 1):
        np.testing.assert_allclose(curve_points(one, panel), curve_points(other, panel))
        assert one.axes[panel].get_ylim() == pytest.approx(other.axes[panel].get_ylim())
        assert one.axes[panel].get_ylabel() == other.axes[panel].get_ylabel()
        assert len(one.axes[panel].patches) == len(other.axes[panel].patches)
    assert one._repr_png_().startswith(b"\x89PNG")


def test_a_light_curve_is_drawn_in_time_order_and_coloured_as_its_spectrum():
    data = example(T=30)
    curve = data.light_curve()
    last_first = curve.replace(**{name: getattr(curve, name)[::-1] for name, spec in
                                  curve.array_specs().items()})
    found = [next(c for c in figure.axes[0].collections if isinstance(c, PathCollection))
             for figure in (last_first.plot(colour_by_polarization=True),
                            plot_curve(data, colour_by_polarization=True, curve_bin="none"))]
    np.testing.assert_allclose(*(np.ma.filled(one.get_array(), np.nan) for one in found))


@pytest.mark.parametrize(("options", "match"), [
    ({"curve_bin": "60s"}, "holds no sums that could be binned; rebin its dynamic spectrum"),
    ({"curves": ["RR"]}, "needs RR, which is not in this spectrum .it holds I, Q, U, V"),
    ({"curve": ["V"]}, "'curve' is not an option .* 'curves'")])
def test_what_a_light_curve_cannot_draw_is_one_line(options, match):
    with pytest.raises(SettingsError, match=match):
        example(T=6).light_curve().plot(**options)


@pytest.mark.parametrize(("peak", "unit", "drawn_peak"), [
    (3e-8, "nJy", 30), (5e-4, "µJy", 500), (0.9, "mJy", 900), (2.5, "Jy", 2.5),
    (999.2, "Jy", 999.2), (3e4, "kJy", 30), (2e8, "MJy", 200)])
def test_labels_of_a_flux_density_are_numbers_from_1_to_999(peak, unit, drawn_peak):
    data = spectrum(np.full((12, 3, 4), peak), sigma=1e-4 * peak)
    figure = plot_figure(data, "I")
    assert figure.axes[1].get_ylabel() == f"Stokes I ({unit})"
    assert np.nanmedian(drawn(figure)) == pytest.approx(drawn_peak, rel=1e-3)


@pytest.mark.parametrize(("distance", "label"), [
    (5.0, r"$10^{9}$ K"), (0.01, r"$10^{6}$ K"), (1e-4, "K")])
def test_labels_of_a_brightness_temperature_are_numbers_from_1_to_999(distance, label):
    data = spectrum(np.full((12, 3, 4), 0.05), sigma=1e-5)
    for plot, panel in (("I", 1), ("lightcurve", 0)):
        figure = plot_figure(data, plot, flux_unit="K", stellar_radius=0.4,
                             stellar_distance=distance)
        assert figure.axes[panel].get_ylabel() == f"Stokes I ({label})"
        assert 1 <= max(map(abs, figure.axes[panel].get_ylim())) < 1000


def test_the_unit_is_that_of_what_is_shown():
    """Not of what the data hold: a limit of 5 mJy on data of 2 Jy gives labels in mJy."""
    data = spectrum(np.full((12, 3, 4), 2.0), sigma=1e-3)
    figure = plot_figure(data, "V", colour_limit=["V=5mJy"])
    assert figure.axes[1].get_ylabel() == "Stokes V (mJy)"
    assert figure.axes[1].get_ylim() == pytest.approx((-5, 5))
    curve = plot_curve(data, flux_range=["I=-3mJy", "I=3mJy"])
    assert curve.axes[0].get_ylabel() == "Stokes I (mJy)"
    assert curve.axes[0].get_ylim() == pytest.approx((-3, 3))
    # Errors and marks are shown too.
    marked = plot_curve(spectrum(np.full((12, 3, 4), 0.5), sigma=1e-3), mark_flux=["I=2Jy"])
    assert marked.axes[0].get_ylabel() == "Stokes I (Jy)"


@pytest.mark.parametrize(("limit", "noise"), [(500, 1.0), (500, 60.0), (5.5, 0.7), (0.03, 1e-6)])
def test_ticks_of_a_log_scale_are_round_apart_and_mirrored(limit, noise):
    norm = colour_norm((-limit, limit), is_signed=True, scale="log", power=0.5, noise=noise)
    ticks = np.array(log_ticks(norm, 0.1))
    assert 3 <= len(ticks) and ticks.max() <= limit
    np.testing.assert_array_equal(ticks, -ticks[::-1])
    assert np.diff(norm(ticks)).min() >= 0.1
    assert all(f"{tick:e}"[0] in "125" for tick in ticks[ticks > 0])


def windows(T=12):
    """Return a spectrum of two windows of 8 channels of 1 MHz, 80 MHz apart, and its channels."""
    data = example(T=T, F=16)
    frequency = 550e6 + 1e6 * np.arange(16) + np.where(np.arange(16) < 8, 0, 80e6)
    return data.replace(frequency=frequency, spectral_window=np.arange(16) // 8)


def test_a_wide_gap_in_frequency_is_shortened_unless_to_scale_is_asked_for():
    data = windows()
    low, high = plot_figure(data, "I").axes[0].get_ylim()
    assert (low, high) == pytest.approx((549.5, 549.5 + 16 * 1.06))
    assert plot_figure(data, "I", frequency_gaps="scale").axes[0].get_ylim() == (549.5, 645.5)


def test_a_cell_beside_a_shortened_gap_in_frequency_is_drawn_where_its_label_says():
    data = windows()
    figure = plot_figure(data, "V", flux_unit="mJy")
    axes, image = figure.axes[0], images(figure)[0]
    assert drawn(figure).shape == (17, 12) and np.isnan(drawn(figure)[8]).all()
    figure.canvas.draw()
    places = {float(label.get_text()): label.get_position()[1] for label in axes.get_yticklabels()}
    assert min(places) < 558 and max(places) > 637 and len(places) >= 4
    found = colours_at(figure, [65.0], list(places.values()))[0]
    nearest = [int(np.argmin(abs(data.frequency / 1e6 - label - 1e-3))) for label in places]
    expected = image.get_cmap()(image.norm(1e3 * data.values("V")[6, nearest]))
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_a_narrow_gap_in_frequency_stays_to_scale():
    data = example(F=30).select_channels(np.delete(np.arange(30), [10, 11]))
    low, high = plot_figure(data, "I").axes[0].get_ylim()
    assert (low, high) == (549.5, 579.5)


def test_a_detection_over_a_gap_in_frequency_leaves_the_gap_open():
    data = windows(T=60)
    found = detections(data)
    found["band_high"] = 640e6
    box, = boxes(plot_figure(data, "V", detections=found))
    up = [sorted([a[1], b[1]]) for a, b in box if a[1] != b[1]]
    assert len(up) == 4
    assert all(high <= 557.5 + 1e-6 or low >= 557.5 + 0.06 * 16 - 1e-6 for low, high in up)


def test_a_spectrum_of_a_single_integration_breaks_its_frequency_axis_too():
    figure = plot_figure(windows().select_times([5]), "V")
    assert figure.axes[0].get_xlim() == pytest.approx((549.5, 549.5 + 16 * 1.06))
    line = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert line.get_xdata()[-1] == pytest.approx(549.5 + 16 * 1.06 - 0.5)


def test_markers_of_many_channels_are_small():
    sizes = []
    for F in (16, 1000):
        data = spectrum(np.ones((1, F, 4)), sigma=1.0)
        line = next(line for line in plot_figure(data).axes[0].lines if line.get_marker() == "o")
        sizes.append(line.get_markersize())
    assert sizes[0] > 2 and sizes[1] < 1.5


@pytest.mark.parametrize("options", [
    {"picture_resolution": "30"}, {"picture_resolution": "1200"}, {"picture_width": "2"},
    {"label_size": "3"}, {"tick_rotation": "-90"}])
def test_the_ends_of_a_range_of_settings_belong_to_it(options):
    plot_settings(**options)


@pytest.mark.parametrize(("options", "said"), [
    ({"picture_resolution": "29"}, "'29' is not pixels per inch from 30 to 1200"),
    ({"tick_rotation": "91"}, "from -90 to 90"), ({"label_size": "0"}, "from 3 to 30")])
def test_what_is_beyond_a_range_of_settings_is_refused(options, said):
    with pytest.raises(SettingsError, match=said):
        plot_settings(**options)


@pytest.mark.parametrize(("first", "width"), [
    (5.20265e9, 1e3), (6.668e9, 1e5), (1.4e9, 3e3), (1.42e9, 1e6), (150e6, 2e4)])
@pytest.mark.parametrize("plot", ["I", "V/I", "lightcurve", "overview"])
@pytest.mark.parametrize("integrations", [1, 40])
def test_every_number_at_an_axis_is_whole(first, width, plot, integrations):
    """A number at the corner that is to be added to all others is read by nobody."""
    if plot == "overview" and integrations == 1:
        plot = "V"
    made = spectrum(np.full((integrations, 11, 4), 14.763))
    made = made.replace(frequency=first + width * np.arange(11), channel_width=np.full(11, width))
    figure = plot_figure(made, plot)
    figure.canvas.draw()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            assert axis.get_offset_text().get_text() == ""
    title = figure.texts[0].get_text()
    *ends, unit = re.search(r"([\d.]+)–([\d.]+) ([MG]Hz)", title).groups()
    low, high = (float(end) * {"MHz": 1e6, "GHz": 1e9}[unit] for end in ends)
    assert low == pytest.approx(first - width / 2, abs=11 * width / 100)
    assert high == pytest.approx(first + 10.5 * width, abs=11 * width / 100)
    assert plot == "lightcurve" or f"Frequency ({unit})" in words(figure)


def test_a_light_curve_is_as_bright_in_kelvin_as_its_spectrum_is():
    """Also where windows leave the mean frequency far from the middle of the band."""
    made = spectrum(np.full((20, 48, 4), 1.0))
    first = np.repeat([1.0e9, 1.1e9, 2.9e9], 16)
    made = made.replace(frequency=first + 1e6 * np.tile(np.arange(16), 3))
    options = {"flux_unit": "K", "stellar_radius": 1, "stellar_distance": 10}
    curves = [[line.get_ydata() for line in figure.axes[0].lines if len(line.get_ydata()) == 20]
              for figure in (made.light_curve().plot(**options),
                             plot_figure(made, "lightcurve", curve_bin="none", **options))]
    np.testing.assert_allclose(curves[0][0], curves[1][0], rtol=1e-9)


@pytest.mark.parametrize("options", [
    {}, {"plots": ["RR", "sigma:V", "V/I"]}, {"mark_flux": ["V/I=50%", "5mJy", "V=-3mJy"]},
    {"plots": ["V/I"], "flux_unit": "K"}, {"plots": ["I"], "flux_range": ["1mJy"]},
    {"curves": ["I"], "flux_range": ["I=1mJy", "I=2mJy", "V=1mJy"]},
    {"flux_unit": "K", "stellar_radius": 1, "stellar_distance": 5, "mark_flux": ["V=1e9K"]}])
def test_pictures_that_can_be_drawn_are_not_refused(options):
    """What an option would be wrong for is not drawn."""
    check_pictures(plot_settings(**options), ("I", "V"), ("RR", "LL"))
    for plot in options.get("plots", ["lightcurve"]):
        example().plot(plot, **{name: value for name, value in options.items() if name != "plots"})


def test_a_fraction_that_is_known_nowhere_is_said_to_be_so():
    said = "I < 5σ throughout"
    assert said in words(plot_figure(example(flare=0.01), "V/I"))
    assert said not in words(plot_figure(example(), "V/I"))


def test_the_title_says_that_flux_densities_are_corrected():
    observed = example()
    corrected = observed.replace(primary_beam=np.full(len(observed.frequency), 0.8))
    said = "corrected for the primary beam"
    assert said in words(plot_figure(corrected, "I"))
    assert said not in words(plot_figure(observed, "I"))
