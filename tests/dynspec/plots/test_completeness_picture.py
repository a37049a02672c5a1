"""The picture of completeness: fluences where they are, and every kind of mark explained."""

import numpy as np
import pytest
from astropy.table import Table, vstack
from matplotlib.markers import CARETDOWN, CARETUP

from visds.dynspec.plots.completeness import completeness_figure


def table(fluence, ratio=1.0):
    number = len(fluence)
    share = np.linspace(0, 1, number)
    return Table({
        "place": ["target"] * number, "duration": np.full(number, 20.0),
        "polarized": ["-80%"] * number, "searched": ["any"] * number, "fluence": fluence,
        "completeness": share, "completeness_low": share, "completeness_high": share,
        "fluence_ratio": np.full(number, ratio), "fluence_ratio_error": np.full(number, 0.1),
        "forced_ratio": np.ones(number), "forced_ratio_error": np.full(number, 0.1)})


@pytest.mark.parametrize(("fluence", "unit", "labels"), [
    ([0, 0.002, 0.005, 0.02], "mJy s", ["0", "2", "5", "10", "20"]),
    ([0.05, 1, 20], "Jy s", ["0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10", "20"]),
    ([0.0002, 1, 20], "mJy s", ["1", "10", "100", "1000", "10000"])])
def test_numbers_of_the_axis_are_fluences_in_its_unit_and_that_of_none_is_0(fluence, unit, labels):
    axes = completeness_figure(table(fluence)).axes[-1]
    assert unit in axes.get_xlabel()
    assert [label.get_text() for label in axes.get_xticklabels()] == labels
    size = 1e-3 if unit.startswith("m") else 1.0
    for tick, label in zip(axes.get_xticks(), labels, strict=True):
        assert tick == pytest.approx(float(label)) or (label == "0" and tick * size < fluence[1])


def test_filled_and_open_marks_and_arrows_are_explained():
    def words(figure):
        return [text.get_text() for legend in figure.legends for text in legend.get_texts()]

    usual = ["20 s, V/I −80%", "ratio, of those found", "of all, fitted where put in"]
    assert words(completeness_figure(table([1, 2]))) == usual
    beyond = completeness_figure(table([1, 2], ratio=7.0))
    assert words(beyond) == [*usual, "beyond the axis"]
    assert any(line.get_marker() == CARETUP for line in beyond.axes[1].lines)


def test_one_fluence_is_named_in_the_middle_and_two_polarizations_stand_beside_each_other():
    two = vstack([table([3.0]), table([3.0])])
    two["polarized"] = ["-80%", "+80%"]
    figure = completeness_figure(two)
    share, ratio = figure.axes
    assert [label.get_text() for label in ratio.get_xticklabels()] == ["3"]
    low, high = np.log(ratio.get_xlim())
    first, second = (np.log(share.containers[k].lines[0].get_xdata()[0]) for k in (0, 1))
    # At least the size of a mark apart, and both near the middle.
    per_point = (high - low) / (share.get_window_extent().width * 72 / figure.dpi)
    assert 3 * per_point < second - first < 0.05 * (high - low)
    assert (first + second) / 2 == pytest.approx((low + high) / 2) == pytest.approx(np.log(3))


def test_an_error_that_reaches_beyond_the_axis_ends_in_arrows_and_the_legend_is_within_the_frame():
    wide = table([1.0, 2.0])
    wide["fluence_ratio_error"] = [9.0, 0.1]
    figure = completeness_figure(wide)
    ends = [line for line in figure.axes[1].lines if line.get_marker() in (CARETUP, CARETDOWN)]
    assert [len(line.get_xdata()) for line in ends] == [1, 1]
    figure.draw_without_rendering()
    for legend in figure.legends:
        assert legend.get_window_extent().x1 < figure.bbox.x1
