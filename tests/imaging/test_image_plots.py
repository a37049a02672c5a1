"""Pictures of images say what they are of, in words and units that a reader needs no key for."""

import dataclasses

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.colors import to_rgba
from matplotlib.patches import Ellipse, Rectangle

from visds.core.flux_text import flux_text
from visds.core.sky import Direction
from visds.imaging.caption import content_text, duration_text, span_text
from visds.imaging.geometry import Geometry
from visds.imaging.image import Beam, Content, Image
from visds.imaging.plots import image_figure, light_curve_figure, light_curves, quick_look

CENTRE = Direction(24.75, -18.0)
START = 60431.5 + 10 / 86400
CONTENT = Content("detection001_difference", START, START + 90 / 86400, START + 45 / 86400, 88.972,
                  1.3e9, 1.5e9)
BEAM = Beam(6 / 3600, 4 / 3600, 30.0)


def picture(size=512, *, stokes="I", kind="dirty", noise=1e-3, meta=None, **peaks):
    """Return an image of noise with pixels of given flux densities, as xX_yY=Jy."""
    values = np.random.default_rng(3).normal(0, noise, (size, size)).astype(np.float32)
    for place, peak in peaks.items():
        x, y = (int(part[1:]) for part in place.split("_"))
        values[y, x] = peak
    return Image(values, Geometry(CENTRE, 1 / 3600, size), stokes, CONTENT, BEAM, None, kind=kind,
                 meta={"OBJECT": "UV Ceti"} | (meta or {}))


def panels(figure):
    """Return the panels with images, and their colour bars."""
    shown = [axes for axes in figure.axes if axes.images]
    return shown, [axes.images[0].colorbar for axes in shown]


def limits(axes):
    """Return the limits of the colours of a panel in its units."""
    return axes.images[0].get_clim()


def title(image, rms=1e-3, **options):
    return image_figure(image, CENTRE, rms, **options).get_suptitle()


def test_the_title_says_what_when_and_how():
    text = title(picture(kind="difference", stokes="V"))
    assert text.splitlines() == [
        "UV Ceti · detection 1: burst less the time around it · Stokes V · 1400 MHz (200 MHz wide) "
        "· difference of dirty images",
        "2024-05-01 12:00:10 to 12:01:40 UTC · exposure 89 s · rms without the source at the "
        "target 1 mJy/beam"]
    assert "· cleaned, sky model subtracted\n" in title(
        picture(kind="cleaned", meta={"SUBTRACT": "field.model.tt0"}))
    assert "· dirty\n" in title(picture(meta={"SUBTRACT": "none"}))


@pytest.mark.parametrize(("name", "text"), [
    ("all", "whole observation"), ("field", "whole observation"), ("scan00002", "scan 2"),
    ("scan00002_00000", "scan 2, part 1"), ("scan00012_00003_band001", "scan 12, part 4, band 2"),
    ("detection012_on", "detection 12: the burst"),
    ("detection012_off", "detection 12: the time around the burst"),
    ("detection001_difference", "detection 1: burst less the time around it")])
def test_names_of_images_are_told_in_words(name, text):
    assert content_text(name) == text


@pytest.mark.parametrize(("flux_density", "text"), [
    (29.9, "29.9 Jy"), (0.0042, "4.2 mJy"), (-0.5, "-500 mJy"), (3e-6, "3 uJy"),
    (2e-8, "0.02 uJy"), (0.99999, "1 Jy"), (0.0, "0 Jy")])
def test_flux_densities_are_written_in_the_unit_that_suits_them(flux_density, text):
    assert flux_text(flux_density) == text


@pytest.mark.parametrize(("seconds", "text"), [
    (0.25, "0.25 s"), (2.5, "2.5 s"), (88.972, "89 s"), (90 * 60, "90 min"), (750, "12.5 min"),
    (36000, "10 h")])
def test_durations_are_rounded(seconds, text):
    assert duration_text(seconds) == text


def test_times_have_the_date_of_their_day_and_digits_where_they_need_them():
    def span(start, seconds):
        return span_text(dataclasses.replace(CONTENT, start=start, stop=start + seconds / 86400))

    assert span(60431.5, 3600) == "2024-05-01 12:00:00 to 13:00:00 UTC"
    assert span(60431.99, 3600) == "2024-05-01 23:45:36 to 2024-05-02 00:45:36 UTC"
    assert span(60431.5, 0.5) == "2024-05-01 12:00:00.000 to 12:00:00.500 UTC"
    assert span(60431.5 - 1e-7, 60) == "2024-05-01 12:00:00 to 12:01:00 UTC"


@pytest.mark.parametrize(("noise", "peak", "unit"), [
    (1.0, 60.0, "Jy"), (1e-3, 0.06, "mJy"), (1e-6, 6e-5, "µJy")])
