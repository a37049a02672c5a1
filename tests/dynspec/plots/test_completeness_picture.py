"""The picture of completeness: fluences where they are, and every kind of mark explained."""

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.markers import CARETUP

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

    usual = ["20 s, V/I −80%", "ratio: mean of the flares found", "of all, fitted where put in"]
    assert words(completeness_figure(table([1, 2]))) == usual
    beyond = completeness_figure(table([1, 2], ratio=7.0))
    assert words(beyond) == [*usual, "beyond the axis"]
    assert any(line.get_marker() == CARETUP for line in beyond.axes[1].lines)
