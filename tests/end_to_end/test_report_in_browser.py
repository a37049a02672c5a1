"""The page in a browser: every control does what it says, and nothing is asked of the network."""

import io
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from report_pages import detection_table, match_table
from spectra import spectrum

from visds.core.flux_text import flux_with_error
from visds.dynspec.plots.colour import colour_map
from visds.dynspec.plots.quantity import quantity
from visds.dynspec.report import (
    ReportSpectrum,
    detection_pictures,
    overview_row,
    overview_table,
    write_report,
)
from visds.dynspec.universal_time import date_and_time
from visds.dynspec.variability.indices import statistics

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
T, F, GAP = 60, 16, 3600.0
SHORT = 0.025 * T * 10  # s: the gap as it is drawn


def observed(name="AD Leo", polarizations=("I", "Q", "U", "V")):
    """Return a burst in V and I, low in the first scan, and one in I, high in the second."""
    truth = np.zeros((T, F, len(polarizations)))
    truth[10:16, 2:6, 0] = 1.0
    truth[10:16, 2:6, -1] = -0.9
    truth[50:54, 12:15, 0] = 1.5
    data = spectrum(truth, scans=(3, 5), gap=GAP, seed=2, start_mjd=59000.98, sigma=0.05,
                    first_frequency=1.0e9, channel_width=4e6, baselines=12,
                    polarizations=polarizations, meta={"target": name})
    flagged = np.zeros((T, F), bool)
    flagged[20:24, 8:12] = True
    return data.flag_cells(flagged)


@pytest.fixture(scope="module")
def data():
    return observed()


@pytest.fixture(scope="module")
def file(data, tmp_path_factory):
    """Return a page of two directions with spectra and one without."""
    folder = tmp_path_factory.mktemp("page")
    other = observed("Wolf 359", ("I", "V"))
    detections = detection_table(data, [(10, 16, 2, 6, "-V", 40.0), (50, 54, 12, 15, "I", 30.0)])
    picture = folder / "detection001_difference_V.png"
    data.plot("V", picture_width=4, picture_height=2.2).savefig(picture)
    pictures = {"Detection 1, Stokes V": picture}
    spectra = [ReportSpectrum.of(data, detections=detections, matches=match_table(["AD Leo 1"]),
                                 pictures=detection_pictures(pictures)),
               ReportSpectrum.of(other, detections=detections[:0])]
    rows = [overview_row(name, ra=83.0, dec=-5.0, variability=statistics(data.light_curve()),
                         detections=detections[:number])
            for name, number in (("AD Leo", 2), ("Wolf 359", 0), ("GJ 1151", 0))]
    write_report(folder / "report.html", title="AD Leo", summary={"Command": "visds-run obs.ms"},
                 pictures=pictures, spectra=spectra, overview=overview_table(rows))
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with playwright.sync_playwright() as started:
        home = tmp_path_factory.mktemp("browser")
        context = started.chromium.launch_persistent_context(
            home / "profile", executable_path=CHROMIUM, headless=True, args=FLAGS,
            viewport={"width": 1200, "height": 1000},
            env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home),
                 "XDG_CACHE_HOME": str(home)})
        yield context
        context.close()


@pytest.fixture
def page(browser, file):
    """Yield the page, opened; in the end it has said nothing and asked for nothing but itself."""
    said, asked = [], []
    opened = browser.new_page()
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(file.as_uri())
    yield opened
    opened.close()
    assert not said
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]


def shown(page):
    return page.locator("#shown").text_content()


def press(page, *keys):
    page.locator("#plots").focus()
    for key in keys:
        page.keyboard.press(key)


def do(page, name):
    page.locator(f"[data-do={name}]").click()


