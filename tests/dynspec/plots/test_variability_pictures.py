"""Pictures of blocks, structure functions, periodograms, folded spectra and autocorrelations."""

import numpy as np
import pytest
from matplotlib.image import PcolorImage
from spectra import spectrum

from visds.core.errors import SettingsError
from visds.dynspec.plots.draw import draw_products, plot_settings
from visds.dynspec.variability.settings import MEASURES, variability_settings


def example():
    """Return a spectrum of 120 integrations of 10 s in which I pulses every 300 s."""
    truth = np.zeros((120, 8, 2))
    truth[..., 0] = 1 + 0.2 * np.cos(2 * np.pi * np.arange(120) / 30)[:, None]
    return spectrum(truth, polarizations=("I", "V"), sigma=0.05)


def words(figure):
    texts = [text.get_text() for text in figure.texts]
    return " | ".join(texts + [text.get_text() for axes in figure.axes for text in axes.texts])


def test_every_measure_has_a_picture_the_same_on_every_run_and_a_narrow_one(tmp_path):
    settings = plot_settings(plots=MEASURES, picture_resolution=30)
    first, second = (draw_products(example(), None, settings, tmp_path / name) for name in "ab")
    narrow = plot_settings(plots=MEASURES, picture_resolution=30, picture_width="single",
                           curves="I")
    assert len(draw_products(example(), None, narrow, tmp_path / "c")) == len(MEASURES)
    assert [path.name for path in first] == [f"{name}.png" for name in MEASURES]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_what_variability_asks_for_is_drawn_beside_the_usual_plots(tmp_path):
    paths = draw_products(example(), None, plot_settings(picture_resolution=40), tmp_path,
                          variability_settings(variability=["periodogram"]))
    assert [path.stem for path in paths][-2:] == ["overview", "periodogram"]
    paths = draw_products(example().select_times(np.arange(5)), None,
                          plot_settings(picture_resolution=40), tmp_path,
                          variability_settings(variability=["periodogram", "bayesian_blocks"]))
    assert [path.stem for path in paths][-2:] == ["overview", "bayesian_blocks"]


def test_a_periodogram_says_its_period_and_chance():
    figure = example().plot("periodogram")
    assert "P = 5.0" in words(figure)
    assert "false-alarm probability" in words(figure)
    line = figure.axes[0].lines[0]
    peak = line.get_xdata()[np.argmax(line.get_ydata())]
    assert 86400 / peak == pytest.approx(300, rel=0.03)


def test_a_peak_that_noise_may_have_made_is_no_period():
    said = words(spectrum(np.ones((120, 4, 1)), polarizations=("I",), seed=5).plot("periodogram"))
    assert "no period: probability 0." in said and "P = " not in said


def test_a_folded_spectrum_is_drawn_for_two_cycles_with_its_light_curve():
    figure = example().plot("folded", period="300s", phase_bins=10, curves="I")
    plane, curve = figure.axes[0], figure.axes[-1]
    image, = (one for one in plane.images if isinstance(one, PcolorImage))
    values = np.ma.filled(image.get_array(), np.nan)
    held = values[:, np.isfinite(values).any(0)]
    np.testing.assert_array_equal(held[:, :10], held[:, 10:])
    assert np.argmax(held.mean(0)) in (0, 9)
    assert curve.get_xlim() == (0, 2)
    assert "P = 300 s" in curve.get_xlabel()


def test_blocks_are_drawn_from_edge_to_edge_over_the_light_curve():
    truth = np.ones((60, 4, 1))
    truth[20:40] = 2
    figure = spectrum(truth, polarizations=("I",), sigma=0.05).plot("bayesian_blocks", curves="I")
    steps = [line.get_xydata() for line in figure.axes[0].lines
             if line.get_linewidth() == 1.0 and len(line.get_xdata()) == 2]
    assert "3 blocks" in words(figure)
    assert [step[0, 0] for step in steps] == pytest.approx([0, 200, 400], abs=0.01)
    assert steps[1][0, 1] == pytest.approx(2, abs=0.02)


def test_a_point_beyond_the_axis_of_blocks_has_an_arrow():
    data = spectrum(np.ones((60, 4, 1)), polarizations=("I",), sigma=0.05)
    assert "arrows" not in words(data.plot("bayesian_blocks", curves="I"))
    # In one integration baselines differ: the error is huge, and the flux density far off.
    scale = np.ones((60, 1, 1))
    scale[7] = 5
    weak = data.replace(sum_wv=data.sum_wv * scale, sum_w2v2=data.sum_w2v2 * scale**8)
    figure = weak.plot("bayesian_blocks", curves="I")
    assert "arrows: points beyond the axis" in words(figure)


def test_a_structure_function_says_its_slope_and_an_autocorrelation_that_there_is_no_width():
    assert "slope" in words(example().plot("structure_function"))
    assert "no width: no peak above the noise" in words(example().plot("autocorrelation"))


def test_an_autocorrelation_of_few_lags_shows_all_of_them_and_says_how_many_there_are():
    figure = example().select_times(np.arange(6)).plot("autocorrelation", curves="I")
    assert "no width: 2 lags with data" in words(figure)
    for axes, number in zip(figure.axes[1:], (2, 4), strict=True):
        line, = (one for one in axes.lines if one.get_marker() == "o")
        x, y = line.get_data()
        low, high = axes.get_xlim()
        # All within the frame, and none on it.
        assert np.sum(np.isfinite(y) & (x > low) & (x < high)) == number == len(x)


def test_what_cannot_be_measured_is_refused_with_the_reason():
    few = example().select_times(np.arange(5))
    for plot, reason in (("periodogram", "too few"), ("folded", "give --period")):
        with pytest.raises(SettingsError, match=f"'{plot}' cannot be drawn: .*{reason}"):
            few.plot(plot)
    with pytest.raises(SettingsError, match="room for"):
        example().plot("folded", picture_height=0.5)
