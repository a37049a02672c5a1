"""Only feeds that look at one place and stand parallel are averaged, and turned right."""

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from casacore import tables
from rooms import chunks, plan, spectrum, with_rows_in_order, writable

from visds.core.errors import MeasurementSetError, SettingsError
from visds.visibility.simulation.sky_geometry import bundled_earth_orientation

LINEAR = {"feeds": "linear", "array": "ATCA", "receptor_angle": "30deg"}


def with_feeds(path, *feeds, factor=3):
    """Add rows to a measurement set: for each pair (FEED1, FEED2) a copy of all, `factor` times."""
    with writable(path) as main:
        rows = main.nrows()
        for feed1, feed2 in feeds:
            start = main.nrows()
            main.copyrows(main, 0, -1, rows)
            main.putcol("DATA", factor * main.getcol("DATA", 0, rows), start, rows)
            main.putcol("FEED1", np.full(rows, feed1), start, rows)
            main.putcol("FEED2", np.full(rows, feed2), start, rows)
    return path


def set_angles(path, degrees_of_antennas, **columns):
    """Give antennas, by number, a RECEPTOR_ANGLE; and all rows of FEED values of other columns."""
    with writable(f"{path}::FEED") as table:
        for row, antenna in enumerate(table.getcol("ANTENNA_ID")):
            if int(antenna) in degrees_of_antennas:
                table.putcell("RECEPTOR_ANGLE", row,
                              np.radians([degrees_of_antennas[int(antenna)]] * 2))
        for name, value in columns.items():
            table.putcol(name, np.full(table.nrows(), value))


def add_rows_of_feed(path, degrees, **columns):
    """Add a copy of all rows of FEED with another RECEPTOR_ANGLE and other values of columns."""
    with writable(f"{path}::FEED") as table:
        rows = table.nrows()
        table.copyrows(table, 0, -1, rows)
        for row in range(rows, 2 * rows):
            table.putcell("RECEPTOR_ANGLE", row, np.radians([degrees, degrees]))
        for name, value in columns.items():
            table.putcol(name, np.full(rows, value), rows, rows)


def set_mounts(path, *mounts):
    """Give the first antennas these MOUNTs, and the last one to all others."""
    with writable(f"{path}::ANTENNA") as table:
        count = table.nrows()
        table.putcol("MOUNT", [*mounts, *[mounts[-1]] * count][:count])


def angles(path, *options):
    """Return the receptor angles (deg) that are applied, by spectral window."""
    return {task.source.spectral_window: round(np.degrees(task.source.feed_angle), 6)
            for task in plan(path, *options).tasks}


def turning(path, *options):
    source = plan(path, *options).tasks[0].source
    return source.parallactic, source.nasmyth


def said(path, *options):
    return "\n".join(plan(path, *options).warnings)


# ---- Rows of several feeds -------------------------------------------------------------------

