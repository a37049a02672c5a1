"""Source lists of WSClean and DP3: what each field means, and what is refused."""

import numpy as np
import pytest

from visds.core.errors import SkyModelError
from visds.core.sky import Direction
from visds.visibility.sky_model.readers.source_list import is_source_list, read_source_list

WSCLEAN = """\
Format = Name, Type, Ra, Dec, I, SpectralIndex, LogarithmicSI, ReferenceFrequency='887491000', \
MajorAxis, MinorAxis, Orientation
s0c0,POINT,01:39:01.600,-17.57.02.0,0.0125,[-0.008,0.002],false,887491000,,,
s0c1,POINT,-01:20:00.000,00.30.00.0,-0.0004,[],false,,,,
s1c0,GAUSSIAN,08:28:05.152,39.35.08.511,0.35,[-0.8,-0.05,0.01],true,150000000.0,60.5,30.25,-15
"""
PATCHES = """\
# A field and one bright source away from it.
# (Name, Type, Patch, Ra, Dec, I, Q, U, V, ReferenceFrequency='150e6', SpectralIndex='[-0.7]', \
MajorAxis, MinorAxis, Orientation, OrientationIsAbsolute='false') = format

 , , field, 14:32:00, +34.30.00
f1, POINT, field, 14:32:00.00, +34.30.00.00, 2.0, 0.1, -0.2, 0.3, , [-0.8, -0.1]
# one that takes the values of the header
f2, , field, 218.5deg, 34:20:00, 1.5
, , bright, 19:59:28.3, 40.44.02
b1, GAUSSIAN, bright, 19h59m28.3, +40d44m02, 10, , , , 74e6, '[]', 100, 50, 20, true
"""
HEAD = ("Format = Name, Type, Ra, Dec, I, Q, U, V, SpectralIndex, LogarithmicSI, "
        "ReferenceFrequency, MajorAxis, MinorAxis, Orientation\n")


def read(tmp_path, text):
    path = tmp_path / "list.txt"
    path.write_text(text)
    return read_source_list(path)


def test_a_list_of_wsclean(tmp_path):
    model = read(tmp_path, WSCLEAN)
    np.testing.assert_allclose(model.ra, [15 * (1 + 39 / 60 + 1.6 / 3600), 340, 127.0214666667])
    np.testing.assert_allclose(model.dec, [-(17 + 57 / 60 + 2 / 3600), 0.5, 39.5856975])
    assert model.stokes.tolist() == [[0.0125, 0, 0, 0], [-0.0004, 0, 0, 0], [0.35, 0, 0, 0]]
    assert model.reference_frequency.tolist() == [887491000, 887491000, 150e6]
    assert model.is_logarithmic.tolist() == [False, False, True]
    assert model.spectral_terms.tolist() == [[-0.008, 0.002, 0], [0, 0, 0], [-0.8, -0.05, 0.01]]
    assert model.shape.tolist() == [[0, 0, 0], [0, 0, 0], [60.5, 30.25, -15]]


def test_patches_defaults_and_the_ways_to_write_angles(tmp_path):
    model = read(tmp_path, PATCHES)
    np.testing.assert_allclose(model.ra, [218, 218.5, 299.8679166667])
    np.testing.assert_allclose(model.dec, [34.5, 34 + 1 / 3, 40.7338888889])
    assert model.stokes.tolist() == [[2, 0.1, -0.2, 0.3], [1.5, 0, 0, 0], [10, 0, 0, 0]]
    assert model.reference_frequency.tolist() == [150e6, 150e6, 74e6]
    assert model.spectral_terms.tolist() == [[-0.8, -0.1], [-0.7, 0], [0, 0]]
    assert model.is_logarithmic.all()
    assert model.shape.tolist() == [[0, 0, 0], [0, 0, 0], [100, 50, 20]]


def test_spectra_are_those_that_dp3_predicts(tmp_path):
    # DP3 6.6 predict, of these two lines at the phase centre: I = 0.2774915 and 0.8 at 1.3 GHz,
    # Q = 0.1, U = -0.2, V = 0.3 at all frequencies.
    model = read(tmp_path, HEAD
                 + "a,POINT,01:39:01.6,-17.57.02,1,0.1,-0.2,0.3,[-2.0,0.5],true,650e6\n"
                 + "b,POINT,01:39:01.6,-17.57.02,1,0.1,-0.2,0.3,[-0.3,0.1],false,650e6\n")
    flux = model.flux_density(np.array([650e6, 1.3e9]))
    np.testing.assert_allclose(flux[0], [[1, 0.27749141], [1, 0.8]], rtol=1e-7)
    np.testing.assert_allclose(flux[1:], np.reshape([0.1, -0.2, 0.3], (3, 1, 1))
                               * np.ones((1, 2, 2)))


def test_a_line_in_b1950_is_converted_with_its_position_angle(tmp_path):
    text = ("Format = Name, Type, RefType, Ra, Dec, I, MajorAxis, MinorAxis, Orientation\n"
            "a, GAUSSIAN, B1950, 10:00:00, 80.00.00, 1, 60, 20, 0\n"
            "b, GAUSSIAN, J2000, 10:00:00, 80.00.00, 1, 60, 20, 0\n"
            "c, GAUSSIAN, B1950, 10:00:00, 80.00.00, 1, 60, 60, 0\n")
    model = read(tmp_path, text)
    there = Direction(150, 80, "B1950").to("ICRS")
    np.testing.assert_allclose([model.ra[0], model.dec[0]], [there.ra, there.dec])
    assert [model.ra[1], model.dec[1]] == [150, 80]
    # The pole of 1950, seen from there: the spherical law of sines.
    pole = Direction(0, 90, "B1950").to("ICRS")
    east = np.arctan2(np.cos(np.radians(pole.dec)) * np.sin(np.radians(pole.ra - there.ra)),
                      np.sin(np.radians(pole.dec)) * np.cos(np.radians(there.dec))
                      - np.cos(np.radians(pole.dec)) * np.sin(np.radians(there.dec))
                      * np.cos(np.radians(pole.ra - there.ra)))
    assert abs(np.degrees(east)) > 0.5
    np.testing.assert_allclose((model.shape[0, 2] + 90) % 180, np.degrees(east) % 180 + 90,
                               atol=0.01)
    assert model.shape[1:].tolist() == [[60, 20, 0], [60, 60, 0]]


