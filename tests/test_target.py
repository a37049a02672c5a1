"""A target is a body, a position, a field, or of a catalogue that was given, in this order."""

import numpy as np
import pytest
from astropy.table import Table
from rooms import plan

from visds.core.astrometry import moved
from visds.core.catalogue import Catalogue
from visds.core.errors import CatalogueError, SettingsError, VisdsError
from visds.core.files import name_of_file
from visds.core.settings import Parser
from visds.core.sky import Direction, separation
from visds.find_targets import find_target, find_targets
from visds.target_settings import TargetSettings


@pytest.fixture(scope="module")
def planned(simulated):
    """Return the plan of an observation of 2024 with the fields target and calibrator."""
    return plan(simulated(scans=2, noise="20mJy", calibrator=True).measurement_set)


def find(planned, *options, **catalogues):
    settings = Parser("visds-test", "", {"target": TargetSettings}).parse(list(options))[1]
    target, = find_targets(planned, settings["target"], catalogues, 0.5)
    return target


def stars(**columns):
    """Return a catalogue of AU Mic in 2000, and another star, near the simulated phase centre."""
    return Catalogue(**{
        "ra": np.array([24.757, 24.76]), "dec": np.array([-17.951, -17.95]),
        "name": np.array(["AU Mic", "bystander"]), "pm_ra": np.array([281.0, np.nan]),
        "pm_dec": np.array([-360.0, np.nan]), "epoch": np.array([2000.0, 2000.0])} | columns)


def arcsec(one, other):
    return 3600 * separation(one, other)


@pytest.mark.parametrize("text", ["AU Mic", "aumic", " Au  MIC"])
def test_a_source_of_a_catalogue_is_where_its_proper_motion_has_brought_it(planned, text):
    found = find(planned, "--target", text, stars=stars())
    ra, dec = moved([24.757], [-17.951], pm_ra=[281.0], pm_dec=[-360.0],
                    years=planned.epoch - 2000)
    assert arcsec(found.direction, Direction(ra[0], dec[0])) < 1e-6
    # 0.457 arcsec a year for 24.4 years.
    assert arcsec(found.direction, Direction(24.757, -17.951)) == pytest.approx(11.15, abs=0.05)
    assert found.name == "AU Mic"
    for part in ("AU Mic of catalogue stars, moved 11.1", "281 mas/yr east and -360 north",
                 "from 2000.000 to 2024.417"):
        assert part in found.origin


def test_a_source_without_a_known_proper_motion_stays_and_says_so(planned):
    found = find(planned, "--target", "bystander", stars=stars())
    assert found.direction == Direction(24.76, -17.95)
    assert "whose proper motion is not known" in found.origin


def test_a_position_comes_before_a_field_and_a_field_before_a_source(planned):
    catalogue = stars(name=np.array(["target", "01:39:02 -17:57:00"]))
    assert find(planned, "--target", "01:39:02 -17:57:00", stars=catalogue).direction \
        == Direction(pytest.approx(24.7583333), pytest.approx(-17.95))
    centre = Direction(*planned.phase_centre)
    found = find(planned, "--target", "target", stars=catalogue)
    assert arcsec(found.direction, centre) < 1e-3
    warning, = found.warnings
    assert "the target is the phase centre of field target; target of catalogue stars" in warning
    assert "13.1 arcsec away: give its position if it is meant" in warning
    assert arcsec(find(planned, "--target", "Calibrator").direction, centre) > 3600


def test_a_name_made_of_a_position_is_a_name_first(planned):
    """Its digits are cut off: the source is up to a second of time and more from them."""
    catalogue = stars(name=np.array(["J013901.6-175703", "other"]), pm_ra=np.full(2, np.nan))
    assert find(planned, "--target", "J013901.6-175703", stars=catalogue).direction \
        == Direction(24.757, -17.951)
    without = find(planned, "--target", "J013901.6-175703")
    assert arcsec(without.direction, Direction(24.7566667, -17.9508333)) < 0.01
    assert without.origin == "read from the digits of its name"