def place(page, t, f, plot="#spectrum-plot"):
    """Return where on the screen the middle of a cell is while all is shown and gaps are short."""
    box = page.locator(f"{plot} .u-over").bounding_box()
    along = (t + 0.5) * 10 + (SHORT if t >= T // 2 else 0)
    x = box["x"] + box["width"] * along / (T * 10 + SHORT)
    return x, box["y"] + box["height"] * (1 - (f + 0.5) / F)


def read(page, t, f, plot="#spectrum-plot"):
    page.locator("#explorer").evaluate("e => e.scrollIntoView()")
    page.mouse.move(*place(page, t, f, plot))
    return page.locator("#readout").text_content()


def colour(page, t, f):
    """Return the red, green and blue in the middle of a cell."""
    x, y = place(page, t, f)
    picture = page.screenshot(clip={"x": round(x), "y": round(y), "width": 1, "height": 1})
    return np.round(255 * imread(io.BytesIO(picture))[0, 0, :3]).astype(int).tolist()


def number(value, error):
    return flux_with_error(value, error).replace("+-", "±").replace("-", "−").replace("uJy", "µJy")


def test_a_cell_is_read_with_its_time_frequency_flux_density_error_and_scan(page, data):
    page.locator("[data-stokes=V]").click()
    for t, f in ((12, 3), (40, 14)):
        value, error = data.values("V")[t, f], data.errors("V")[t, f]
        words = read(page, t, f).split(" · ")
        assert words[0] == date_and_time(data.time[t]).replace("T", " ")[:19] + " UTC"
        assert words[1] == f"{data.frequency[f] / 1e6:.1f} MHz"
        assert words[2] == f"V = {number(value, error)}"
        assert words[3] == f"S/N {value / error:.1f}".replace("-", "−")
        assert words[4] == f"scan {data.scan[t]}"
    assert "flagged" in read(page, 21, 9)
    page.mouse.move(*(sum(pair) / 2 for pair in zip(place(page, 29, 1), place(page, 30, 1),
                                                    strict=True)))
    assert page.locator("#readout").text_content() == "no data here"


def test_colours_are_those_of_the_cells_where_they_are_and_flagged_ones_are_grey(page, data):
    for label in "IV":
        page.locator(f"[data-stokes={label}]").click()
        low, high = ReportSpectrum.of(data).limits[label]
        table = colour_map(quantity(label), None)
        for t, f in ((12, 4), (12, 10), (52, 13), (40, 1)):
            expected = table((data.values(label)[t, f] - low) / (high - low), bytes=True)
            assert colour(page, t, f) == pytest.approx(list(map(int, expected[:3])), abs=4)
        assert colour(page, 22, 10) == [0x8c, 0x8c, 0x8c]


def test_the_scale_of_v_is_symmetrical_and_colours_can_be_stronger_and_fainter(page):
    page.locator("[data-stokes=V]").click()

    def limits():
        said = page.locator("#colour-bar").get_attribute("aria-label").replace("−", "-")
        unit = {"Jy": 1.0, "mJy": 1e-3}[said.split()[-1]]
        return [float(text) * unit for text in re.findall(r"-?[\d.]+", said)]

    first = limits()
    assert first[0] == -first[1]
    do(page, "stronger")
    assert limits()[1] == pytest.approx(first[1] / 1.5, rel=0.01)
    do(page, "fainter")
    press(page, ",")
    assert limits()[1] == pytest.approx(first[1] * 1.5, rel=0.01)
    press(page, ".", ".")
    assert limits()[0] == pytest.approx(first[0] / 1.5, rel=0.01)


def test_the_light_curve_is_that_of_the_spectrum_and_follows_the_band(page, data):
    for keys, band in (((), None), (("]", "ArrowDown"), ("1006MHz", "1038MHz"))):
        press(page, *keys)
        curve = data.light_curve(band=band)
        for t in (12, 40):
            expected = number(curve.flux_density[t, 0], curve.sigma[t, 0])
            assert f"I = {expected}" in read(page, t, 1, "#curve-plot")
    assert "light curve of 8 channels from 1006.0 MHz to 1038.0 MHz" in shown(page)


def test_time_and_band_are_moved_by_buttons_and_by_keys_alike(page):
    whole = shown(page)
    for buttons, keys in (
            (("time-in", "later"), ("+", "ArrowRight")), (("earlier",), ("ArrowLeft",)),
            (("time-out",), ("-",)), (("band-in", "higher"), ("]", "ArrowUp")),
            (("lower",), ("ArrowDown",)), (("band-out",), ("[",))):
        do(page, "all")
        do(page, "time-in")
        do(page, "band-in")
        before = shown(page)
        for name in buttons:
            do(page, name)
        by_buttons = shown(page)
        do(page, "all")
        do(page, "time-in")
        press(page, "]", *keys)
        assert shown(page) == by_buttons != before
    press(page, "0")
    assert shown(page) == whole
    press(page, "ArrowLeft", "ArrowUp", "-")
    assert shown(page) == whole  # there is nothing beyond


def test_half_the_time_is_half_of_what_was_observed(page, data):
    page.mouse.move(0, 0)
    do(page, "time-in")
    do(page, "earlier")
    do(page, "earlier")
    first = date_and_time(data.time[0] - 5 / 86400).replace("T", " ")[:19]
    assert f"{first} to" in shown(page)
    last = np.datetime64(first) + np.timedelta64(round(1000 * (T * 10 + SHORT) / 2), "ms")
    until = re.search(r"to ([\d-]+ [\d:]+) UTC", shown(page))[1]
    # The middle is in the shortened gap.
    assert abs((np.datetime64(until) - last) / np.timedelta64(1, "s")) < GAP


def drag(page, start, stop, *, modifier=None):
    if modifier:
        page.keyboard.down(modifier)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2)
    page.mouse.move(*stop)
    page.mouse.up()
    if modifier:
        page.keyboard.up(modifier)