def test_rows_of_two_feeds_are_refused_until_one_is_chosen(simulated, tmp_path):
    path = with_feeds(simulated(copy_to=tmp_path).measurement_set, (1, 1))
    with pytest.raises(MeasurementSetError, match=r"holds the feeds 0~1 .*--feed") as refused:
        plan(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("order", ["feed after feed", "feed beside feed"])
def test_the_feed_chosen_is_the_only_one_that_is_averaged(simulated, tmp_path, order):
    alone = spectrum(simulated().measurement_set)
    path = with_feeds(simulated(copy_to=tmp_path / "made").measurement_set, (1, 1))
    if order == "feed beside feed":
        path = with_rows_in_order(path, "TIME,ANTENNA1,ANTENNA2,FEED1", tmp_path / "ordered.ms")
    for feed, factor in (("0", 1), ("1", 3)):
        made = spectrum(path, "--feed", feed)
        np.testing.assert_array_equal(made.count, alone.count)
        np.testing.assert_allclose(made.flux_density, factor * alone.flux_density, rtol=1e-6)


def test_rows_that_correlate_two_feeds_are_refused_and_left_out_of_either(simulated, tmp_path):
    path = with_feeds(simulated(copy_to=tmp_path).measurement_set, (0, 1))
    with pytest.raises(MeasurementSetError, match=r"the feeds 0 .* rows that correlate different"):
        plan(path)
    alone = spectrum(simulated().measurement_set)
    np.testing.assert_array_equal(spectrum(path, "--feed", "0").sum_wv, alone.sum_wv)
    with writable(path) as main:
        main.putcol("FEED1", main.getcol("FEED2") + 1)
    for options in ((), ("--feed", "0")):
        with pytest.raises((MeasurementSetError, SettingsError), match=r"different feeds|has none"):
            plan(path, *options)


@pytest.mark.parametrize(("text", "reason"), [("3", "3 is not in .* it has 0~1$"),
                                              ("a", "'a' is neither a number")])
def test_a_feed_that_is_not_there_is_named_with_those_that_are(simulated, tmp_path, text, reason):
    path = with_feeds(simulated(copy_to=tmp_path).measurement_set, (1, 1))
    with pytest.raises(SettingsError, match=f"--feed: {reason}"):
        plan(path, "--feed", text)


def test_a_feed_of_another_field_does_not_matter(simulated, tmp_path):
    path = simulated(copy_to=tmp_path, calibrator=True).measurement_set
    with writable(path) as main:
        for name in ("FEED1", "FEED2"):
            main.putcol(name, main.getcol("FIELD_ID"))
    assert plan(path, "--field", "target").tasks
    assert plan(path, "--field", "calibrator").tasks


def test_without_columns_of_feeds_all_rows_are_of_feed_0(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    with writable(path) as main:
        for name in ("FEED1", "FEED2"):
            main.renamecol(name, f"NO_{name}")
    np.testing.assert_array_equal(spectrum(path).sum_wv,
                                  spectrum(simulated().measurement_set).sum_wv)
    assert plan(path, "--feed", "0").tasks


def test_a_beam_beside_the_pointing_is_doubted(simulated, tmp_path):
    path = with_feeds(simulated(copy_to=tmp_path).measurement_set, (1, 1))
    with writable(f"{path}::FEED") as table:
        rows = table.nrows()
    add_rows_of_feed(path, 0, FEED_ID=1)
    with writable(f"{path}::FEED") as table:
        for row in range(rows, 2 * rows):
            table.putcell("BEAM_OFFSET", row, np.radians([[0.3, 0.4]] * 2))
    assert "the beam of feed 1 is 0.50 deg beside the pointing" in said(path, "--feed", "1")
    assert "BEAM_OFFSET" not in said(path, "--feed", "0")


# ---- Receptor angles -------------------------------------------------------------------------

def test_linear_feeds_turned_against_each_other_see_no_stokes_parameter_right():
    # Thompson, Moran and Swenson 2017, sec. 4.7: the brightness matrix between two rotations.
    i, q, u, v = 5.0, 0.7, -0.4, 0.3
    first, second = np.radians([40.0, 10.0])
    brightness = np.array([[i + q, u + 1j * v], [u - 1j * v, i - q]])

    def rotation(a):
        return np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])

    (xx, xy), (yx, yy) = rotation(first) @ brightness @ rotation(second).T
    apart = first - second
    assert (xx + yy) / 2 == pytest.approx(i * np.cos(apart) - 1j * v * np.sin(apart))
    assert (xy - yx) / 2j == pytest.approx(v * np.cos(apart) - 1j * i * np.sin(apart))


@pytest.mark.parametrize("options", [(), ("--stokes", "IV"), ("--correlations", "XX", "YY")])
def test_linear_feeds_that_are_not_parallel_are_refused_with_the_extremes(
        simulated, tmp_path, options):
    path = simulated(copy_to=tmp_path, **LINEAR).measurement_set
    set_angles(path, {2: 75.0, 4: 29.0})
    names = plan(simulated(**LINEAR).measurement_set).description.antenna_names
    with pytest.raises(MeasurementSetError, match=(
            f"RECEPTOR_ANGLE is 29.0 deg for {names[4]} and 75.0 deg for {names[2]}"
            ".*XX . YY of linear feeds that are not parallel is not I.*--receptor-angle")):
        plan(path, *options)
    assert angles(path, "--receptor-angle", "12") == {0: 12}


