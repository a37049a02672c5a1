"""All measures of a spectrum in a row a polarization, and only the tables that were asked for."""

import numpy as np
import pytest
from astropy.units import Unit
from spectra import spectrum

from visds.core.errors import SettingsError
from visds.dynspec.variability.measure import COLUMNS, measure
from visds.dynspec.variability.settings import (
    MEASURES,
    VariabilitySettings,
    variability_settings,
)


def example(**keywords):
    """Return a spectrum of I that pulses every 300 s by 20 %, and V of none."""
    truth = np.zeros((120, 6, 2))
    truth[..., 0] = 1 + 0.2 * np.cos(2 * np.pi * (np.arange(120) - 5) / 30)[:, None]
    return spectrum(truth, polarizations=("I", "V"), **({"sigma": 0.05} | keywords))


def test_a_row_a_polarization_has_every_column_with_unit_and_meaning():
    made = measure(example(), VariabilitySettings(), MEASURES)
    assert made.indices["polarization"].tolist() == ["I", "V"]
    assert made.indices.colnames == list(COLUMNS)
    for name, (_, unit, meaning) in COLUMNS.items():
        assert made.indices[name].unit == (unit and Unit(unit))
        assert made.indices[name].description == meaning
    row, steady = made.indices
    assert row["period"] == pytest.approx(300, abs=4 * row["period_error"])
    assert row["period_amplitude"] == pytest.approx(0.2, abs=4 * row["period_amplitude_error"])
    assert row["period_false_alarm_probability"] < 1e-10
    assert row["period_cycles"] == pytest.approx(4, abs=0.1)
    assert row["blocks"] > 10
    assert (steady["blocks"], row["blocks_imaginary"]) == (1, 1)
    assert steady["period_false_alarm_probability"] > 1e-3
    assert np.isnan(steady["structure_slope"])
    assert made.notes == {}


def test_what_was_not_asked_for_is_nan_and_has_no_table():
    made = measure(example(), VariabilitySettings())
    assert made.tables(()) == {}
    for name in ("structure_slope", "period", "time_width"):
        assert np.isnan(made.indices[name]).all()
    assert made.indices["blocks"][0] > 1
    only = measure(example(), variability_settings(variability=["structure_function"]))
    assert list(only.tables(["structure_function"])) == ["structure_function"]
    assert only.indices["structure_slope"][0] > 1


def test_tables_have_the_polarizations_below_each_other(tmp_path):
    made = measure(example(), variability_settings(phase_bins=10), MEASURES)
    tables = made.tables(MEASURES)
    assert tuple(tables) == MEASURES
    for name, table in tables.items():
        table.write(tmp_path / f"{name}.ecsv", format="ascii.ecsv")
        if name == "folded":
            assert len(table) == 10
        else:
            assert set(table["polarization"]) == {"I", "V"}
    powers = tables["periodogram"]
    of_i = powers[powers["polarization"] == "I"]
    assert 86400 / of_i["frequency"][np.argmax(of_i["power"])] == pytest.approx(300, rel=0.03)
    assert powers.meta["I"]["period_s"] == made.indices["period"][0]
    cuts = tables["autocorrelation"][tables["autocorrelation"]["polarization"] == "V"]
    assert cuts["correlation"][0] == pytest.approx(0.05**2, rel=0.2)


def test_it_is_folded_on_the_surest_period_from_its_maximum_or_on_the_given_one():
    made = measure(example(), variability_settings(phase_bins=10), ["folded"])
    assert made.folded.ephemeris.period == made.indices["period"][0]
    assert np.argmax(made.folded_curve["I"]) in (0, 9)
    given = measure(example(), variability_settings(period="5min", phase_bins=10), ["folded"])
    assert given.folded.ephemeris.period == 300
    assert given.folded.ephemeris.epoch == example().time_barycentre[0]
    assert np.isnan(given.indices["period"]).all()
    dated = variability_settings(period="300s", epoch=59000.1, phase_bins=10)
    assert measure(example(), dated, ["folded"]).folded.ephemeris.epoch == 59000.1


def test_what_could_not_be_made_says_why():
    made = example()
    unknown = made.replace(time_barycentre=made.time * np.nan)
    notes = measure(unknown, variability_settings(period="300s"), ["periodogram", "folded"]).notes
    assert notes == dict.fromkeys(("periodogram", "folded"),
                                  "times at the barycentre are not known")
    notes = measure(made.select_times(np.arange(5)), VariabilitySettings(), MEASURES).notes
    assert notes["periodogram"] == "there are too few measurements"
    assert notes["folded"] == "there is no period to fold on: give --period"
    notes = measure(made.select_channels([0]), VariabilitySettings(), ["autocorrelation"]).notes
    assert "three channels" in notes["autocorrelation"]
    empty = made.flag_cells(np.ones((120, 6), bool))
    measured = measure(empty, VariabilitySettings(), MEASURES)
    assert measured.notes["autocorrelation"] == "there is no unflagged data"
    assert measured.indices["blocks"].tolist() == [0, 0]


@pytest.mark.parametrize(("written", "message"), [
    ({"period": "300"}, "needs a unit"), ({"period": "-3s"}, "not a time above zero"),
    ({"epoch": 2459000.5}, "not a time in MJD"), ({"phase_bins": 1}, "from 2 to 10000"),
    ({"block_probability": 0.5}, "from 0.002 to 0.2"), ({"variability": ["fold"]}, "not one of"),
    ({"perod": "3s"}, "did you mean 'period'")])
def test_settings_that_cannot_be_used_are_refused(written, message):
    with pytest.raises(SettingsError, match=message):
        variability_settings(**written)