def test_a_name_that_could_be_two_places_is_refused_with_both(planned):
    other = stars(ra=np.array([24.758, 24.76]))
    with pytest.raises(SettingsError, match=r"'AU Mic' could be AU Mic of catalogue a at "
                       r"01:39:02\.\d+ .* or AU Mic of catalogue b at .*give its position") as said:
        find(planned, "--target", "AU Mic", a=stars(), b=other)
    assert "\n" not in str(said.value)
    with pytest.raises(SettingsError, match="'star' could be Star of"):
        find(planned, "--target", "star", a=stars(name=np.array(["Star", "STAR"])))


def test_one_star_in_two_catalogues_is_one_place(planned):
    assert find(planned, "--target", "AU Mic", a=stars(), b=stars()).name == "AU Mic"


def test_a_name_that_nothing_has_is_refused_with_all_that_was_tried(planned):
    with pytest.raises(SettingsError, match=r"--target: 'AD Leo' is not a position.*; nor is it a "
                       r"field \(target, calibrator\), nor a source of catalogue a \(2 sources\) "
                       r"or catalogue b \(2 sources\)$") as caught:
        find(planned, "--target", "AD Leo", a=stars(), b=stars())
    assert "\n" not in str(caught.value)
    with pytest.raises(SettingsError, match=r"\(target, calibrator\); to look a name up, give "
                       "--catalogue FILE"):
        find(planned, "--target", "AD Leo")


def test_a_source_is_not_moved_twice(planned):
    with pytest.raises(SettingsError, match="--proper-motion: 'AU Mic' is a source of a catalogue"):
        find(planned, "--target", "AU Mic", "--proper-motion", "281 -360", stars=stars())


def test_a_source_that_moves_from_an_unknown_epoch_is_refused(planned):
    with pytest.raises(CatalogueError, match="proper motions but no epoch"):
        find(planned, "--target", "AU Mic", stars=stars(epoch=np.full(2, np.nan)))


def test_the_parallax_of_a_source_displaces_it_as_seen_from_the_observatory(planned):
    plain = find(planned, "--target", "AU Mic", stars=stars())
    found = find(planned, "--target", "AU Mic", stars=stars(parallax=np.array([102.9, np.nan])))
    assert 0.05 < arcsec(found.direction, plain.direction) < 0.103
    assert found.origin.endswith("from 2000.000 to 2024.417 and its parallax of 102.9 mas")
    assert found.distance_pc == pytest.approx(1000 / 102.9) and np.isnan(found.radius_rsun)
    by_hand = find(planned, "--target", "24.757deg -17.951deg", "--proper-motion", "281 -360",
                   "--parallax", "102.9")
    assert arcsec(by_hand.direction, found.direction) < 1e-6
    assert by_hand.motion.endswith("by --proper-motion from 2000.000 to 2024.417 and --parallax")
    assert by_hand.distance_pc == pytest.approx(1000 / 102.9)


def test_a_distance_that_is_given_is_taken_and_a_doubtful_parallax_gives_none(planned):
    columns = {"parallax": np.array([102.9, 3.0]), "parallax_error": np.array([0.1, 1.0])}
    assert np.isnan(find(planned, "--target", "bystander", stars=stars(**columns)).distance_pc)
    columns |= {"distance": np.array([9.5, np.nan]), "radius": np.array([0.75, -1.0])}
    found = find(planned, "--target", "AU Mic", stars=stars(**columns))
    assert (found.distance_pc, found.radius_rsun) == (9.5, 0.75)
    assert np.isnan(find(planned, "--target", "bystander", stars=stars(**columns)).radius_rsun)


def test_without_a_target_it_is_the_phase_centre(planned):
    found = find(planned)
    assert arcsec(found.direction, Direction(*planned.phase_centre)) < 1e-3
    assert found.name == "target"


