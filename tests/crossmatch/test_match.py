"""Matches are those of astropy and of the surveys' own counts, anywhere on the sky."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord, search_around_sky

from visds.core.astrometry import moved
from visds.core.catalogue import Catalogue
from visds.core.epoch import julian_year
from visds.core.errors import CatalogueError, SettingsError
from visds.crossmatch.match import match
from visds.crossmatch.settings import MatchSettings, search_radius
from visds.crossmatch.several import match_all, read_catalogues

# RA 0/360, 90, 180, 270 on the equator and off it, and both poles.
PLACES = [(0.0, 0.0), (0.0, 60.0), (90.0, -20.0), (180.0, 10.0), (270.0, 45.0), (0.0, 90.0),
          (0.0, -90.0), (135.0, 89.999)]


def around(place, count, extent_arcsec, seed):
    """Return a catalogue of sources uniform in a disc about a place."""
    rng = np.random.default_rng(seed)
    radius = extent_arcsec * np.sqrt(rng.random(count))
    sky = SkyCoord(*place, unit="deg").directional_offset_by(
        rng.random(count) * 360 * u.deg, radius * u.arcsec)
    return Catalogue(ra=sky.ra.deg, dec=sky.dec.deg)


def coordinates(catalogue):
    return SkyCoord(catalogue.ra, catalogue.dec, unit="deg")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("radius", [0.5, 60.0])
def test_pairs_separations_and_angles_are_those_of_astropy(place, radius):
    left, right = around(place, 200, 10 * radius, 1), around(place, 300, 10 * radius, 2)
    found = match(left, right, MatchSettings(radius=radius))
    one, other, separation, _ = search_around_sky(coordinates(left), coordinates(right),
                                                  radius * u.arcsec)
    assert len(found) == len(one) > 300
    order, expected = np.lexsort((found.right, found.left)), np.lexsort((other, one))
    np.testing.assert_array_equal(found.left[order], one[expected])
    np.testing.assert_array_equal(found.right[order], other[expected])
    np.testing.assert_allclose(found.separation_arcsec[order], separation.arcsec[expected],
                               rtol=0, atol=1e-6)
    angles = coordinates(left)[found.left].position_angle(coordinates(right)[found.right])
    turn = np.sin(np.radians(found.position_angle_deg) - angles.rad) * found.separation_arcsec
    assert np.max(np.abs(turn)) < 1e-6


@pytest.mark.parametrize(("left", "right", "radius", "pairs"), [
    ("components.csv", "nvss.fits", 15.0, 494), ("components.csv", "first.fits", 3.0, 629),
    ("first.fits", "nvss.fits", 15.0, 519)])
def test_the_surveys_counts_come_out(shared_data, left, right, radius, pairs):
    # The left survey is the first named and the denser; no left source has two partners within
    # these radii, so the count is that of pairs and also that of matched left sources.
    one, other = (Catalogue.read(shared_data / f"catalogues/vlass_cat_test_{name}")
                  for name in (left, right))
    found = match(one, other, MatchSettings(radius=radius))
    assert len(found) == pairs
    assert len(np.unique(found.left)) == pairs
    assert found.best.all()


def test_there_is_one_best_pair_a_source_and_it_is_the_least_normalized():
    left, right = around((350.0, -40.0), 100, 300, 1), around((350.0, -40.0), 300, 300, 2)
    found = match(left, right, MatchSettings(radius=60.0))
    for source in np.unique(found.left):
        mine = found.left == source
        assert found.best[mine].sum() == 1
        assert found.normalized_separation[mine & found.best] == \
            found.normalized_separation[mine].min()
    only = match(left, right, MatchSettings(radius=60.0, best_only=True))
    np.testing.assert_array_equal(only.right, found.right[found.best])
    assert only.best.all()


def test_a_farther_source_of_large_error_can_be_the_better_match():
    left = Catalogue(ra=[0.0], dec=[0.0], ra_error=[0.1], dec_error=[0.1])
    right = Catalogue(ra=[2 / 3600, 359.999], dec=[0.0, 0.0], ra_error=[0.1, 5.0],
                      dec_error=[0.1, 5.0])
    found = match(left, right)
    assert found.right.tolist() == [1, 0]
    np.testing.assert_allclose(found.separation_arcsec, [3.6, 2.0])
    np.testing.assert_allclose(found.normalized_separation,
                               [3.6 / np.hypot(0.1, 5.0), 2 / np.hypot(0.1, 0.1)])
    plain = match(left, right, MatchSettings(best_by="separation"))
    assert plain.right.tolist() == [0, 1]


def test_errors_add_in_quadrature_per_axis_with_the_floor_and_the_default():
    left = Catalogue(ra=[180.0], dec=[60.0], ra_error=[0.3], dec_error=[np.nan])
    right = Catalogue(ra=[180.0 + 1 / 1800], dec=[60.0 + 2 / 3600], ra_error=[0.4], dec_error=[1.0])
    found = match(left, right, MatchSettings(position_error=2.0, systematic_error=0.5))
    east, north = 2 * np.cos(np.radians(60.0)), 2.0
    expected = np.sqrt(east**2 / (0.3**2 + 0.4**2 + 0.5**2) + north**2 / (2**2 + 1**2 + 0.5**2))
    # The tangent plane and the differences of coordinates differ by 1e-5 over 2 arcsec.
    assert found.normalized_separation[0] == pytest.approx(expected, rel=1e-4)


def test_an_error_ellipse_keeps_its_direction_on_the_sky_across_the_pole():
    # Both are 1 arcsec from the pole, a quarter turn apart: the east of one is the north of the
    # other, so the narrow axis of the right source lies along the left source's east.
    left = Catalogue(ra=[0.0], dec=[90 - 1 / 3600], ra_error=[1e-6], dec_error=[1e-6])
    right = Catalogue(ra=[90.0], dec=[90 - 1 / 3600], ra_error=[2.0], dec_error=[0.5])
    found = match(left, right)
    assert found.separation_arcsec[0] == pytest.approx(np.sqrt(2), abs=1e-6)
    assert found.normalized_separation[0] == pytest.approx(np.hypot(1 / 0.5, 1 / 2.0), rel=1e-5)


def test_true_counterparts_scatter_by_their_errors():
    rng = np.random.default_rng(5)
    ra, dec = rng.uniform(0, 360, 4000), np.degrees(np.arcsin(rng.uniform(-1, 1, 4000)))
    # On this sky the nearest other source is a degree away.
    east, north = rng.normal(0, 0.5, 4000), rng.normal(0, 0.3, 4000)
    shifted = moved(ra, dec, pm_ra=east * 1e3, pm_dec=north * 1e3, years=1.0)
    left = Catalogue(ra=ra, dec=dec, ra_error=np.full(4000, 0.3), dec_error=np.full(4000, 0.3))
    right = Catalogue(*shifted, ra_error=np.full(4000, 0.4), dec_error=np.full(4000, 1e-9))
    found = match(left, right)
    assert len(found) == 4000
    # A Rayleigh distribution: 1 - exp(-r^2/2); Kolmogorov's 1 % point is 1.63/sqrt(n).
    cumulative = 1 - np.exp(-np.sort(found.normalized_separation)**2 / 2)
    assert np.max(np.abs(cumulative - np.arange(4000) / 4000)) < 1.63 / np.sqrt(4000)


@pytest.mark.parametrize("place", [(269.45207, 4.69339), (10.0, 89.9999), (359.9999, 0.0)])
def test_a_moving_star_is_matched_only_at_the_epoch_of_observation(place):
    star = Catalogue(ra=[place[0]], dec=[place[1]], pm_ra=[-801.551], pm_dec=[10362.394],
                     epoch=[2000.0])
    seen = Catalogue(*moved([place[0]], [place[1]], pm_ra=[-801.551], pm_dec=[10362.394],
                            years=30.0))
    assert len(match(seen, star)) == 0
    for left, right in ((seen, star), (star, seen)):
        found = match(left, right, epoch=2030.0)
        assert found.separation_arcsec[0] < 1e-6
        table = found.to_table()
        assert table["right_dec"][0] == pytest.approx(seen.dec[0], abs=1e-9)


def test_several_catalogues_give_one_table_with_carried_columns(shared_data):
    folder = shared_data / "catalogues"
    settings = MatchSettings(
        catalogue=(f"nvss={folder}/vlass_cat_test_nvss.fits",
                   f"{folder}/vlass_cat_test_first.fits"), radius=15.0, carry=("FLDNAME",))
    left = Catalogue.read(folder / "vlass_cat_test_components.csv")
    table = match_all(left, read_catalogues(settings), settings, 2019.0)
    assert (table["catalogue"] == "nvss").sum() == 494
    assert set(table["catalogue"]) == {"nvss", "vlass_cat_test_first"}
    assert table["right_FLDNAME"].mask[0]
    assert table["right_FLDNAME"][-1].endswith("F")
    assert table.meta == {"radius_arcsec": 15.0, "epoch_jyear": 2019.0}
    row = table[0]
    assert left.name[row["left_row"]] == row["left_name"]


def test_no_pair_gives_the_same_columns_and_types_as_pairs():
    left, right = Catalogue(ra=[10.0], dec=[20.0]), Catalogue(ra=[10.0], dec=[20.001])
    some = match_all(left, {"right": right})
    none = match_all(left, {"right": right}, MatchSettings(radius=0.1))
    nothing = match_all(left, {})
    assert (len(some), len(none), len(nothing)) == (1, 0, 0)
    for table in (none, nothing):
        assert table.colnames == some.colnames
        for name in some.colnames:
            assert table[name].dtype.kind == some[name].dtype.kind
            assert table[name].unit == some[name].unit


def test_a_source_on_top_of_another_is_zero_away():
    one = Catalogue(ra=[33.3], dec=[44.4], ra_error=[0.0], dec_error=[0.0])
    found = match(one, one)
    assert (found.separation_arcsec[0], found.normalized_separation[0]) == (0.0, 0.0)
    assert len(match(one, Catalogue(ra=[], dec=[]))) == 0


def test_a_column_that_cannot_be_carried_is_refused(shared_data):
    folder = shared_data / "catalogues"
    nvss, first = (Catalogue.read(folder / f"vlass_cat_test_{n}.fits") for n in ("nvss", "first"))
    with pytest.raises(CatalogueError, match="no column 'FIELDS' to carry; did you mean 'FIELD'"):
        match_all(nvss, {"nvss": nvss}, MatchSettings(carry=("FIELDS",)))
    radians = Catalogue.from_table(first.table.copy(), source="changed")
    radians.table["FINT"].unit = "Jy"
    with pytest.raises(CatalogueError, match=r"units differ \(Jy, mJy\)"):
        match_all(nvss, {"a": first, "b": radians}, MatchSettings(carry=("FINT",)))


def test_two_catalogues_of_one_name_and_a_mapping_for_none_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").write_text("ra,dec\n1,2\n")
    files = tuple(str(tmp_path / folder / "x.csv") for folder in ("a", "b"))
    with pytest.raises(CatalogueError, match="two catalogues are called 'x'"):
        read_catalogues(MatchSettings(catalogue=files))
    with pytest.raises(CatalogueError, match="for no catalogue: there are x"):
        read_catalogues(MatchSettings(catalogue=files[:1], columns=("y:ra=a,dec=b",)))


def test_a_mapping_goes_to_its_own_catalogue(tmp_path):
    for name in ("x", "y"):
        (tmp_path / f"{name}.csv").write_text("ra,dec,e,f\n1,2,3,4\n")
    settings = MatchSettings(
        catalogue=tuple(str(tmp_path / f"{name}.csv") for name in ("x", "y")),
        columns=("epoch=2015.0", "y:ra_error=e:arcsec,dec_error=f:arcsec"))
    read = read_catalogues(settings)
    assert np.isnan(read["x"].ra_error[0])
    assert (read["y"].ra_error[0], read["y"].dec_error[0]) == (3.0, 4.0)
    assert (read["x"].epoch[0], read["y"].epoch[0]) == (2015.0, 2015.0)


@pytest.mark.parametrize(("text", "year"), [
    ("2019.47", 2019.47), ("J2000", 2000.0), ("2000-01-01T12:00:00", 2000.0),
    ("2019-06-22", 2000 + (58656 - 51544.5) / 365.25), ("2000-01-01T13:00:00+01:00", 2000.0)])
def test_an_epoch_is_a_julian_year_or_a_date(text, year):
    assert julian_year(text) == pytest.approx(year, abs=1e-9)


@pytest.mark.parametrize("text", ["yesterday", "58656.5", "1066", "2019-13-01"])
def test_what_is_no_epoch_is_refused(text):
    with pytest.raises(SettingsError, match="epoch"):
        julian_year(text)


@pytest.mark.parametrize("text", ["0arcsec", "-3arcsec", "11deg", "3parsec"])
def test_what_is_no_search_radius_is_refused(text):
    with pytest.raises(SettingsError):
        search_radius(text)


def test_there_is_no_direction_between_two_sources_at_the_same_place():
    place, other = Catalogue(ra=[83.1], dec=[-5.2]), Catalogue(ra=[83.1, 83.1], dec=[-5.2, -5.199])
    found = match(place, other, MatchSettings(radius=15.0))
    assert found.separation_arcsec[0] == 0 and np.isnan(found.position_angle_deg[0])
    assert found.normalized_separation[0] == 0
    assert np.sin(np.radians(found.position_angle_deg[1])) == pytest.approx(0, abs=1e-6)