def test_units_follow_the_values(noise, peak, unit):
    figure = image_figure(picture(noise=noise, x256_y256=peak), CENTRE, noise)
    assert [bar.ax.get_ylabel() for bar in panels(figure)[1]] == [f"{unit}/beam"] * 2
    assert f"at the target 1 {unit}/beam" in figure.get_suptitle()
    near = panels(figure)[0][1]
    assert limits(near)[1] == pytest.approx(peak / noise)
    assert near.images[0].get_array().max() == pytest.approx(peak / noise)


def test_colours_end_at_the_brightest_and_say_where_something_is_brighter():
    (whole, _), (bar, _) = panels(image_figure(picture(x400_y400=0.008), CENTRE, 1e-3))
    assert limits(whole)[1] == pytest.approx(8)
    assert bar.extend == "neither"
    (whole, near), (bar, near_bar) = panels(image_figure(picture(x256_y256=5.0), CENTRE, 1e-3))
    assert limits(whole)[1] == pytest.approx(20, rel=0.02)
    assert bar.extend == "max"
    assert limits(near)[1] == pytest.approx(5)
    assert near_bar.extend == "neither"


@pytest.mark.parametrize("size", [1000, 1025, 1600])
def test_no_source_is_lost_in_an_image_that_is_drawn_smaller_than_it_is(size):
    places = (17, 700), (size - 1, size - 1), (800, 3)
    image = picture(size, **{f"x{x}_y{y}": -0.9 for x, y in places})
    axes = panels(image_figure(image, CENTRE, 1e-3))[0][0]
    drawn = axes.images[0].get_array()
    assert max(drawn.shape) <= 512
    assert np.sum(drawn < -800) == 3
    assert axes.get_xlabel().endswith("(arcmin)")
    left, right, bottom, top = 60 * np.array(axes.images[0].get_extent())
    for x, y in places:
        row, column = np.argwhere(drawn < -800)[
            np.argmin(np.abs(np.argwhere(drawn < -800) * size / len(drawn) - (y, x)).sum(axis=1))]
        east = left + (column + 0.5) / drawn.shape[1] * (right - left)
        north = bottom + (row + 0.5) / drawn.shape[0] * (top - bottom)
        assert east == pytest.approx(size / 2 - x, abs=2)
        assert north == pytest.approx(y - size / 2, abs=2)
    assert 60 * np.array(axes.get_xlim()) == pytest.approx((size / 2 + 0.5, -size / 2 + 0.5))
    assert "the strongest of" in axes.get_title()


@pytest.mark.parametrize(("image", "is_signed"), [
    (picture(x256_y256=0.05), False), (picture(x256_y256=-0.05), True),
    (picture(stokes="V", x256_y256=0.05), True),
    (picture(kind="difference", x256_y256=0.05), True)])
def test_what_may_be_negative_has_its_zero_in_the_middle_of_the_colours(image, is_signed):
    for axes in panels(image_figure(image, CENTRE, 1e-3))[0]:
        low, high = limits(axes)
        assert (axes.images[0].get_cmap().name == "RdBu_r") == is_signed
        assert (low == -high) == is_signed


def test_a_small_image_is_drawn_once_and_the_beam_in_each_panel():
    for size, number in ((512, 2), (64, 1), (128, 1)):
        shown, _ = panels(image_figure(picture(size), CENTRE, 1e-3))
        assert len(shown) == number
        for axes in shown:
            patch, beam = axes.patches
            assert isinstance(patch, Rectangle)
            assert patch.get_facecolor() == to_rgba("white")
            assert isinstance(beam, Ellipse)
            assert (beam.width, beam.height) == pytest.approx((4, 6))
            assert max(patch.get_width(), patch.get_height()) >= 6
            # East is left: the end that is north is left of the middle.
            left, right = axes.get_xlim()
            north = beam.get_transform().transform([(0, 1), (0, 0)])
            assert left > right
            assert north[0, 1] > north[1, 1] and north[0, 0] < north[1, 0]


def test_the_target_is_marked_where_it_is_and_not_where_it_is_not():
    star = Geometry(CENTRE, 1 / 3600, 512).direction(356, 206)  # 100 px west, 50 south
    shown, _ = panels(image_figure(picture(), star, 1e-3, mark="phase centre"))
    assert f"phase centre (strokes) at {star}" in shown[1].get_title()
    for axes in shown:
        ends = np.concatenate([line.get_xydata() for line in axes.lines])
        assert len(axes.lines) == 4
        assert ends.mean(axis=0) == pytest.approx((-100, -50), abs=0.01)
    shown, _ = panels(image_figure(picture(), Direction(30.0, 10.0), 1e-3))
    assert "is outside" in shown[1].get_title()
    assert not any(axes.lines for axes in shown)