@pytest.mark.parametrize("name", ["1055+018", "0003-066", "J0139-1757"])
def test_a_name_of_digits_is_the_source_of_that_name_and_no_position(planned, name):
    found = find(planned, "--target", name, stars=stars(name=np.array([name, "bystander"])))
    assert found.name == name and "of catalogue stars" in found.origin
    assert arcsec(found.direction, Direction(24.757, -17.951)) < 15


def find_all(planned, *options, width=0.5, **catalogues):
    settings = Parser("visds-test", "", {"target": TargetSettings}).parse(list(options))[1]
    return find_targets(planned, settings["target"], catalogues, width)


def refused(planned, message, *options, error=SettingsError):
    with pytest.raises(error, match=message) as said:
        find_all(planned, *options)
    assert "\n" not in str(said.value)


@pytest.fixture
def listed(planned, tmp_path):
    """Return a function that writes a list of places, by arcmin south of the phase centre."""
    centre = Direction(*planned.phase_centre)

    def write(*rows, columns="name,south", name="stars.csv"):
        path = tmp_path / name
        lines = [f"{columns.replace('south', 'ra,dec')}"]
        for row in rows:
            cells = row.split(",")
            south = columns.split(",").index("south")
            cells[south] = f"{centre.ra!r},{centre.dec - float(cells[south]) / 60!r}"
            lines.append(",".join(cells))
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    return write


def test_several_targets_come_in_the_order_in_which_they_are_named(planned, listed):
    found = find_all(planned, "--target", "bystander", "01:39:02 -17:57:00", "--target", "target",
                     "--targets", listed("UV Ceti,1"), stars=stars())
    assert [target.name for target in found] \
        == ["bystander", "01:39:02.000 -17:57:00.000", "target", "UV Ceti"]
    assert {target.role for target in found} == {"target"}
    assert [target.file_name for target in found] \
        == ["bystander", "01_39_02.000_-17_57_00.000", "target", "UV_Ceti"]


def test_of_a_list_what_is_near_the_pointing_is_taken(planned, listed):
    path = listed("centre,0", "near,-14.9", "beyond half the beam,15.1", "far,600")
    assert [target.name for target in find_all(planned, "--targets", path)] == ["centre", "near"]
    within = find_all(planned, "--targets", path, "--within", "16arcmin")
    assert [target.name for target in within] == ["centre", "near", "beyond half the beam"]
    found = find_all(planned, "--targets", path)[1]
    assert found.origin == "near of stars.csv, whose proper motion is not known"
    refused(planned, r"--targets: none of 1 position in .*stars.csv is within 0\.25 deg of the "
            r"phase centre of field target, .*; the nearest, far, is 10\.00 deg away",
            "--targets", listed("far,600"))


def test_what_decides_is_where_a_star_is_at_the_epoch_of_observation(planned, listed):
    """One of 10 arcsec a year has gone 4 arcmin since 2000."""
    path = listed("coming,18,10000,2000", "going,14,-10000,2000",
                  columns="name,south,pmdec,epoch")
    path = path_with(path, "pmdec", "pmra,pmdec", "10000,2000", "0,10000,2000",
                     "-10000,2000", "0,-10000,2000")
    assert [target.name for target in find_all(planned, "--targets", path)] == ["coming"]


def path_with(path, *pairs):
    with open(path) as file:
        text = file.read()
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        text = text.replace("," + old, "," + new)
    with open(path, "w") as file:
        file.write(text)
    return path


def test_the_columns_of_a_list_are_mapped_and_its_stars_have_sizes(planned, listed):
    path = listed("a,1,9.72,0.75", columns="name,south,d,r")
    found, = find_all(planned, "--targets", path, "--target-columns",
                      "distance=d:pc,radius=r:solRad")
    assert (found.distance_pc, found.radius_rsun) == (9.72, 0.75)
    refused(planned, r"^--targets: .*distance 'd' has no unit.*\(--target-columns says",
            "--targets", path, "--target-columns", "distance=d", error=CatalogueError)


