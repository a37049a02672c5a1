"""What a page holds of a spectrum: numbers that are those of the products, in few bytes."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest
from astropy.table import Table
from report_pages import detection_table, match_table
from spectra import spectrum

from visds.dynspec.report import (
    ReportSpectrum,
    detection_pictures,
    overview_row,
    overview_table,
    quantised,
    write_report,
)
from visds.dynspec.report.scripts import explorer
from visds.dynspec.variability.indices import statistics

EVIL = "</script><script>alert('x')</script><!--\"&"


def decoded_linear(entry):
    data = base64.b64decode(entry["data"])
    if not entry["step"]:
        return np.frombuffer(data, "<f4")
    codes = np.frombuffer(data, "<i2").astype(float)
    return np.where(codes == -32768, np.nan, entry["middle"] + entry["step"] * codes)


def decoded_positive(entry):
    codes = np.frombuffer(base64.b64decode(entry["data"]), "<u2").astype(float)
    return np.where(codes == 0, np.nan, entry["least"] * np.exp(entry["step"] * (codes - 1)))


def cells(data, place):
    """Return flux density, error and weight (T,F) of the polarization at a place."""
    weight = data["weight"][place]
    weight = data["weight"][weight] if isinstance(weight, int) else weight
    return (one.reshape(len(data["start"]), -1) for one in (
        decoded_linear(data["flux"][place]), decoded_positive(data["sigma"][place]),
        decoded_positive(weight)))


def observed(**changes):
    truth = np.zeros((60, 16, 4))
    truth[20:30, 4:8, 0] = 2.0
    truth[20:30, 4:8, 3] = -1.5
    data = spectrum(truth, scans=(3, 5), seed=1, **changes)
    flagged = np.zeros((60, 16), bool)
    flagged[40:45, 2] = True
    return data.flag_cells(flagged)


@pytest.mark.parametrize(("largest", "size"), [(100.0, 2), (1e6, 4)])
def test_values_keep_a_hundredth_of_the_noise_even_beside_a_huge_one(largest, size):
    values = np.array([largest, -1.0, 0.5, 0.001, np.nan, -2.0])
    entry = quantised.linear(values, 1.0)
    got = decoded_linear(entry)
    assert len(base64.b64decode(entry["data"])) == size * len(values)
    assert np.isnan(got[4]) and np.nanmax(np.abs(got - values)) < 0.005


def test_a_bright_constant_source_keeps_its_noise():
    values = 30 + 0.001 * np.random.default_rng(1).standard_normal(1000)
    entry = quantised.linear(values, 0.001)
    assert np.abs(decoded_linear(entry) - values).max() < 1e-6 and entry["step"] > 0


def test_positive_numbers_keep_four_digits_over_six_powers_of_ten():
    values = np.append(np.geomspace(1e-3, 1e3, 999), [0.0, np.nan])
    got = decoded_positive(quantised.positive(values))
    assert got[:999] == pytest.approx(values[:999], rel=2e-4) and np.isnan(got[999:]).all()


@pytest.mark.parametrize("values", [np.full(3, np.nan), np.zeros(3), np.full(3, 2.0)])
def test_what_is_all_alike_or_missing_comes_back(values):
    assert decoded_linear(quantised.linear(values, 0.0)) == pytest.approx(values, nan_ok=True)
    positive = np.where(values > 0, values, np.nan)
    assert decoded_positive(quantised.positive(values)) == pytest.approx(positive, nan_ok=True)


def test_the_cells_of_the_page_are_those_of_the_spectrum():
    data = observed()
    page = json.loads(ReportSpectrum.of(data).to_json(str))
    assert page["polarizations"] == ["I", "Q", "U", "V"] and page["weight"][3] == 0
    for place in range(4):
        flux, sigma, weight = cells(page, place)
        assert np.isnan(flux[40:45, 2]).all() and np.isnan(weight[40:45, 2]).all()
        good = np.isfinite(data.flux_density[..., place])
        assert (np.isfinite(flux) == good).all()
        assert np.abs(flux - data.flux_density[..., place])[good].max() < 0.01 * 0.1
        assert sigma[good] == pytest.approx(data.sigma[..., place][good], rel=1e-3)
    half = data.integration / 2
    assert page["start"] == pytest.approx((data.time - page["day"]) * 86400 - half, abs=1e-4)
    assert page["scan"] == data.scan.tolist() and len(page["runs"]) == 2
    assert page["low"] == pytest.approx(data.frequency - 0.5e6)


def test_weighted_means_of_the_pages_cells_are_the_light_curve():
    data = observed(hand_ratio=1.5)
    curve = data.light_curve(band=("552MHz", "560MHz"))
    page = json.loads(ReportSpectrum.of(data).to_json(str))
    inside = (data.frequency >= 552e6) & (data.frequency <= 560e6)
    for place in (0, 3):
        flux, sigma, weight = (values[:, inside] for values in cells(page, place))
        mean = np.nansum(weight * flux, 1) / np.nansum(weight, 1)
        error = np.sqrt(np.nansum((weight * sigma) ** 2, 1)) / np.nansum(weight, 1)
        assert np.abs(mean - curve.flux_density[:, place]).max() < 0.01 * error.min()
        assert error == pytest.approx(curve.sigma[:, place], rel=2e-3)


def test_a_large_spectrum_is_binned_within_scans_and_the_page_says_so():
    truth = np.zeros((600, 40, 2))
    truth[..., 0] = np.linspace(1, 2, 600)[:, None]
    data = spectrum(truth, scans=(1, 2, 4), polarizations=("I", "V"), baselines=2, sigma=0.01)
    page = ReportSpectrum.of(data, most_cells=6000)
    T, F, P = page.flux_density.shape
    assert 3000 < T * F * P <= 6000 and set(page.scan) == {1, 2, 4} and P == 2
    assert len(page.runs) == 3
    assert "dynspec.h5 has all 600 by 40" in page.note
    total = np.nansum(page.weight * page.flux_density, (0, 1)) / np.nansum(page.weight, (0, 1))
    assert total == pytest.approx(data.sum_wv.sum((0, 1)).real / data.sum_w.sum((0, 1)))
    assert not ReportSpectrum.of(data).note


def test_scans_of_one_integration_are_never_summed():
    data = spectrum(np.zeros((30, 4, 2)), scans=tuple(range(30)), polarizations=("I", "V"))
    assert ReportSpectrum.of(data, most_cells=10).flux_density.shape == (30, 1, 2)


def test_a_target_of_1200_integrations_and_128_channels_takes_two_megabytes(tmp_path):
    data = spectrum(np.zeros((1200, 128, 2)), polarizations=("I", "V"), baselines=2)
    write_report(tmp_path / "report.html", title="x", summary={}, spectra=[ReportSpectrum.of(data)])
    assert (tmp_path / "report.html").stat().st_size < 2.4e6
    assert not ReportSpectrum.of(data).note


def test_colours_of_signed_stokes_parameters_have_zero_in_the_middle():
    limits = ReportSpectrum.of(observed()).limits
    assert all(limits[name][0] == -limits[name][1] < 0 for name in "QUV")
    assert limits["I"][1] > 1


def events_of(data, boxes=((20, 30, 4, 8, "-V", 21.0),), **given):
    return ReportSpectrum.of(data, detections=detection_table(data, boxes), **given).events


def test_an_event_has_its_box_numbers_with_errors_and_what_they_mean():
    data = observed()
    event, = events_of(data)
    assert (event.number, event.stokes, event.sign) == (1, "V", -1)
    assert event.start == pytest.approx(data.time[20] - 5 / 86400)
    assert (event.low, event.high) == (553.5e6, 557.5e6)
    shown = {name: (value, meaning) for lines in event.numbers.values()
             for name, value, meaning in lines}
    assert shown["fraction_V"][0] == "−0.750 ± 0.030"
    assert "NaN where I < 5 sigma" in shown["fraction_V"][1]
    assert shown["peak_flux_density"][0] == "−1.500 ± 0.012 Jy"
    assert shown["start"][0].startswith("2020-05-31 00:03:")
    assert shown["band_low"][0] == "553.5 MHz" and shown["scan"][0] == "3"
    assert shown["image_snr"][0] == shown["antenna"][0] == shown["rfi_band"][0] == "–"
    assert shown["rise_time"][0] == "< 12 s" and shown["decay_time"][0] == "30.0 ± 4.0 s"
    assert (shown["veto_edge"][0], shown["veto_antenna"][0]) == ("yes", "no")
    assert event.summary["vetoes"] == "edge" and "Further" not in event.numbers
    assert event.position["text"] == "05:32:00.000 -05:00:00.000"
    assert event.position["degrees"] == "83.0000000 -5.0000000"
    assert "0.31″" in event.position["error"] and "assumed" in event.position["how"]


def test_the_fluence_of_an_event_over_dead_time_says_how_much_of_it_was_observed():
    data = observed(gap=300.0)  # scans of 30 integrations of 10 s
    flagged = np.zeros((60, 16), bool)
    flagged[34:36] = True
    data = data.flag_cells(flagged)

    def fluence(first, last):
        event, = events_of(data, [(first, last, 4, 8, "-V", 21.0)])
        return {name: value for lines in event.numbers.values() for name, value, _ in lines}[
            "fluence"]

    assert fluence(25, 40).endswith("of the 130 s of 450 s that were observed")
    assert fluence(32, 38).endswith("of the 40 s of 60 s that were observed")
    assert "observed" not in fluence(20, 30)


def test_a_position_of_an_unknown_error_says_so():
    data = observed()
    table = detection_table(data, [(20, 30, 4, 8, "-V", 21.0)])
    table["ra_error"] = table["dec_error"] = np.nan
    event, = ReportSpectrum.of(data, detections=table).events
    assert event.position["error"] == "(error not known)"


def test_an_errors_unit_is_never_put_on_a_number_of_another():
    # ra is in degrees and ra_error in arcsec.
    event, = events_of(observed())
    assert not {"ra", "dec"} & {name for lines in event.numbers.values() for name, _, _ in lines}


def test_an_event_has_the_matches_of_its_name_and_the_pictures_of_its_number(tmp_path):
    data = observed()
    name = detection_table(data, [(20, 30, 4, 8, "-V", 21.0)])["name"][0]
    given = {"Detection 1": tmp_path / "detection001_difference_V.png",
             "Detection 12": tmp_path / "detection012_difference_V.png",
             "field": tmp_path / "field_I.png"}
    pictures = detection_pictures(given)
    assert set(pictures) == {1, 12}
    event, = events_of(data, matches=match_table([name, "another"]), pictures=pictures)
    assert [match["name"] for match in event.matches] == [f"source of {name}"]
    assert event.matches[0]["separation"] == "1.234″"
    assert list(event.pictures) == ["Detection 1"]
    event, = events_of(data, pictures=pictures, numbers=[12])
    assert event.number == 12 and list(event.pictures) == ["Detection 12"]


def overview(names=("quiet", "flaring", EVIL)):
    data = observed()
    table = detection_table(data, [(20, 30, 4, 8, "-V", 21.0)])
    variability = statistics(data.light_curve())
    rows = [overview_row(name, ra=83.0, dec=-5.0, variability=variability,
                         detections=table if name == "flaring" else table[:0]) for name in names]
    rows[0]["eta"] = 1.0
    return overview_table(rows)


def test_directions_are_sorted_by_their_strongest_event_then_by_eta():
    table = overview()
    assert list(table["name"]) == ["flaring", EVIL, "quiet"]
    assert list(table["events"]) == [1, 0, 0] and table["snr"][0] == 21.0
    assert np.isnan(table["snr"][1]) and table["eta"][1] > table["eta"][2]
    assert table["mean_I_error"].unit == "Jy" and table["mean_V"][0] < 0 < table["mean_I"][0]


def test_a_direction_without_data_in_the_page_has_the_command_that_draws_it(tmp_path):
    shown = ReportSpectrum.of(observed(meta={"target": "flaring"}))
    write_report(tmp_path / "report.html", title="x", summary={}, spectra=[shown],
                 overview=overview())
    text = (tmp_path / "report.html").read_text()
    assert text.count("data-show=") - explorer().count("data-show=") == 1
    assert f"visds-plot {tmp_path} --target quiet" in text and "--target flaring" not in text


def written(path, **given):
    data = observed(meta={"target": EVIL})
    page = ReportSpectrum.of(
        data, detections=detection_table(data, [(20, 30, 4, 8, "-V", 21.0)], name=EVIL),
        matches=match_table([EVIL]), **given)
    write_report(path, title=EVIL, summary={EVIL: EVIL}, spectra=[page], overview=overview())
    return path.read_text()


def test_text_from_outside_cannot_end_the_data_or_become_a_script(tmp_path):
    text = written(tmp_path / "report.html")
    assert "alert" in text and "<script>alert" not in text and "</script><script>" not in text
    kinds = re.findall(r"<script[^>]*>", text.replace(explorer(), ""))
    assert kinds == ['<script type="application/json" id="colour-maps">',
                     '<script type="application/json" class="spectrum-data">', "<script>"]
    data = re.search(r'class="spectrum-data">(.*?)</script>', text, re.DOTALL)[1]
    assert json.loads(data)["name"] == EVIL


def test_a_browser_may_run_the_pages_own_script_and_load_nothing(tmp_path):
    text = written(tmp_path / "report.html")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    script = text[text.rindex("<script>") + 8:text.rindex("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert not re.search(r'(src|href|url)\s*[=(]\s*["\']?(?!data:)\w+:', text.replace(script, ""))


def test_the_same_spectra_give_the_same_bytes(tmp_path):
    assert written(tmp_path / "a.html") == written(tmp_path / "b.html")


def test_a_picture_of_the_page_that_an_event_shows_is_in_it_once(tmp_path):
    picture = tmp_path / "detection001_difference_V.png"
    other = tmp_path / "detection001_difference_I.png"
    picture.write_bytes(b"\x89PNG one")
    other.write_bytes(b"\x89PNG two")
    data = observed()
    page = ReportSpectrum.of(
        data, detections=detection_table(data, [(20, 30, 4, 8, "-V", 21.0)]),
        pictures=detection_pictures({"V": picture, "I": other}))
    write_report(tmp_path / "report.html", title="x", summary={}, spectra=[page],
                 pictures={"V": picture})
    text = (tmp_path / "report.html").read_text()
    for file, number in ((picture, 1), (other, 2)):
        assert text.count(base64.b64encode(file.read_bytes()).decode()) == 1
        assert f'id="picture-{number}"' in text and f'["picture-{number}",' in text


def test_the_vendored_library_is_what_its_page_says_and_its_licence_is_in_every_page():
    from importlib import resources
    folder = resources.files("visds.dynspec.report") / "vendor" / "uplot"
    page = (folder / "README.md").read_text()
    for name in ("uPlot.iife.min.js", "uPlot.min.css"):
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert f"| `{name}` | `{digest}` |" in page
    assert (folder / "LICENSE").read_text() in explorer()


def test_an_empty_table_of_detections_is_no_event():
    assert ReportSpectrum.of(observed(), detections=Table(names=["snr"])).events == ()
