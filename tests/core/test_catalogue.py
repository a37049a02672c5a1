"""Catalogues: whatever the file, the same sources in the same units, or one clear line."""

import gzip

import numpy as np
import pytest
from astropy.table import Table

from visds.core.catalogue import Catalogue, position_names
from visds.core.errors import CatalogueError

# Every file of the shared folder: how many sources, or why it is none.
SHARED = {
    "vlass_cat_test_components.csv": 1255, "vlass_cat_test_nvss.fits": 562,
    "vlass_cat_test_first.fits": 998, "vlass_cat_test_hosts.csv": 285,
    "gleam_50srcs.vot": 50, "atnf_psrcat_2.5.1.csv": 3748,
    "vlass_cat_test_subtiles.csv": "no position columns",
    "radio_xray_stars.ecsv": "no position columns.*Name, radio, xray",
    "MRC_full_radio_catalog.fits": "FITS file without a table: it holds an image of 12141 x 5",
}


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a text and reads it as a catalogue."""
    def read(text, columns=None, name="catalogue.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Catalogue.read(path, columns)
    return read


def refuses(written, text, message, **keywords):
    with pytest.raises(CatalogueError, match=message) as caught:
        written(text, **keywords)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_catalogue_is_read_or_refused_in_one_line(shared_data, name):
    path = shared_data / "catalogues" / name
    expected = SHARED[name]
    if isinstance(expected, int):
        assert len(Catalogue.read(path)) == expected
    else:
        with pytest.raises(CatalogueError, match=expected) as caught:
            Catalogue.read(path)
        assert "\n" not in str(caught.value)


def test_nvss_in_broken_units_is_read_in_jansky_and_degrees(shared_data):
    nvss = Catalogue.read(shared_data / "catalogues/vlass_cat_test_nvss.fits")
    assert nvss.name[0] == "J150000.8+450750"
    assert (nvss.ra[0], nvss.dec[0]) == pytest.approx((225.00340777, 45.13075248))
    assert nvss.flux_density[0] == pytest.approx(0.0370595)


def test_first_in_millijansky_is_read_in_jansky_and_integrated(shared_data):
    first = Catalogue.read(shared_data / "catalogues/vlass_cat_test_first.fits")
    assert first.flux_density[0] == pytest.approx(0.05527971)
    assert np.isnan(first.ra_error).all()


def test_galactic_pulsar_positions_are_turned_to_icrs(shared_data):
    pulsars = Catalogue.read(shared_data / "catalogues/atnf_psrcat_2.5.1.csv")
    # J0002+6216, the first in the ATNF catalogue: 00h02m58.17s +62d16m09.4s; l, b to 0.001 deg.
    assert pulsars.ra[0] == pytest.approx(0.742375, abs=0.002)
    assert pulsars.dec[0] == pytest.approx(62.269278, abs=0.001)


def test_m87_in_b1950_is_at_its_j2000_position(written):
    m87 = written("RAB1950,DEB1950\n12:28:17.57,+12:40:01.7\n")
    # 12h30m49.42s +12d23m28.0s
    assert m87.ra[0] == pytest.approx(187.705930, abs=1e-4)
    assert m87.dec[0] == pytest.approx(12.391123, abs=1e-4)
    assert any("B1950" in note for note in m87.notes)


@pytest.mark.parametrize(("format", "suffix"), [("votable", "vot"), ("fits", "fits"),
                                                ("ascii.ecsv", "ecsv")])
@pytest.mark.parametrize("packed", [False, True])
def test_the_content_tells_the_format_and_not_the_suffix(tmp_path, format, suffix, packed):
    table = Table({"Source": ["a", "b"], "RAJ2000": [10.0, 350.0], "DEJ2000": [-5.0, 89.9],
                   "e_RAJ2000": [0.1, 0.2], "e_DEJ2000": [300.0, 400.0], "S1.4": [5.0, 6.0]})
    for name, unit in (("RAJ2000", "deg"), ("DEJ2000", "deg"), ("e_RAJ2000", "arcsec"),
                       ("e_DEJ2000", "mas"), ("S1.4", "mJy")):
        table[name].unit = unit
    path = tmp_path / f"x.{suffix}"
    table.write(path, format=format)
    disguised = tmp_path / "catalogue.csv"
    data = path.read_bytes()
    disguised.write_bytes(gzip.compress(data) if packed else data)
    read = Catalogue.read(disguised)
    assert read.name.tolist() == ["a", "b"]
    np.testing.assert_allclose([read.ra, read.dec], [[10, 350], [-5, 89.9]])
    np.testing.assert_allclose([read.ra_error, read.dec_error], [[0.1, 0.2], [0.3, 0.4]])
    np.testing.assert_allclose(read.flux_density, [0.005, 0.006])


@pytest.mark.parametrize(("header", "row"), [
    ("RA,DEC", "188.73625,-5.5"), ("ra_deg,dec_deg", "188.73625,-5.5"),
    ("_RAJ2000,_DEJ2000", "188.73625,-5.5"), ("RA_ICRS,DE_ICRS", "188.73625,-5.5"),
    ("ALPHA_J2000,DELTA_J2000", "188.73625,-5.5"), ("RA (deg),Dec (deg)", "188.73625,-5.5"),
    ("RA;DEC", "12:34:56.7;-05:30:00"), ("RAJ2000|DEJ2000", "12 34 56.70|-05 30 00.0"),
    ("ra\tdec", "12h34m56.7s\t-5d30m0s"), ("# ra dec", "188.73625 -5.5"),
    ("RAJ,DECJ", "12:34:56.7,-05:30"), ("ra,dec", "-171.26375,-5.5"),
    ('"ra","dec","a, b"', '188.73625,-5.5,"x, y"')])
def test_usual_names_and_notations_give_the_same_position(written, header, row):
    read = written(f"{header}\n{row}\n")
    assert read.ra[0] == pytest.approx(188.73625, abs=1e-9)
    assert read.dec[0] == pytest.approx(-5.5, abs=1e-9)


def test_minus_zero_degrees_is_south(written):
    assert written("ra,dec\n00:00:00,-00:00:30\n").dec[0] == pytest.approx(-30 / 3600)


def test_a_mapping_names_columns_units_and_numbers(written):
    text = "ident,a,b,ea,eb,s,mu,nu\nstar,10,20,0.5,2e-4,7,100,-50\n"
    read = written(text, "name=ident,ra=a,dec=b,ra_error=ea:arcsec,dec_error=eb:deg,"
                         "flux_density=s:mJy,pm_ra=mu,pm_dec=nu:arcsec/yr,epoch=2016.0")
    assert read.name[0] == "star"
    assert (read.ra_error[0], read.dec_error[0]) == pytest.approx((0.5, 0.72))
    assert (read.pm_ra[0], read.pm_dec[0]) == pytest.approx((100, -50000))
    assert (read.flux_density[0], read.epoch[0]) == pytest.approx((0.007, 2016.0))


def test_a_number_without_a_unit_is_not_guessed_but_noted(written):
    read = written("ra,dec,e_ra,e_dec,flux\n1,2,3,4,5\n")
    assert np.isnan([read.ra_error, read.dec_error, read.flux_density]).all()
    assert read.notes == ("no unit, not used: e_ra, e_dec, flux; "
                          "give it as ra_error=e_ra:arcsec or the like",)


def test_an_error_in_seconds_of_time_shrinks_with_the_declination(written):
    read = written("ra,dec,e,f\n1,60,0.1,1\n", "ra_error=e:s,dec_error=f:arcsec")
    assert read.ra_error[0] == pytest.approx(0.1 * 15 * 0.5)


def test_one_error_for_both_axes_and_a_zero_error_is_unknown(written):
    read = written("ra,dec,PosErr_arcsec\n1,60,0.4\n2,60,0\n")
    np.testing.assert_allclose(read.ra_error, [0.4, np.nan])
    np.testing.assert_allclose(read.dec_error, [0.4, np.nan])


def test_rows_without_a_position_are_dropped_and_counted(written):
    read = written("name,ra,dec\na,1,2\nb,,5\nc,nan,4\nd,7,8\n")
    assert read.name.tolist() == ["a", "d"]
    assert read.row.tolist() == [0, 3]
    assert read.table["name"].tolist() == ["a", "d"]
    assert read.notes == ("2 of 4 rows have no position and are dropped: row 2 (b), row 3 (c)",)
    nameless, = written("ra,dec\n1,2\n" + 8 * "3,\n").notes
    assert nameless.endswith("dropped: row 2, row 3, row 4, row 5, row 6 and 3 more")


def test_the_epoch_comes_from_column_coordinate_system_description_or_metadata(written):
    votable = """<?xml version="1.0"?>
