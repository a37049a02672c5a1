"""The report page: all of it in one file, everything escaped, the same on every run."""

import base64
import html.parser

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from spectra import spectrum

from visds.core.error_text import value_with_error
from visds.core.errors import FormatError
from visds.dynspec.imaginary_part import ImaginaryPart, chi_squared, imaginary_parts
from visds.dynspec.polarimetry.settings import PolarizationSettings
from visds.dynspec.polarimetry.summary import mean_table
from visds.dynspec.report import (
    empty_integrations,
    polarization_table,
    scan_table,
    variability_table,
    write_report,
)
from visds.dynspec.variability.indices import statistics

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg==")


class Page(html.parser.HTMLParser):
    """The elements and the text of a page, with a check that they are nested well."""

    def __init__(self, path):
        super().__init__()
        self.open, self.elements, self.text = [], [], ""
        self.feed(path.read_text())
        assert not self.open

    def handle_starttag(self, tag, attributes):
        """Keep the element."""
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Check that it closes the last one that was opened."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Keep the text."""
        if not self.open or self.open[-1] != "style":
            self.text += data


def written(path, **changes):
    picture = path.with_name("picture.png")
    picture.write_bytes(PIXEL)
    arguments = {
        "title": "AD Leonis", "summary": {"command": "visds-run obs.ms", "field": "0"},
        "pictures": {"Stokes I": picture},
        "tables": {"Detections": Table({"time": [59000.123456789], "snr": [12.3456]},
                                       units={"time": "d"})},
        "flag_statistics": {"visibilities": 1234567, "used": 0.75, "measurement_set": 0.125},
        "health": {"I": ImaginaryPart(1.01, 900, 0.01, 0.05, 1),
                   "Q": ImaginaryPart(1.01, 900, 0.4, 0.05, 1),
                   "V": ImaginaryPart(2.0, 900, 0.1, 0.05, 1)}, "warnings": ["beware"],
        "settings_text": "[average]\ntime_bin = \"10s\"\n"}
    write_report(path, **(arguments | changes))
    return Page(path)


def test_a_report_holds_everything_that_it_was_given(tmp_path):
    page = written(tmp_path / "report.html")
    for text in ("AD Leonis", "visds-run obs.ms", "Stokes I", "Detections", "59000.123457",
                 "12.346", "1,234,567", "75.00 %", "flagged in the measurement set", "12.50 %",
                 "beware", "time_bin", "1.010", "as expected of noise",
                 "off zero, if by little", "scatters by 2.00 sigma"):
        assert text in page.text


def test_a_report_needs_no_network_no_other_file_and_no_script(tmp_path):
    page = written(tmp_path / "report.html")
    tags = [tag for tag, _ in page.elements]
    assert "script" not in tags and "link" not in tags
    sources = [a[key] for _, a in page.elements for key in ("src", "href") if key in a]
    assert sources == ["data:image/png;base64," + base64.b64encode(PIXEL).decode()]
    assert "http" not in (tmp_path / "report.html").read_text()