def written(page, *keys):
    """Return what is written on the canvases of spectrum and light curve after some keys.

    A list for each of (text, its left and its right end in pixels, whether it is turned).
    """
    page.evaluate("""() => {
      const draw = CanvasRenderingContext2D.prototype.fillText;
      window.writtenTexts = [];
      CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        const {e, b} = this.getTransform();
        const {actualBoundingBoxLeft: left, actualBoundingBoxRight: right,
               actualBoundingBoxAscent: up, actualBoundingBoxDescent: low} = this.measureText(text);
        const ends = b ? [e - up, e + low] : [x - left, x + right];
        window.writtenTexts.push([this.canvas, text, ends, b !== 0]);
        draw.apply(this, arguments);
      };
      window.stopWriting = () => { CanvasRenderingContext2D.prototype.fillText = draw; };
    }""")
    press(page, *keys)
    found = page.evaluate("""() => {
      window.stopWriting();
      return ["spectrum-plot", "curve-plot"].map(id => {
        const canvas = document.querySelector(`#${id} canvas`);
        // Where it was drawn last.
        return [...new Map(window.writtenTexts.filter(([on, text]) => on === canvas && text)
          .map(([, text, ...rest]) => [text, [text, ...rest]])).values()];
      });
    }""")
    return [[(text, *ends, is_turned) for text, ends, is_turned in texts] for texts in found]


@pytest.mark.parametrize("zooms", [1, 7])
def test_numbers_beside_an_axis_do_not_touch_its_name(page, zooms):
    for texts in written(page, *"]" * zooms):
        (end,) = [right for _, _, right, is_turned in texts if is_turned]
        numbers = [left for text, left, *_ in texts if re.fullmatch(r"−?\d+(\.\d+)?", text)]
        assert len(numbers) > 1
        assert min(numbers) > end


def test_the_last_tick_of_time_has_its_whole_label(page):
    _, texts = written(page, "+", "ArrowRight", "ArrowRight", "ArrowRight")
    assert "to 2020-06-01 00:41:07 UTC" in shown(page)
    (end,) = [right for text, _, right, _ in texts if text == "00:41:00"]
    assert end < page.evaluate("() => document.querySelector('#curve-plot canvas').width")


def test_dragging_zooms_to_a_box_pans_when_asked_and_a_double_click_shows_all(page, data):
    page.locator("#explorer").evaluate("e => e.scrollIntoView()")
    whole = shown(page)
    drag(page, place(page, 5, 9.5), place(page, 25, 1.5))
    assert "light curve of 8 channels from 1006.0 MHz to 1038.0 MHz" in shown(page)
    from_, to = (np.datetime64(text.replace(" ", "T")) for text in
                 re.search(r", ([\d-]+ [\d:]+) to ([\d-]+ [\d:]+) UTC", shown(page)).groups())
    expected = [np.datetime64(date_and_time(data.time[t])) for t in (5, 25)]
    assert np.all(np.abs(np.array([from_, to]) - expected) <= np.timedelta64(3, "s"))
    box = page.locator("#spectrum-plot .u-over").bounding_box()
    page.mouse.dblclick(box["x"] + 5, box["y"] + 5)
    assert shown(page) == whole
    drag(page, place(page, 5, 8), place(page, 25, 8), modifier="Shift")
    assert shown(page) == whole  # all is shown: there is nowhere to pan
    do(page, "time-in")
    before = shown(page)
    do(page, "drag-pan")
    drag(page, place(page, 30, 8), place(page, 20, 8))
    later = shown(page)
    assert later != before
    press(page, "d")
    assert page.locator("[data-do=drag-zoom]").get_attribute("aria-pressed") == "true"
    drag(page, place(page, 20, 8), place(page, 30, 8), modifier="Shift")
    assert shown(page) == before
    do(page, "drag-pan")
    do(page, "drag-zoom")
    drag(page, place(page, 20, 1, "#curve-plot"), place(page, 30, 1, "#curve-plot"))
    assert shown(page) not in (before, later)