<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE>
<COOSYS ID="G" system="ICRS" epoch="J2016.0"/><TABLE>
<FIELD name="{0}" {1} ucd="pos.eq.ra;meta.main" datatype="double" unit="deg">{2}</FIELD>
<FIELD name="lat" ucd="pos.eq.dec;meta.main" datatype="double" unit="deg"/>
<DATA><TABLEDATA><TR><TD>10</TD><TD>20</TD></TR></TABLEDATA></DATA>
</TABLE></RESOURCE></VOTABLE>"""
    described = "<DESCRIPTION>Right ascension (ICRS) at Ep=2015.5</DESCRIPTION>"
    assert written(votable.format("lon", 'ref="G"', "")).epoch[0] == 2016.0
    assert written(votable.format("lon", "", described)).epoch[0] == 2015.5
    assert np.isnan(written(votable.format("lon", "", "")).epoch[0])
    assert written("ra,dec,ref_epoch\n1,2,2014.2\n").epoch[0] == 2014.2
    assert written("_RAJ2000,_DEJ2000\n1,2\n").epoch[0] == 2000.0
    # A survey's own count of its epochs is no Julian year.
    assert np.isnan(written("ra,dec,Epoch\n1,2,1.2\n").epoch[0])
    detections = Table({"ra": [1.0], "dec": [2.0]}, meta={"epoch_jyear": 2019.5})
    assert Catalogue.from_table(detections).epoch[0] == 2019.5


def test_an_epoch_may_be_a_julian_year_or_a_date_and_another_is_told(written):
    read = written("ra,dec,pmra,pmdec,epoch\n" + "".join(
        f"1,2,3,4,{epoch}\n" for epoch in ("J2016.0", "2016-01-01T12:00:00", "2015.5", "")))
    np.testing.assert_allclose(read.epoch, [2016, 2016, 2015.5, np.nan], atol=2e-3)
    with pytest.raises(CatalogueError, match=r"no epoch for 1 of .*; epoch '2016\.5\.1' of row 2 "
                       "is not understood: expected a Julian year"):
        written("ra,dec,pmra,pmdec,epoch\n1,2,3,4,J2016\n1,2,3,4,2016.5.1\n").at_epoch(2020)
    refuses(written, "ra,dec,e\n1,2,soon\n", "epoch 'soon' of row 1 is not understood",
            columns="epoch=e")


def test_half_a_proper_motion_is_told_and_not_used(written):
    read = written("ra,dec,PMRA\n1,2,3\n")
    assert read.notes == ("column 'PMRA' is half a proper motion and not used, for no column is "
                          "known as pm_dec; map it as pm_dec=COLUMN",)
    assert np.isnan(read.pm_ra[0])
    mapped = written("ra,dec,PMRA,northward\n1,2,3,4\n", "pm_dec=northward")
    assert (mapped.pm_ra[0], mapped.pm_dec[0], mapped.notes) == (3, 4, ())
    rows = written("name,ra,dec,pmra,pmdec\na,1,2,3,4\nb,1,2,3,\n")
    assert rows.notes == ("1 position with pm_ra or pm_dec alone, which is not used: row 2 (b)",)


def test_a_source_moves_by_its_proper_motion_and_a_source_without_one_stays():
    stars = Catalogue(ra=[269.45207, 10.0], dec=[4.69339, 20.0], pm_ra=[-801.551, np.nan],
                      pm_dec=[10362.394, np.nan], epoch=[2000.0, np.nan])
    later = stars.at_epoch(2030.0)
    assert (later.dec[0] - 4.69339) * 3600 == pytest.approx(30 * 10.362394, abs=1e-3)
    assert later.epoch[0] == 2030.0
    assert (later.ra[1], later.dec[1]) == (10.0, 20.0)
    assert stars.dec[0] == 4.69339


def test_distances_and_radii_of_stars_are_read_where_their_units_say_that_they_are_some(written):
    stars = written("ra,dec,parallax,e_plx,distance_pc,Radius (Rsun)\n10,20,102.9,50,9.7,0.75\n"
                    "11,20,,,,\n")
    assert stars.parallax[0] == 102.9 and np.isnan(stars.parallax[1])
    assert (stars.parallax_error[0], stars.distance[0], stars.radius[0]) == (50, 9.7, 0.75)
    mapped = written("ra,dec,d,r\n10,20,0.1,695700\n",
                     "parallax=5:arcsec,distance=d:kpc,radius=r:km")
    assert (mapped.parallax[0], mapped.distance[0]) == (5000, 100)
    assert mapped.radius[0] == pytest.approx(1)
    clusters = written("ra,dec,radius_arcmin,dist_arcsec\n10,20,3,4\n")
    assert np.isnan(clusters.radius[0]) and np.isnan(clusters.distance[0]) and not clusters.notes
    plain = written("ra,dec,radius\n10,20,3\n")
    assert np.isnan(plain.radius[0])
    assert "no unit, not used: radius; give it as radius=radius:solRad" in plain.notes[0]


def test_sources_that_are_selected_keep_their_rows_and_their_table():
    stars = Catalogue(ra=[10.0, 20, 30], dec=[1.0, 2, 3], name=["a", "b", "c"], parallax=[1, 2, 3])
    chosen = stars.select(np.array([2, 0]))
    assert chosen.name.tolist() == ["c", "a"] and chosen.row.tolist() == [2, 0]
    assert chosen.table["name"].tolist() == ["c", "a"] and chosen.parallax.tolist() == [3, 1]


def test_a_source_is_seen_displaced_by_its_parallax_from_an_observatory_alone():
    stars = Catalogue(ra=[0.0, 0.0], dec=[0.0, 10.0], parallax=[1000.0, np.nan])
    assert stars.at_epoch(2024.0) is stars
    seen = stars.at_epoch(2024.0, np.array([0.0, 1.0, 0.0]))
    assert 3600 * (360 - seen.ra[0]) == pytest.approx(1.0, abs=1e-6)
    assert seen.ra[1] == 0.0 and np.isnan(seen.epoch).all()


def test_proper_motion_without_an_epoch_is_refused():
    stars = Catalogue(ra=[1.0], dec=[2.0], name=["GJ 1"], pm_ra=[5.0], pm_dec=[6.0], source="gj")
    with pytest.raises(CatalogueError, match=r"gj has proper motions but no epoch.*GJ 1"):
        stars.at_epoch(2020.0)


def test_names_are_cut_and_not_rounded():
    names = position_names(np.array([227.90158, 180.0, 359.99999]),
                           np.array([47.48246, -0.0001, 90.0]))
    assert names.tolist() == ["J151136.3+472856", "J120000.0-000000", "J235959.9+900000"]


@pytest.mark.parametrize(("text", "message"), [
    (b"", "is empty"),
    (b"ra,dec\n", "has no rows"),
    (b"ra,dec\n,\n", "no row with a position"),
    (b"ra,dec\n1,95\n", "dec 95 deg in row 1 is not between -90 and 90"),
    (b"ra,dec\n1,5\n-999,5\n", "ra -999 deg in row 2"),
    (b"RA,DEC\n12:61:00,4\n", "column 'RA', row 1: '12:61:00' is not an angle"),
    (b"ra;dec\n24,75;-17,95\n", "column 'ra', row 1: '24,75' has a decimal comma"),
    (b"ra,dec\n24,75,-17,95\n", "4 cells in the first row and 2 names of columns: decimal commas"),
    (b"ra dec pmra pmdec\n1 2 3 -4,5\n", "column 'pmdec' has decimal commas, as '-4,5'"),
    (b"alpha,beta\n1,2\n", "no position columns .* from its columns alpha, beta"),
    (b"ra,dec\n1,2\n1,2,3\n", "cannot be read: Number of header columns"),
    (b"ra,ra,dec\n1,2,3\n", "cannot be read: Duplicate column names"),
    (b"<!DOCTYPE html><html></html>", "is a web page"),
    (b"<?xml version='1.0'?><a/>", "is XML but not a VOTable"),
    (b"<?xml version='1.0'?><VOTABLE version='1.3'><RESOURCE><INFO name='QUERY_STATUS' "
     b"value='ERROR'>no such\ntable</INFO></RESOURCE></VOTABLE>",
     "error of a service.*no such table"),
    (b"# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: [\nname\n1\n", "cannot be read"),
    (b"SIMPLE  =     nonsense", "cannot be read"),
    (bytes(range(256)), "is not a catalogue: expected VOTable, FITS, ECSV or CSV")])
def test_a_file_that_is_no_catalogue_is_refused_in_one_line(written, text, message):
    refuses(written, text, message)


@pytest.mark.parametrize("name", ["gleam_50srcs.vot", "vlass_cat_test_nvss.fits"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_cut_short_is_refused_in_one_line(shared_data, written, name, packed):
    data = (shared_data / "catalogues" / name).read_bytes()
    half = gzip.compress(data)[:-1000] if packed else data[:len(data) // 2]
    refuses(written, half, "cannot (be )?read")


@pytest.mark.parametrize(("mapping", "message"), [
    ("ra=RAA,dec=DEC", "no column 'RAA'; did you mean 'RA'"),
    ("ra=RA", "both ra and dec"),
    ("raa=RA,dec=DEC", "no 'raa'; did you mean 'ra'"),
    ("ra_error=E_RA", "ra_error 'E_RA' has no unit; give it as ra_error=E_RA:arcsec"),
    ("ra_error=E_RA:Jy", "unit 'Jy' is not one for ra_error: expected one of arcsec"),
    ("foo", "not of the form"),
    ("frame=ecliptic", "not one of icrs, galactic, fk4"),
    ("flux_density=name:Jy", "not of numbers"),
    ("epoch=12", "not a Julian year")])
def test_a_wrong_mapping_names_what_there_is(written, mapping, message):
    refuses(written, "name,RA,DEC,E_RA\nx,1,2,3\n", message, columns=mapping)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(CatalogueError, match=r"none\.fits: No such file"):
        Catalogue.read(tmp_path / "none.fits")


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match=r"column dec has shape \(1,\), expected \(2,\)"):
        Catalogue(ra=[1.0, 2.0], dec=[3.0])


def test_the_schema_goes_through_a_file_unchanged(tmp_path):
    rng = np.random.default_rng(3)
    stars = Catalogue(ra=rng.uniform(0, 360, 5), dec=rng.uniform(-90, 90, 5),
                      ra_error=rng.uniform(0.1, 1, 5), dec_error=rng.uniform(0.1, 1, 5),
                      pm_ra=rng.normal(0, 50, 5), pm_dec=rng.normal(0, 50, 5),
                      epoch=np.full(5, 2016.0), flux_density=rng.uniform(0, 1, 5))
    stars.to_table().write(tmp_path / "stars.ecsv")
    again = Catalogue.read(tmp_path / "stars.ecsv")
    for column in ("name", "ra", "dec", "ra_error", "dec_error", "pm_ra", "pm_dec", "epoch",
                   "flux_density", "flux_density_error"):
        np.testing.assert_array_equal(getattr(again, column), getattr(stars, column))