@pytest.mark.parametrize("other", [30.09, 29.91, 210.0, -150.0])
def test_feeds_that_agree_to_a_tenth_of_a_degree_or_half_a_turn_are_parallel(
        simulated, tmp_path, other):
    path = simulated(copy_to=tmp_path, **LINEAR).measurement_set
    set_angles(path, {3: other})
    assert angles(path) == {0: 30}


def test_an_antenna_that_did_not_observe_may_stand_as_it_likes(simulated, tmp_path):
    path = simulated(copy_to=tmp_path, **LINEAR).measurement_set
    set_angles(path, {5: 75.0})
    set_mounts(path, *["ALT-AZ"] * 5, "EQUATORIAL")
    with writable(path) as main:
        first, second = main.getcol("ANTENNA1"), main.getcol("ANTENNA2")
        of_five = (first == 5) | (second == 5)
        main.putcol("ANTENNA1", np.where(of_five, 5, first))
        main.putcol("ANTENNA2", np.where(of_five, 5, second))
    assert angles(path) == {0: 30} and turning(path) == (True, 0)


def test_spectral_windows_have_receptor_angles_of_their_own(simulated, tmp_path):
    path = simulated(copy_to=tmp_path, **LINEAR, spectral_windows=2).measurement_set
    set_angles(path, {}, SPECTRAL_WINDOW_ID=0)
    add_rows_of_feed(path, 60, SPECTRAL_WINDOW_ID=1)
    assert angles(path) == {0: 30, 1: 60}
    assert "Q and U turned by the receptor angle 30.0, 60.0 deg" in plan(path).choices
    first, second = chunks(path, "--parallactic", "no")
    np.testing.assert_allclose(np.degrees([first.feed_angle[0], second.feed_angle[0]]), [30, 60])


def test_the_receptor_angle_is_that_of_the_feed_chosen(simulated, tmp_path):
    path = with_feeds(simulated(copy_to=tmp_path, **LINEAR).measurement_set, (1, 1))
    add_rows_of_feed(path, 45, FEED_ID=1)
    assert angles(path, "--feed", "0") == {0: 30}
    assert angles(path, "--feed", "1") == {0: 45}


def test_a_receptor_angle_that_changes_with_time_is_that_of_the_scans_chosen(simulated, tmp_path):
    path = simulated(copy_to=tmp_path, **LINEAR, scans=2).measurement_set
    with tables.table(str(path), ack=False) as main:
        time, scan = main.getcol("TIME"), main.getcol("SCAN_NUMBER")
    scans = np.unique(scan)
    spans = [(time[scan == number].min(), time[scan == number].max()) for number in scans]
    middles = [dict(TIME=(begin + end) / 2, INTERVAL=end - begin + 10) for begin, end in spans]
    set_angles(path, {}, **middles[0])
    add_rows_of_feed(path, 50, **middles[1])
    assert angles(path, "--scan", str(scans[0])) == {0: 30}
    assert angles(path, "--scan", str(scans[1])) == {0: 50}
    with pytest.raises(MeasurementSetError, match=r"30.0 deg .* 50.0 deg .*choose scans with --sc"):
        plan(path)


@pytest.mark.parametrize("columns", [
    {"SPECTRAL_WINDOW_ID": 7}, {"FEED_ID": 2}, {"TIME": 1e9, "INTERVAL": 10.0},
    {"TIME": 0.0, "INTERVAL": 0.0}, {"SPECTRAL_WINDOW_ID": -1, "INTERVAL": -1.0}])
def test_numbers_and_intervals_of_feed_that_went_stale_do_not_hide_the_angle(
        simulated, tmp_path, columns):
    path = simulated(copy_to=tmp_path, **LINEAR).measurement_set
    set_angles(path, {}, **columns)
    assert angles(path) == {0: 30}


def test_the_first_receptor_counts(simulated, tmp_path):
    path = simulated(copy_to=tmp_path, **LINEAR).measurement_set
    with writable(f"{path}::FEED") as table:
        for row in range(table.nrows()):
            table.putcell("RECEPTOR_ANGLE", row, np.radians([30, (120, 30, 0)[row % 3]]))
    assert angles(path) == {0: 30}