def test_the_wheel_scrolls_the_page_until_the_spectrum_was_clicked(page):
    whole = shown(page)
    page.mouse.move(*place(page, 5, 14))
    page.mouse.wheel(0, 30)
    page.wait_for_timeout(100)
    assert shown(page) == whole
    page.mouse.click(*place(page, 5, 14))
    page.mouse.wheel(0, -100)
    page.wait_for_function("text => document.getElementById('shown').textContent !== text",
                           arg=whole)
    assert "16 channels" in shown(page)
    page.keyboard.down("Shift")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Shift")
    page.wait_for_function("() => !/16 channels/.test("
                           "document.getElementById('shown').textContent)")


def test_gaps_are_shortened_or_to_scale(page):
    shortened = read(page, 52, 13)
    for step in (lambda: do(page, "gaps"), lambda: press(page, "g")):
        whole = shown(page)
        step()
        assert shown(page) == whole
        page.mouse.move(0, 0)
        is_short = page.locator("[data-do=gaps]").get_attribute("aria-pressed") == "true"
        assert (read(page, 52, 13) == shortened) == is_short


def test_stokes_parameters_are_picked_by_button_and_key(page):
    for label in "QUVI":
        press(page, "s")
        assert shown(page).startswith(f"Stokes {label},")
    for label in "IQUV":
        button = page.locator(f"[data-stokes={label}]")
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        assert shown(page).startswith(f"Stokes {label},")


def test_targets_are_picked_by_list_key_and_overview(page):
    name = page.locator("#target-name")
    assert name.text_content() == "of AD Leo"
    page.locator("#pick-target").select_option("1")
    assert name.text_content() == "of Wolf 359"
    assert not page.locator("[data-stokes=Q]").is_visible()
    assert "No events" in page.locator("#events").text_content()
    press(page, "n", "p", "z", "Escape")
    press(page, "t")
    assert name.text_content() == "of AD Leo"
    page.locator("[data-show='Wolf 359']").click()
    assert name.text_content() == "of Wolf 359"
    assert page.locator("tr.chosen").text_content().startswith("Wolf 359")
    assert "--target 'GJ 1151'" in page.locator("[data-direction='GJ 1151']").text_content()


def test_an_event_is_chosen_in_the_spectrum_the_curve_the_list_and_by_keys(page):
    panel = page.locator("#event h3")
    page.locator("#explorer").evaluate("e => e.scrollIntoView()")
    page.mouse.click(*place(page, 12, 4))
    assert panel.text_content() == "Event 1: AD Leo 1"
    assert shown(page).startswith("Stokes V,")  # in which it was found
    page.locator("#event").get_by_text("Close").click()
    assert not page.locator("#event").is_visible()
    page.locator("#explorer").evaluate("e => e.scrollIntoView()")
    page.mouse.click(*place(page, 52, 1, "#curve-plot"))
    assert panel.text_content() == "Event 2: AD Leo 2"
    page.locator("tr[data-event='1'] td").nth(2).click()
    assert panel.text_content() == "Event 1: AD Leo 1"
    page.locator("tr[data-event='2'] button").click()
    assert panel.text_content() == "Event 2: AD Leo 2"
    press(page, "n")
    assert panel.text_content() == "Event 1: AD Leo 1"
    press(page, "p")
    assert panel.text_content() == "Event 2: AD Leo 2"
    page.locator("#event").get_by_text("Previous").click()
    page.locator("#event").get_by_text("Next").click()
    assert panel.text_content() == "Event 2: AD Leo 2"
    press(page, "z")
    zoomed = shown(page)
    assert "1044.0 MHz" not in zoomed.split("curve")[0] and "16 channels" not in zoomed
    press(page, "0")
    page.locator("#event").get_by_text("Zoom to it").click()
    assert shown(page) == zoomed
    press(page, "Escape")
    assert not page.locator("#event").is_visible()