def test_fields_may_be_between_blanks_fixed_unknown_or_in_capitals(tmp_path):
    model = read(tmp_path, "FORMAT = NAME TYPE=fixed'GAUSSIAN' RA DEC CATEGORY I MAJORAXIS='9' "
                           "MINORAXIS='9'\n"
                           "one 10:00:00 -10.00.00 2 1.5\n")
    assert model.stokes[:, 0].tolist() == [1.5]
    assert model.shape.tolist() == [[9, 9, 0]]


def test_a_list_is_told_by_its_format_line():
    assert is_source_list(WSCLEAN)
    assert is_source_list(PATCHES)
    assert not is_source_list("ra,dec,I\n1,2,3\nformat = Name\n")
    assert not is_source_list("")


LINE = "a,POINT,01:39:01.6,-17.57.02,1,,,,[-0.7],true,1e9,,,\n"


@pytest.mark.parametrize(("text", "message"), [
    (HEAD, "list.txt has no components"),
    ("a,POINT,01:39:01.6,-17.57.02,1\n", "has no Format line, such as"),
    ("Format = Name, Type, Ra, Dec\n", "line 1: the Format line lacks I; it has name, type, ra"),
    ("Format = Name, Ra, Dec, I, SpectralIndex:0\n",
     "spectralindex:0 is of a form of spectrum that is not known"),
    ("Format = Name, Ra, Dec, I, SpectralCurvature\n",
     "spectralcurvature is of a form of spectrum that is not known"),
    ("Format = Name, Ra, Ra, Dec, I\n", "field ra occurs twice"),
    ("Format = Name, Ra, Dec, I, ReferenceFrequency=1e9\n",
     "'ReferenceFrequency=1e9' is not a field of a Format line"),
    (HEAD + LINE.replace("POINT", "DISK"), "line 2: Type 'DISK' is not POINT or GAUSSIAN"),
    (HEAD + LINE.replace("POINT", "SHAPELET"), "line 2: shapelets are not supported"),
    (HEAD + LINE + "b" + LINE.replace(",1,,", ",x,,"), "line 3: I 'x' is not a finite number"),
    (HEAD + LINE.replace(",1,,", ",nan,,"), "line 2: I 'nan' is not a finite number"),
    (HEAD + LINE.replace(",1,,", ",,,"), "line 2: I is not given; expected a finite number"),
    (HEAD + LINE.replace("[-0.7]", "[-0.7,a]"), r"SpectralIndex '\[-0.7,a\]' is not an array of"),
    (HEAD + LINE.replace("[-0.7]", "[-0.7,nan]"), "SpectralIndex .* is not an array of numbers"),
    (HEAD + LINE.replace("[-0.7]", "[-0.7"), "line 2: a quote or bracket is not closed"),
    (HEAD + LINE.replace("a,POINT", "a name of forty letters or rather more ['"),
     "line 2: a quote or bracket is not closed"),
    (HEAD + LINE.replace("true", "maybe"), "LogarithmicSI 'maybe' is not true or false"),
    (HEAD + LINE.replace("1e9", "0"), "ReferenceFrequency '0' is not a frequency above 0 Hz"),
    (HEAD + LINE.replace("1e9", ""), "ReferenceFrequency is not given; expected a frequency"),
    (HEAD + LINE.replace("01:39:01.6", "24.757"),
     "Ra '24.757' is not an angle with its unit, such as 12:34:56.7 or 188.7deg"),
    (HEAD + LINE.replace("01:39:01.6", "01:99:01.6"), "Ra '01:99:01.6' is not an angle such as"),
    (HEAD + LINE.replace("-17.57.02", "-97.57.02"), "Dec '-97.57.02' is not between -90 and 90"),
    (HEAD + LINE.replace("-17.57.02", ""), "line 2: Dec is not given"),
    (HEAD + LINE.replace(",,,\n", ",,,,5\n"), "line 2 has 15 fields, expected 14 as in the Format"),
    (HEAD + LINE.replace("POINT", "GAUSSIAN"), "line 2: MajorAxis is not given"),
    (HEAD + LINE.replace("POINT", "GAUSSIAN").replace(",,,\n", ",9,-3,0\n"),
     "MinorAxis '-3' is not a finite number of at least 0"),
    (HEAD + LINE.replace("POINT", "GAUSSIAN").replace(",,,\n", ",9,3,\n"),
     "Orientation is not given"),
    (HEAD.replace("Orientation", "RotationMeasure") + LINE.replace(",,,\n", ",,,25\n"),
     "RotationMeasure is not supported"),
    (HEAD.replace("Orientation", "RefType") + LINE.replace(",,,\n", ",,,SUN\n"),
     "RefType 'SUN' is not one of ICRS, J2000"),
])
def test_what_is_no_source_list_is_refused_with_one_line(tmp_path, text, message):
    with pytest.raises(SkyModelError, match=message) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "list.txt" in str(caught.value)
