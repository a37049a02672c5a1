"""visds-image --find on fields with sources that spoil a search: what it says is true."""

import numpy as np
import pytest
from astropy.table import Table
from casacore.tables import table

from visds.commands.image import main
from visds.core.sky import LIGHT_SPEED, Direction, direction_cosines


def with_sources(simulated, folder, sources):
    """Return a set with sources: east, north (arcsec), flux density (mJy), integrations.

    Snapshots of 60 s have a noise of 1.1 mJy in I.
    """
    made = simulated(array="VLA-C", antennas=14, scans=1, scan_length="6min", channels=4,
                     channel_width="16MHz", frequency="1.3GHz", noise="72mJy",
                     quiescent=(0, 0, 0, 0), copy_to=folder).measurement_set
    with table(f"{made}::SPECTRAL_WINDOW", ack=False) as window:
        wavenumber = window.getcol("CHAN_FREQ")[0] / LIGHT_SPEED
    with table(str(made), ack=False, readonly=False) as main_table:
        uvw, data = main_table.getcol("UVW"), main_table.getcol("DATA")
        number = np.unique(main_table.getcol("TIME"), return_inverse=True)[1]
        for east, north, flux, integrations in sources:
            l, m = np.radians([east / 3600, north / 3600])  # noqa: E741
            path = uvw @ [l, m, np.sqrt(1 - l * l - m * m) - 1]
            wave = np.exp(2j * np.pi * path[:, None] * wavenumber) * flux / 1000
            on = np.isin(number, list(integrations))
            data[on] += wave[on][..., None] * np.array([1, 0, 0, 1])
        main_table.putcol("DATA", data)
    return made


def search(measurement_set, out, *options):
    """Return what is found in snapshots of 60 s, with the offsets of rows, arcsec."""
    assert main([str(measurement_set), "-o", str(out), "--interval", "60s", "--stokes", "I",
                 "--size", "320", "--cell", "5.6arcsec", "--find", "--no-pictures", *options]) == 0
    found = Table.read(out / "found.ecsv")
    with table(f"{measurement_set}::FIELD", ack=False) as field:
        centre = Direction(*np.degrees(field.getcol("PHASE_DIR")[-1, 0]))
    cosines = direction_cosines(np.array(found["ra"]), np.array(found["dec"]), centre)
    found["east"], found["north"] = 3600 * np.degrees(cosines.T[:2])
    return found


def snapshot(number):
    """Return the integrations of a snapshot of 60 s."""
    return range(6 * number, 6 * number + 6)


ALWAYS = range(36)


def test_bright_constant_sources_leave_nothing_and_hide_no_flares(simulated, tmp_path, capsys):
    """Two flares are 18 arcsec, less than a beam, from each other, in different snapshots."""
    made = with_sources(simulated, tmp_path / "set", [
        (246, 246, 200, ALWAYS), (-500, 600, 60, ALWAYS),
        (-200, -150, 100, snapshot(1)), (-200, -132, 80, snapshot(4)),
        (300, 100, 20, snapshot(3))])
    found = search(made, tmp_path / "out")
    log = capsys.readouterr().out
    assert "2 constant sources of more than 20 sigma" in log
    assert found["brightest"].all() and len(found) <= 4  # one of noise may be among them
    for east, north, flux in ((-200, -150, 100), (-200, -132, 80), (300, 100, 20)):
        near = np.hypot(found["east"] - east, found["north"] - north)
        row = found[np.argmin(near)]
        assert near.min() < 4
        assert row["flux_density"] == pytest.approx(flux / 1000, abs=4.5e-3 + 0.03 * flux / 1000)
        assert row["false_alarm_probability"] < 1e-4
    others = found[found["false_alarm_probability"] > 1e-4]
    assert (others["snr"] < 6.5).all()


def test_a_bright_source_that_is_off_now_and_then_makes_no_flare_doubtful(simulated, tmp_path):
    on = [*snapshot(0), *snapshot(1), *snapshot(3), *snapshot(5)]
    made = with_sources(simulated, tmp_path / "set", [
        (60, 100, 100, on), (-200, -150, 100, snapshot(3))])
    found = search(made, tmp_path / "out")
    certain = found[found["false_alarm_probability"] < 1e-4]
    flare, = certain[certain["flux_density"] > 0]
    assert np.hypot(flare["east"] + 200, flare["north"] + 150) < 3
    fades = certain[certain["flux_density"] < 0]
    assert len(fades) == 2 and len(set(fades["name"])) == 1


def test_sidelobes_of_a_flare_outside_of_the_images_are_not_called_certain(simulated, tmp_path):
    made = with_sources(simulated, tmp_path / "set", [(956, 0, 600, [20, 21])])
    found = search(made, tmp_path / "out")
    assert len(found) > 5 and found["snr"].max() > 7
    assert found["false_alarm_probability"].min() > 0.01


def test_within_a_beam_of_a_bright_constant_source_a_flare_is_found(simulated, tmp_path):
    made = with_sources(simulated, tmp_path / "set", [
        (100, 100, 200, ALWAYS), (100, 120, 25, snapshot(2))])
    found = search(made, tmp_path / "out")
    row = found[0]
    assert np.hypot(row["east"] - 100, row["north"] - 120) < 5
    assert row["image"].endswith("2") and row["false_alarm_probability"] < 1e-4
    assert row["flux_density"] == pytest.approx(0.025, abs=0.006)


def test_a_source_that_is_on_for_half_of_the_time_flares_in_that_half(simulated, tmp_path):
    """The mean of the others makes 11 mJy of 18, and -11 mJy in the other half."""
    on = [*snapshot(1), *snapshot(2), *snapshot(5)]
    found = search(with_sources(simulated, tmp_path / "set", [(-200, -150, 18, on)]),
                   tmp_path / "out")
    near = found[np.hypot(found["east"] + 200, found["north"] + 150) < 20]
    assert len(near) >= 2 and (near["flux_density"] > 0).all()
    assert {name[-1] for name in near["image"]} <= {"1", "2", "5"}