def test_right_ascensions_in_hours_are_guessed_from_where_they_would_be(planned, tmp_path):
    centre = Direction(*planned.phase_centre)
    path = tmp_path / "hours.csv"
    path.write_text(f"name,ra,dec\nstar,{centre.ra / 15!r},{centre.dec!r}\nother,3.2,0\n")
    refused(planned, "is within .* away; 1 would be if their right ascensions are hours: "
            "--target-columns ra=RA:h", "--targets", str(path))
    found, = find_all(planned, "--targets", str(path), "--target-columns", "ra=ra:h,dec=dec")
    assert arcsec(found.direction, centre) < 1e-3
    path.write_text(path.read_text().replace("ra,dec", "ra (h),dec"))
    assert arcsec(find_all(planned, "--targets", str(path))[0].direction, centre) < 1e-3
    path.write_text(f"name,ra,dec\nfar,3.2,{centre.dec!r}\n")
    refused(planned, r"deg away$", "--targets", str(path))


@pytest.mark.parametrize("format", ["ascii.ecsv", "votable", "fits"])
def test_a_list_is_read_in_every_format_of_catalogues(planned, tmp_path, format):
    centre = Direction(*planned.phase_centre)
    Table({"name": ["AU Mic"], "ra": [centre.ra], "dec": [centre.dec]}).write(
        tmp_path / "list", format=format)
    found, = find_all(planned, "--targets", str(tmp_path / "list"))
    assert found.name == "AU Mic" and arcsec(found.direction, centre) < 0.03


def test_targets_of_one_name_are_told_apart_and_one_that_is_there_twice_is_taken_once(planned,
                                                                                      listed):
    found = find_all(planned, "--targets",
                     listed("UV Ceti,1", "UV Ceti,2", "uv/ceti,3", "UV Ceti,2", "other,4"))
    assert [target.name for target in found] == ["UV Ceti", "UV Ceti_2", "uv/ceti_3", "other"]
    assert [target.file_name for target in found] == ["UV_Ceti", "UV_Ceti_2", "uv_ceti_3", "other"]
    assert found[0].warnings == (
        "1 target given twice at one place, such as UV Ceti: taken once",
        "1 target of a name that another has, told apart by a number: the second UV Ceti is "
        "UV Ceti_2",
        "1 target whose files would have the name of another's, told apart by a number: uv/ceti, "
        "uv_ceti in files, is uv/ceti_3")


def test_two_names_of_one_position_are_told(planned, listed):
    found = find_all(planned, "--targets", listed("GJ 1,1", "V1 Cet,1.001", "other,2"))
    assert [target.name for target in found] == ["GJ 1", "V1 Cet", "other"]
    assert found[0].warnings == (
        "GJ 1 and V1 Cet are at one position and have the same spectrum",)
    assert not find_all(planned, "--targets", listed("GJ 1,1", "other,1.01"))[0].warnings


def test_motion_without_a_known_epoch_is_refused_with_the_option_that_mends_it(planned, listed):
    path = listed("a,1,5,6,57388", columns="name,south,pmra,pmdec,epoch")
    refused(planned, r"^--targets: .*no epoch for 1 of its positions \(first: a\); epoch '57388' "
            r"of row 1 is not understood: .*--target-columns", "--targets", path,
            error=CatalogueError)
    mapped, = find_all(planned, "--targets", path, "--target-columns", "epoch=J2016.0")
    assert "from 2016.000 to 2024.417" in mapped.motion
    path = listed("a,1,5,6,J2016.0", columns="name,south,pmra,pmdec,epoch")
    assert "from 2016.000 to 2024.417" in find_all(planned, "--targets", path)[0].motion


def test_a_star_that_its_motion_takes_out_of_the_field_is_told(planned, listed):
    columns = "name,south,pmra,pmdec,epoch"
    rows = ("stays,1,0,0,2000", "going,14,0,-12000,2000")
    said = find_all(planned, "--targets", listed(*rows, columns=columns))[0].warnings
    assert any("12000 mas/yr is more than that of any known star, 10393 of Barnard's: check the "
               "unit of row 2 (going)" in line for line in said)
    assert any(line.startswith("going is within 0.25 deg of the phase centre by its listed "
                               "position, but not at the epoch of observation: moved 29")
               for line in said)
    refused(planned, "none of 1 position .*; going is within 0.25 deg .* by its listed position",
            "--targets", listed(rows[1], columns=columns))


