"""The picture of flag statistics shows every reason that occurs, and all of it in its frame."""

import numpy as np
import pytest
from ground import quiet_scan

from visds.core.errors import SettingsError
from visds.core.flags import Flag
from visds.dynspec.flagging.counts import add_counts, count_flags
from visds.dynspec.plots.figure import picture_style
from visds.dynspec.plots.flag_statistics import flag_figure
from visds.dynspec.plots.settings import plot_settings


@pytest.fixture(scope="module")
def counts():
    parts = []
    for scan in (1, 2):
        made = quiet_scan(T=6, A=5, F=8)
        made = made.replace(time=made.time + 0.02 * scan, scan=scan)
        made.flags[2] |= np.uint8(Flag.MEASUREMENT_SET)
        made.flags[:, :, 5] |= np.uint8(Flag.RFI)
        parts.append(count_flags(made))
    return add_counts(parts)


@pytest.mark.parametrize("width", ["single", "double"])
def test_reasons_are_drawn_as_counted_and_nothing_is_cut_off(counts, width):
    settings = plot_settings(picture_width=width)
    names = {0: "ea01", 1: "ea02", 2: "ea03", 3: "ea04", 4: "ea05"}
    with picture_style(settings.points):
        figure = flag_figure(counts, settings, title="a star", antenna_names=names)
        figure.draw_without_rendering()
        channels = figure.axes[1]
        lines = {line.get_label(): line.get_ydata() for line in channels.lines}
        assert set(lines) == {"measurement set", "RFI", "any reason"}
        assert lines["RFI"][15:18].tolist() == [100] * 3
        assert lines["measurement set"][:3].tolist() == pytest.approx([100 / 6] * 3)
        box, (inches, high) = figure.get_tightbbox(), figure.get_size_inches()
        assert min(box.x0, box.y0) > 0 and box.x1 < inches and box.y1 < high
        assert figure.axes[2].get_xticklabels()[0].get_text() == "ea01"


def test_a_gap_between_scans_interrupts_the_lines(counts):
    figure = flag_figure(counts, plot_settings())
    line = figure.axes[0].lines[0].get_ydata()
    assert np.flatnonzero(np.isnan(line)).tolist() == [3 * 6 - 1]


def test_where_nothing_is_flagged_the_picture_says_so_and_is_whole():
    settings = plot_settings()
    with picture_style(settings.points):
        figure = flag_figure(count_flags(quiet_scan(T=6, A=5, F=8)), settings, title="a star")
        figure.draw_without_rendering()
    times, bar = figure.axes[0], figure.axes[-1]
    assert "nothing is flagged" in [text.get_text() for text in times.texts]
    assert figure.get_tightbbox().x0 > 0
    # The line of zero is above the frame, and no scale makes much of it.
    assert times.get_ylim()[0] < 0 and times.get_ylim()[1] > 100 and bar.get_ylim() == (0, 100)


def test_no_visibility_is_an_error(counts):
    nothing = counts.replace(by_time=counts.by_time * 0)
    with pytest.raises(SettingsError, match="no visibility"):
        flag_figure(nothing, plot_settings())