def test_text_from_outside_cannot_become_markup(tmp_path):
    evil = "<script>alert('x')</script>&\"'"
    picture = tmp_path / "picture.png"
    page = written(tmp_path / "report.html", title=evil, summary={evil: evil},
                   pictures={evil: picture}, tables={evil: Table({evil: [evil]})},
                   flag_statistics={evil: 0.5},
                   health={evil: ImaginaryPart(1.0, 9, 0.0, 0.3, 1)}, warnings=[evil],
                   settings_text=evil, notes={evil: evil})
    assert "script" not in [tag for tag, _ in page.elements]
    assert page.text.count(evil) >= 10


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    for name in ("a.html", "b.html"):
        written(tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_missing_values_and_empty_tables_are_said_in_words(tmp_path):
    table = Table({"a": [np.nan, 1.0], "b": MaskedColumn([1, 2], mask=[True, False])})
    page = written(tmp_path / "report.html", tables={"Some": table, "Other": table[:0]},
                   health={"I": ImaginaryPart(np.nan, 0, np.nan, np.nan, -1)}, warnings=[])
    assert "None." in page.text and "–" in page.text and "no unflagged data" in page.text
    assert "nan" not in page.text.lower()


def test_a_table_that_there_is_none_of_leaves_its_note_alone(tmp_path):
    page = written(tmp_path / "report.html", tables={"Matches": None},
                   notes={"Matches": "no catalogue given."})
    assert "no catalogue given." in page.text and "None." not in page.text


def test_variability_is_told_from_stokes_v_in_three_digits_and_no_probability_is_zero(tmp_path):
    truth = np.zeros((40, 2, 4))
    truth[20:30, :, 0] = 50.0
    table = statistics(spectrum(truth, sigma=0.1).light_curve())
    shown = variability_table(table)
    assert table.colnames[5] == "V" and "V (TraP)" in shown.colnames and "V" not in shown.colnames
    page = written(tmp_path / "report.html", tables={"Variability": shown})
    assert "< 1e-300" in page.text
    eta = table["eta"][0]
    assert eta > 1e4 and f"{eta:.0f}" in page.text and f"{eta:.1f}" not in page.text
    assert f"{table['eta'][1]:.3g}" in page.text
    assert f"{table['eta'][1]:.4g}" not in page.text


def test_a_chance_probability_of_zero_is_that_of_a_match_at_the_same_place(tmp_path):
    page = written(tmp_path / "report.html",
                   tables={"Matches": Table({"chance_probability": [0.0, 1.23456e-7]})})
    assert "1.23e-07" in page.text and "e-300" not in page.text


def test_a_number_stands_beside_its_error_to_the_second_digit_of_it(tmp_path):
    table = Table({"angle": [40.3, np.nan], "angle_error": [0.0123, np.nan], "rm_error": [1.5, 2]},
                  units={"angle": "deg", "angle_error": "deg"})
    page = written(tmp_path / "report.html", tables={"Some": table})
    assert "40.300 ± 0.012" in page.text and "angle_error" not in page.text
    assert "rm_error" in page.text


def test_the_health_of_the_data_has_its_chi_squared_and_what_noise_has(tmp_path):
    data = spectrum(np.zeros((40, 4, 2)), polarizations=("I", "V"), seed=3)
    found = chi_squared(data)
    page = written(tmp_path / "report.html", health=imaginary_parts(data), chi_squared=found,
                   notes={"Health of the data": "so many are flagged."})
    assert "(1 of noise)" in page.text and "so many are flagged." in page.text
    for one in found.values():
        assert one.line in page.text
        assert one.line.startswith(value_with_error(one.value, one.error))
    # The verdict has a name and stands where no scrolling is needed.
    assert page.text.index("verdict") < page.text.index("farthest mean of a scan")
    assert "chi-squared (1" not in written(tmp_path / "report.html").text


def test_frequencies_of_tables_are_in_mhz(tmp_path):
    table = Table({"band_low": [799490741.0]}, units={"band_low": "Hz"})
    page = written(tmp_path / "report.html", tables={"Detections": table})
    assert "band_low (MHz)" in page.text and "799.49" in page.text
    assert table["band_low"].unit == "Hz" and table["band_low"][0] == 799490741.0


def test_integrations_without_any_cell_are_counted():
    data, flagged = spectrum(np.zeros((40, 4, 4))), np.zeros((40, 4), bool)
    flagged[3, :2] = True
    assert empty_integrations(data.flag_cells(flagged)) == ""
    flagged[3:8] = True
    assert empty_integrations(data.flag_cells(flagged)) == "5 of 40 integrations are fully flagged."


def test_the_polarization_of_the_mean_has_its_angles_with_errors_and_no_empty_columns(tmp_path):
    truth = np.zeros((40, 4, 4))
    truth[..., :] = 1.0, 0.3, 0.4, -0.2
    mean = mean_table(spectrum(truth, scans=(3, 5)), PolarizationSettings())
    table = polarization_table(mean)
    assert list(table["scan"]) == ["3", "5", "all"]
    page = written(tmp_path / "report.html", tables={"Polarization": table})
    row = mean[-1]
    assert value_with_error(row["polarization_angle"], row["polarization_angle_error"]) in page.text
    assert row["polarization_angle"] == pytest.approx(np.degrees(np.arctan2(0.4, 0.3)) / 2, abs=2)
    # V/I of a bright source is known; nothing is said of what was not measured.
    assert "-0.2" in table["V/I (68 % interval)"][-1] and " to " in table["V/I (68 % interval)"][-1]
    parallel = polarization_table(mean_table(spectrum(truth[..., [0, 3]], polarizations=("I", "V")),
                                             PolarizationSettings()))
    assert not any(name.startswith(("fraction_L", "rm", "polarization")) for name in
                   parallel.colnames)


def test_shares_of_visibilities_and_of_cells_are_told_apart(tmp_path):
    assert "lost only where all its visibilities are" in written(tmp_path / "report.html").text


def test_a_long_table_is_cut_and_says_so(tmp_path):
    page = written(tmp_path / "report.html", tables={"All": Table({"n": np.arange(1000)})})
    assert "The first 200 of 1000 rows." in page.text and "200" not in page.text.split("All")[0]


@pytest.mark.parametrize(("name", "match"), [
    ("gone.png", "cannot read picture"), ("picture.pdf", "cannot be shown in a report")])
def test_a_picture_that_cannot_be_shown_is_one_line_that_names_it(tmp_path, name, match):
    with pytest.raises(FormatError, match=match):
        written(tmp_path / "report.html", pictures={"x": tmp_path / name})
    assert not (tmp_path / "report.html").exists()


def test_the_table_of_scans_has_their_edges_and_the_share_of_good_cells():
    data = spectrum(np.zeros((6, 4, 4)), scans=(7, 9), start_mjd=59000.5, gap=60.0)
    cells = np.zeros((6, 4), bool)
    cells[0] = True
    table = scan_table(data.flag_cells(cells))
    assert list(table["scan"]) == [7, 9]
    assert list(table["start UTC"]) == ["2020-05-31T11:59:55.000", "2020-05-31T12:01:25.000"]
    assert list(table["stop UTC"]) == ["2020-05-31T12:00:25.000", "2020-05-31T12:01:55.000"]
    assert list(table["unflagged cells"]) == pytest.approx([100 * 2 / 3, 100])