def test_a_list_without_names_of_columns_has_a_hint(planned, tmp_path):
    path = tmp_path / "bare.csv"
    path.write_text("AU Mic,24.757,-17.951\nother,24.76,-17.95\n")
    refused(planned, r"'24\.757' is hardly a name of a column: is a first line such as name,ra,dec "
            r"missing\?", "--targets", str(path), error=CatalogueError)
    path.write_text("AU Mic,24.757,-17.951\n")
    refused(planned, r"has no rows \('24\.757' is hardly", "--targets", str(path),
            error=CatalogueError)


def test_names_of_files_hold_nothing_that_a_shell_or_a_file_system_minds():
    assert name_of_file("../AU Mic; rm -rf $HOME") == "AU_Mic_rm_-rf_HOME"
    assert name_of_file("日本") == "target"
    assert len(name_of_file("x" * 500)) == 100


@pytest.mark.parametrize(("options", "message"), [
    (("--targets", "x.csv", "--target-epoch", "2016"), "--target-epoch is that of a position that "
     "--proper-motion moves: stars of --targets .*--target-columns epoch=2016.0"),
    (("--targets", "/nowhere/x.csv"), "^--targets: cannot read /nowhere/x.csv: No such file"),
    (("--within", "1deg"), "--within is for a list of targets: give it as --targets FILE"),
    (("--target-columns", "ra=a,dec=b"), "--target-columns is for a list of targets"),
    (("--target", "a", "b", "--proper-motion", "1 2"),
     "--proper-motion is that of one target and --target names 2: put them into a list"),
    (("--targets", "x.csv", "--parallax", "3"), "--parallax is that of one --target"),
    (("--target", "Mars", "--proper-motion", "1 2"), "--proper-motion: mars is followed"),
    (("--within", "1"), "--within: '1' needs a unit"), (("--within", "0deg"), "more than 0"),
    (("--parallax", "-3"), "--parallax: '-3' is not a parallax"),
    (("--offsets", "-1"), "--offsets: '-1' is not a number of directions"),
    (("--proper-motion", "nan 1"), "is not a proper motion: it must be finite"),
    (("--target-columns", "raa=x"), "--target-columns: .*no 'raa'; did you mean 'ra'")])
def test_options_that_do_not_go_together_are_one_line(planned, options, message):
    with pytest.raises(VisdsError, match=message) as said:
        find_all(planned, *options)
    assert "\n" not in str(said.value)


def test_a_planet_is_followed_from_the_observatory(planned):
    found = find(planned, "--target", " Jupiter", stars=stars(name=np.array(["JUPITER", "x"])))
    times = np.concatenate([task.time for task in planned.tasks])
    ra, dec = found.track.at(times)
    assert found.place is found.track and found.name == "jupiter"
    assert arcsec(Direction(ra[0], dec[0]), Direction(ra[-1], dec[-1])) > 0.1
    assert arcsec(found.direction, Direction(*(float(axis[len(times) // 2])
                                               for axis in (ra, dec)))) < 1
    assert found.named_place == f"jupiter at {found.direction}"
    for part in ("planet jupiter by the built-in ephemeris",
                 "not JUPITER of catalogue stars, ", "during the observation"):
        assert part in found.origin
    warning, = found.warnings
    assert "of planet jupiter is off by up to 54 arcsec" in warning and "--ephemeris" in warning
    # The Sun is known to hundredths of an arcsecond.
    assert find(planned, "--target", "SUN").warnings == ()


def test_a_target_of_its_own_is_found_without_a_list(planned):
    assert find_target(planned, "target", TargetSettings(), {}).name == "target"
    assert find_target(planned, None, TargetSettings(), {}).place \
        == Direction(*planned.phase_centre)
