"""Sky models read from tables of the project's own columns."""

import numpy as np
import pytest
from astropy import units
from astropy.table import Table

from visds.core.errors import SkyModelError
from visds.visibility.sky_model.components import check_spectra
from visds.visibility.sky_model.readers.table import read_components

HEADER = "ra,dec,I,Q,U,V,reference_frequency,spectral_index\n"


def written(tmp_path, text):
    path = tmp_path / "model.csv"
    path.write_text(text)
    return path


def test_a_csv_table_without_units_is_in_deg_jy_and_hz(tmp_path):
    model = read_components(written(tmp_path, HEADER + "10.5,-20,1.5,0.1,-0.2,0.3,1.4e9,-0.7\n"
                                                       "-1,-21,2,0,0,0,1e9,0\n"))
    assert model.ra.tolist() == [10.5, 359]
    assert model.dec.tolist() == [-20, -21]
    assert model.stokes.tolist() == [[1.5, 0.1, -0.2, 0.3], [2, 0, 0, 0]]
    assert model.reference_frequency.tolist() == [1.4e9, 1e9]
    assert model.spectral_terms[:, 0].tolist() == [-0.7, 0]


def test_without_polarization_and_index_they_are_zero(tmp_path):
    model = read_components(written(tmp_path, "I,ra,dec,reference_frequency,name\n"
                                              "1,2,3,1e9,star\n"))
    assert model.stokes.tolist() == [[1, 0, 0, 0]]
    assert model.spectral_terms[:, 0].tolist() == [0]


def test_units_of_an_ecsv_table_are_converted(tmp_path):
    table = Table({"ra": [6.0] * units.hourangle, "dec": [60.0] * units.arcmin,
                   "I": [1500.0] * units.mJy, "V": [20.0] * units.mJy,
                   "reference_frequency": [1400.0] * units.MHz})
    path = tmp_path / "model.ecsv"
    table.write(path, format="ascii.ecsv")
    model = read_components(path)
    np.testing.assert_allclose(model.ra, 90)
    np.testing.assert_allclose(model.dec, 1)
    np.testing.assert_allclose(model.stokes, [[1.5, 0, 0, 0.02]])
    np.testing.assert_allclose(model.reference_frequency, 1.4e9)


@pytest.mark.parametrize(("text", "message"), [
    ("ra,dec,I\n1,2,3\n", "has no column reference_frequency; it has ra, dec, I"),
    (HEADER + "1,2,nan,0,0,0,1e9,0\n", "I of component 1 is nan, expected a finite number"),
    (HEADER + "1,2,1,0,0,0,1e9,0\n1,2,1,0,,0,1e9,0\n", "U of component 2 is nan"),
    (HEADER + "1,90.5,1,0,0,0,1e9,0\n", "dec of component 1 is 90.5, expected from -90 to 90"),
    (HEADER + "1,2,1,0,0,0,1.4,0\n", "reference_frequency of component 1 is 1.4, expected at least "
                                      "1 MHz, in Hz where the file has no unit"),
    (HEADER, "has no rows"),
    ("", "is empty"),
])
def test_a_table_that_is_no_model_is_refused_with_one_line(tmp_path, text, message):
    with pytest.raises(SkyModelError, match=message) as caught:
        read_components(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_not_a_table_is_refused(tmp_path):
    with pytest.raises(SkyModelError, match="No such file"):
        read_components(tmp_path / "none.csv")
    path = tmp_path / "model.csv"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(SkyModelError, match="is not a catalogue: expected"):
        read_components(path)


def test_a_column_in_another_kind_of_unit_is_refused(tmp_path):
    table = Table({"ra": [6.0], "dec": [1.0], "I": [1.0] * units.K, "reference_frequency": [1e9]})
    path = tmp_path / "model.ecsv"
    table.write(path, format="ascii.ecsv")
    with pytest.raises(SkyModelError, match="column I has the unit 'K', expected one of Jy"):
        read_components(path)


@pytest.mark.parametrize(("columns", "values"), [
    ("I,reference_frequency,taylor_1", "0.3,1e9,-0.75"),
    ("I,reference_frequency,spectral_index", "0.3,7.4e7,-3"),
    ("I,V,reference_frequency,spectral_index", "0,0.1,1e9,-1"),
    ("I,reference_frequency,spectral_index", "0,1e9,-0.7")])
def test_spectra_of_the_sky_are_credible(tmp_path, columns, values):
    check_spectra(read_components(written(tmp_path, f"ra,dec,{columns}\n1,2,{values}\n")),
                  1e9, 2e9)


@pytest.mark.parametrize(("columns", "values", "message"), [
    ("I,reference_frequency,spectral_index", "0.3,1e8,7",
     "component 1 has the spectral index 7 at 100 MHz, more than 1000 times"),
    ("I,V,reference_frequency,spectral_index", "0,0.1,1e8,7", "the spectral index 7"),
    ("I,reference_frequency,taylor_1", "0.3,1.5e8,-0.75",
     "component 1 has a spectrum of Taylor terms about 150 MHz, more than an octave from data at "
     "1000 to 2000 MHz"),
    ("I,reference_frequency,taylor_1", "0.3,1e10,-0.75", "more than an octave")])
def test_spectra_that_cannot_be_are_refused(tmp_path, columns, values, message):
    model = read_components(written(tmp_path, f"ra,dec,{columns}\n1,2,{values}\n"))
    with pytest.raises(SkyModelError, match=message):
        check_spectra(model, 1e9, 2e9, "model.csv")