def test_a_long_beam_does_not_hide_the_image():
    for beam in (Beam(400 / 3600, 5 / 3600, 20.0), Beam(0.6, 5 / 3600, 20.0)):
        image = picture(512).replace(beam=beam)
        for axes in panels(image_figure(image, CENTRE, 1e-3))[0]:
            patch, ellipse = axes.patches
            left, right = axes.get_xlim()
            assert patch.get_width() < 0.2 * (left - right)
            assert ellipse.get_clip_path() is not None or ellipse.clipbox is not None
            ends = np.concatenate([line.get_xydata() for line in axes.lines])
            assert np.ptp(ends[:, 0]) < 0.3 * (left - right)


@pytest.mark.parametrize(("cell", "unit"), [
    (1e-4, "mas"), (0.05, "arcsec"), (1.0, "arcsec"), (3.0, "arcmin"), (200.0, "deg")])
def test_angles_are_in_the_unit_that_suits_the_field(cell, unit):
    image = picture(512).replace(geometry=Geometry(CENTRE, cell / 3600, 512))
    (axes, *_), _ = panels(image_figure(image, CENTRE, 1e-3))
    assert axes.get_xlabel() == f"l to the east of the image's centre ({unit})"
    left, right = axes.get_xlim()
    assert 0.5 < left - right < 1200


def test_pictures_are_the_same_bytes_of_the_same_image():
    image = picture(64)
    first = quick_look(image, CENTRE, 1e-3)
    assert first.startswith(b"\x89PNG")
    assert quick_look(image, CENTRE, 1e-3) == first
    # Nothing in an image of zeros, or where nothing is known, keeps it from being drawn.
    assert quick_look(image.replace(values=np.zeros_like(image.values), beam=None), CENTRE,
                      float("nan"))


def curve(time, flux_density, error=1e-3):
    time = np.asarray(time, float)
    values = np.broadcast_to(flux_density, time.shape)
    errors = np.full(len(time), error)
    return Table({"time": time, "image": values, "image_error": errors,
                  "visibility": values, "visibility_error": errors})


def labels(axes):
    return [text.get_text() for text in axes.get_xticklabels()]


MINUTE = 1 / 1440


def test_light_curves_are_labelled_with_times_units_and_what_they_are():
    time = 60431.5 + np.arange(12) * MINUTE
    figure = light_curve_figure({"I": curve(time, 29.9), "V": curve(time, 0.004)},
                                title="UV Ceti, 1.4 GHz", apparent=True)
    assert figure.get_suptitle() == "UV Ceti, 1.4 GHz"
    stokes_i, stokes_v = figure.axes
    assert stokes_i.get_ylabel() == "Stokes I, apparent (Jy)"
    assert stokes_v.get_ylabel() == "Stokes V, apparent (mJy)"
    low, high = stokes_i.get_ylim()
    assert 29.89 < low < 29.9 < high < 29.91
    assert labels(stokes_v)[0] == "12:00:00"
    assert stokes_v.get_xlabel() == "Middle of the snapshot, UTC on 2024-05-01"
    assert [text.get_text() for text in stokes_i.get_legend().get_texts()] == [
        "from visibilities (error: scatter of the spectrum)",
                                         "from images (error: rms of the image)"]
    plain = light_curve_figure({"I": curve(time, 29.9)})
    assert plain.axes[0].get_ylabel() == "Stokes I (Jy)"
    assert light_curves({"I": curve(time[:1], 29.9)}).startswith(b"\x89PNG")


def test_points_of_both_kinds_are_at_the_same_place():
    time = 60431.5 + np.arange(5) * MINUTE
    axes = light_curve_figure({"I": curve(time, 1.0)}).axes[0]
    first, second = (container.lines[0].get_xdata() for container in axes.containers)
    assert np.array_equal(first, second)


def test_gaps_between_snapshots_are_shortened():
    # Three snapshots a scan, hours apart, the last scan on the next day.
    starts = [60431.5, 60431.7, 60432.1]
    time = np.concatenate([start + np.arange(3) * MINUTE for start in starts])
    axes = light_curve_figure({"I": curve(time, 1.0)}).axes[0]
    place = axes.containers[0].lines[0].get_xdata()
    assert np.diff(place) == pytest.approx([1, 1, 2, 1, 1, 2, 1, 1], rel=1e-3)
    dotted = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in dotted] == pytest.approx([3, 7], rel=1e-3)
    assert {"12:00:00\n2024-05-01", "16:48:00", "02:24:00\n2024-05-02"} <= set(labels(axes))
    assert axes.get_xlabel() == "Middle of the snapshot, UTC"