def test_an_event_out_of_sight_is_brought_into_it(page):
    press(page, "+", "+", "+")
    for _ in range(8):
        press(page, "ArrowRight")
    away = shown(page)
    press(page, "n")
    assert page.locator("#event h3").text_content() == "Event 1: AD Leo 1"
    assert shown(page).split("UTC")[0] != away.split("UTC")[0]


def test_an_event_has_its_polarization_numbers_images_and_matches(page):
    press(page, "n")
    panel = page.locator("#event")
    assert panel.locator("#event-curves canvas").count() == 1
    assert [one.strip() for one in panel.locator(".u-legend th").all_text_contents() if one] == [
        f"Stokes {label}" for label in "IQUV"]
    numbers = dict(zip(panel.locator("dt").all_text_contents(),
                       panel.locator("dd").all_text_contents(), strict=True))
    assert numbers["fraction V"] == "−0.750 ± 0.030" and numbers["snr"] == "40"
    image = panel.locator("figure img")
    assert image.evaluate("image => image.complete && image.naturalWidth") > 100
    assert image.get_attribute("alt") == "Detection 1, Stokes V"
    assert "source of AD Leo 1" in panel.locator(".wide table").text_content()
    press(page, "n")
    assert "No images" in panel.text_content() and "No source" in panel.text_content()


def test_positions_are_copied_with_or_without_the_clipboard(page, browser):
    browser.grant_permissions(["clipboard-read", "clipboard-write"])
    press(page, "n")
    button = page.locator("#event .position button").first
    button.click()
    page.wait_for_function("() => document.getElementById('copied').textContent")
    assert page.evaluate("() => navigator.clipboard.readText()") == "05:32:00.000 -05:00:00.000"
    page.evaluate("""() => Object.defineProperty(navigator, "clipboard", {value: {
      writeText: () => Promise.reject(new Error("not allowed"))}})""")
    page.locator("#event .position button").nth(1).click()
    page.wait_for_function("() => /83.0/.test(document.getElementById('copied').textContent)")
    assert page.evaluate("() => getSelection().toString()") == "83.0000000 -5.0000000"
    page.locator("#target-position button").first.click()
    page.locator("[data-direction='GJ 1151'] .command button").click()
    page.wait_for_function("() => /visds-plot/.test("
                           "document.getElementById('copied').textContent)")


def test_every_control_and_every_key_of_the_page_is_used_here(page):
    text = Path(__file__).read_text()
    press(page, "n")
    for name in page.locator("[data-do]").evaluate_all("all => all.map(e => e.dataset.do)"):
        assert re.search(rf'(do\(page, |\(|, )"{name}"|data-do={name}\b', text), name
    for words in page.locator("#keys kbd").all_text_contents():
        for key in words.split():
            key = {"←": "ArrowLeft", "→": "ArrowRight", "↑": "ArrowUp", "↓": "ArrowDown",
                   "−": "-"}.get(key, key)
            assert f'"{key}"' in text, key


def test_controls_are_reached_by_tab_and_have_names(page):
    names = page.locator("#explorer button:visible").evaluate_all(
        "all => all.map(e => e.getAttribute('aria-label') || e.textContent)")
    assert len(names) > 15 and all(name.strip() for name in names)
    page.locator("#pick-target").focus()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.id") == "plots":
            break
    assert page.evaluate("() => document.activeElement.id") == "plots"
    whole = shown(page)
    page.keyboard.press("+")
    assert shown(page) != whole


def test_keys_are_left_to_the_list_of_targets_and_to_the_browser(page):
    whole = shown(page)
    page.locator("#pick-target").focus()
    page.keyboard.press("s")
    press(page, "Control+0")
    page.locator("h1").click()
    page.keyboard.press("s")
    assert shown(page) == whole


def test_the_plots_follow_the_width_of_the_window(page, data):
    page.set_viewport_size({"width": 700, "height": 900})
    page.wait_for_timeout(300)
    box = page.locator("#spectrum-plot .u-over").bounding_box()
    assert 400 < box["width"] < 600
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 700
    value, error = data.values("I")[12, 3], data.errors("I")[12, 3]
    assert number(value, error) in read(page, 12, 3)


def test_the_page_can_be_printed(page):
    page.emulate_media(media="print")
    assert not page.locator(".controls").is_visible()
    assert page.locator("#spectrum-plot canvas").is_visible()
    page.emulate_media(media="screen")