def test_antennas_without_a_receptor_angle_are_as_the_others(simulated, tmp_path):
    path = simulated(copy_to=tmp_path, **LINEAR).measurement_set
    with writable(f"{path}::FEED") as table:
        table.removerows([0])
        table.putcell("RECEPTOR_ANGLE", 0, np.full(2, np.nan))
    assert angles(path) == {0: 30}
    with writable(f"{path}::FEED") as table:
        table.renamecol("RECEPTOR_ANGLE", "NO_ANGLE")
    assert angles(path) == {0: 0}


def test_circular_feeds_that_are_not_parallel_spoil_q_and_u_alone(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    set_angles(path, {2: 75.0})
    doubt = "the phases of RL and LR, and so Q and U, are right only if"
    assert doubt in said(path) and angles(path) == {0: 0}
    assert doubt not in said(path, "--stokes", "IV")
    assert doubt not in said(path, "--receptor-angle", "0")


# ---- Mounts ----------------------------------------------------------------------------------

@pytest.mark.parametrize(("mount", "side"), [
    ("ALT-AZ+NASMYTH-R", 1), ("NASMYTH-RIGHT", 1), ("alt-az+nasmyth-l", -1), ("NASMYTH-LEFT", -1)])
def test_at_a_nasmyth_focus_the_feeds_turn_with_what_the_tertiary_mirror_shows_them(
        simulated, tmp_path, mount, side):
    # The mirror sends light along the elevation axis to a receiver beside the dish, on its right
    # as seen from behind, whose X is vertical. Which axis on the sky is that?
    path = simulated(copy_to=tmp_path, **LINEAR, scan_length="4h", integration="10min"
                     ).measurement_set
    set_mounts(path, mount)
    planned = plan(path)
    assert turning(path) == (True, side)
    chunk, = chunks(path, "--receptor-angle", "0")
    place = EarthLocation.from_geocentric(*planned.description.position, unit="m")
    star = SkyCoord(*planned.phase_centre, unit="deg")
    elevations = []
    for time, found in zip(chunk.time, chunk.feed_angle, strict=True):
        with bundled_earth_orientation():
            frame = AltAz(obstime=Time(time, format="mjd"), location=place)
            there = star.transform_to(frame)
            up = np.array([0, 0, 1.0])
            azimuth, elevation = there.az.rad, there.alt.rad
            to_star = np.array([np.sin(azimuth) * np.cos(elevation),
                                np.cos(azimuth) * np.cos(elevation), np.sin(elevation)])
            to_receiver = side * np.array([np.cos(azimuth), -np.sin(azimuth), 0])
            normal = (to_star + to_receiver) / np.sqrt(2)
            seen = up - 2 * (up @ normal) * normal
            assert seen @ to_star == pytest.approx(0, abs=1e-12)
            beside = to_star + 1e-3 * seen
            moved = SkyCoord(az=np.arctan2(beside[0], beside[1]) * units.rad,
                             alt=np.arcsin(beside[2] / np.linalg.norm(beside)) * units.rad,
                             frame=frame)
            expected = star.position_angle(moved.icrs).rad
        elevations.append(there.alt.deg)
        assert (found - expected + np.pi / 2) % np.pi - np.pi / 2 == pytest.approx(0, abs=2e-3)
    assert np.ptp(elevations) > 10


@pytest.mark.parametrize(("mount", "turns"), [
    ("ALT-AZ", True), ("Alt-Az ", True), ("EQUATORIAL", False)])
def test_mounts_that_are_understood_need_no_word(simulated, tmp_path, mount, turns):
    path = simulated(copy_to=tmp_path, **LINEAR).measurement_set
    set_mounts(path, mount)
    assert turning(path) == (turns, 0) and "MOUNT" not in said(path)


@pytest.mark.parametrize("mount", ["", "X-Y", "ORBITING", "SPHERICAL", "ALT-AZ+ROTATOR",
                                   "ALT-AZ+BWG-R", "BIZARRE"])
def test_mounts_that_are_not_understood_leave_q_and_u_doubtful(simulated, tmp_path, mount):
    path = simulated(copy_to=tmp_path, **LINEAR).measurement_set
    set_mounts(path, mount)
    doubt = f"MOUNT is {mount.lower() or 'empty'}, and how that turns the feeds on the sky is not"
    assert turning(path) == (False, 0) and doubt in said(path)
    assert "MOUNT" not in said(path, "--stokes", "IV")
    assert "MOUNT" not in said(path, "--parallactic", "no")
    assert turning(path, "--parallactic", "yes") == (True, 0)


@pytest.mark.parametrize("mounts", [
    ("ALT-AZ", "EQUATORIAL"), ("ALT-AZ", "ALT-AZ", "X-Y", "ALT-AZ"), ("EQUATORIAL", "X-Y"),
    ("ALT-AZ+NASMYTH-R", "ALT-AZ+NASMYTH-L"), ("ALT-AZ", "ALT-AZ+NASMYTH-L")])
@pytest.mark.parametrize("options", [(), ("--stokes", "I")])
def test_linear_feeds_that_turn_differently_are_refused(simulated, tmp_path, mounts, options):
    path = simulated(copy_to=tmp_path, **LINEAR).measurement_set
    names = plan(path).description.antenna_names
    set_mounts(path, *mounts)
    with pytest.raises(MeasurementSetError, match=f"feeds turn differently on the sky .* for "
                                                  f"{names[0]}, .*; if .* --parallactic no"):
        plan(path, *options)
    assert turning(path, *options, "--parallactic", "no") == (False, 0)


@pytest.mark.parametrize(("mounts", "turns"), [
    (("BIZARRE", "X-Y", ""), (True, 0)), (("ALT-AZ", "X-Y"), (True, 0)),
    (("EQUATORIAL",), (True, 0)), (("ALT-AZ+NASMYTH-R",), (True, 1)),
    (("ALT-AZ", "EQUATORIAL"), None), (("BIZARRE", "ALT-AZ+NASMYTH-R"), None)])
@pytest.mark.parametrize("feeds", [LINEAR, {}])
def test_the_user_can_say_that_feeds_turn_but_not_that_different_mounts_turn_alike(
        simulated, tmp_path, mounts, turns, feeds):
    path = simulated(copy_to=tmp_path, **feeds).measurement_set
    set_mounts(path, *mounts)
    if turns:
        assert turning(path, "--parallactic", "yes") == turns
    else:
        with pytest.raises(MeasurementSetError, match=r"MOUNT is alt-az for \w+, .* for \w+"):
            plan(path, "--parallactic", "yes")


def test_an_empty_mount_among_others_is_taken_as_theirs_and_that_is_said(simulated, tmp_path):
    path = simulated(copy_to=tmp_path, **LINEAR).measurement_set
    set_mounts(path, "ALT-AZ", "", "ALT-AZ")
    name = plan(path).description.antenna_names[1]
    assert turning(path) == (True, 0)
    assert f"MOUNT is empty for {name} and perhaps others: taken to be alt-az" in said(path)


def test_circular_feeds_that_turn_differently_give_i_and_v(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    set_mounts(path, "ALT-AZ", "EQUATORIAL")
    assert turning(path) == (False, 0)
    with pytest.raises(MeasurementSetError, match="Q and U cannot be turned by one angle"):
        plan(path, "--parallactic", "yes")
    assert plan(path, "--parallactic", "yes", "--stokes", "IV").stokes == ("I", "V")


def test_linear_feeds_a_continent_apart_are_not_parallel(simulated, tmp_path):
    path = simulated(copy_to=tmp_path, **LINEAR).measurement_set
    with writable(f"{path}::ANTENNA") as table:
        west = EarthLocation.from_geodetic(116.6, -26.7)
        table.putcell("POSITION", 1, np.array([axis.to_value("m") for axis in west.geocentric]))
    with pytest.raises(MeasurementSetError, match=r"parallactic angles of .* differ by up to"):
        plan(path, "--stokes", "I")
    assert turning(path, "--parallactic", "no") == (False, 0)


def test_a_row_of_an_antenna_that_is_not_described_is_refused(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    with writable(f"{path}::ANTENNA") as table:
        table.removerows([5])
    with pytest.raises(MeasurementSetError, match="rows are of antenna 5, but ANTENNA has 5 rows"):
        plan(path)
