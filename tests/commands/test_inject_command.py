"""visds-inject as a user starts it: what it finds, what it leaves alone, its errors."""

import json
import sys

import numpy as np
import pytest
from astropy.table import Table
from launch import RANKS, on_ranks, run
from products import contents

from visds.commands.inject import main
from visds.commands.run import main as run_main
from visds.core.sky import Direction
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.stitch import common_axes
from visds.finished_run import read_run
from visds.injected_data import InjectedData, Place

TABLES = ("injections.ecsv", "completeness.ecsv", "limits.ecsv", "reliability.ecsv")
# Two trials of each of three fluences (none, about the noise, far above), at two places.
FEW = ("--trials", "2", "--directions", "1", "--duration", "20s", "--fluence", "0", "0.05Jys",
       "20Jys", "--fraction-v", "-80%", "--realizations", "16")


@pytest.fixture(scope="module")
def finished(simulated, tmp_path_factory):
    """Return the folder of a finished run of a field of noise."""
    made = simulated(antennas=8, scans=2, scan_length="4min", channels=8, noise="20mJy",
                     quiescent=(0, 0, 0, 0), weight_spectrum=True)
    out = tmp_path_factory.mktemp("run") / "star"
    assert run_main([str(made.measurement_set), "-o", str(out), "--no-images", "--plots", "I",
                     "--realizations", "16", "--detection-threshold", "6",
                     "--clip-i", "100Jy"]) == 0
    return out


@pytest.fixture(scope="module")
def injected(finished, tmp_path_factory):
    """Return the folder of injections through the sums."""
    out = tmp_path_factory.mktemp("inject") / "flares"
    before = contents(finished)
    assert main([str(finished), "-o", str(out), *FEW]) == 0
    assert contents(finished) == before, "the run was changed"
    return out


def table(out, name="injections"):
    return Table.read(out / f"{name}.ecsv")


def test_bright_flares_are_found_as_they_are_and_none_of_zero_fluence(injected):
    made = table(injected)
    assert len(made) == 12 and sorted(set(made["place"])) == ["field", "target"]
    bright, none = made[made["fluence"] == 20], made[made["fluence"] == 0]
    assert bright["recovered"].all() and bright["recovered_I"].all() and bright[
        "recovered_V"].all()
    assert not none["recovered"].any() and np.all(none["snr"] == 0)
    np.testing.assert_allclose(bright["forced_fluence_I"], 20,
                               atol=4 * np.max(bright["forced_fluence_I_error"]))
    np.testing.assert_allclose(bright["forced_fluence_V"], -16,
                               atol=4 * np.max(bright["forced_fluence_V_error"]))
    np.testing.assert_allclose(bright["event_fluence"] / bright["true_fluence"], 1, atol=0.1)
    assert np.all(np.abs(bright["event_delay"]) <= 10)
    assert all(str(veto) in ("", "--") for veto in bright["veto"])


def test_the_products_are_there_with_their_hashes_and_nothing_else(injected):
    held = json.loads((injected / "provenance.json").read_text())
    assert set(held["products"]) == {*TABLES, "completeness.png"}
    assert {path.name for path in injected.iterdir()} == {
        *held["products"], "log.txt", "settings.toml", "provenance.json"}
    counts = table(injected, "completeness")
    for place in ("target", "field"):
        found = counts[(counts["searched"] == "any") & (counts["place"] == place)]
        assert found["found"][[0, 2]].tolist() == [0, 2]
    limits = table(injected, "limits")
    assert limits.meta["detections"] == 0
    assert np.all(limits["fluence_95"] < 20)


def test_the_search_is_that_of_the_run(injected):
    assert table(injected).meta["threshold"] == 6
    assert "detection_threshold = \"6\"" in (injected / "settings.toml").read_text()


def test_through_the_visibilities_the_same_flares_are_found_alike(finished, injected, tmp_path):
    assert main([str(finished), "-o", str(tmp_path), *FEW, "--through", "visibilities"]) == 0
    fast, slow = table(injected), table(tmp_path)
    for name in fast.colnames:
        if fast[name].dtype.kind == "f":
            np.testing.assert_allclose(np.asarray(slow[name], float), np.asarray(
                fast[name], float), rtol=1e-5, atol=1e-6, err_msg=name)
        else:
            assert slow[name].tolist() == fast[name].tolist(), name


def test_the_sums_without_flares_at_the_target_are_those_of_the_run(finished, tmp_path):
    done = read_run(finished)
    target = Place("target", Direction(done.meta["ra_deg"], done.meta["dec_deg"]))
    data = InjectedData(done, (target,), tmp_path, None, done.phase_centre, False)
    axes = common_axes([data.make_blocks(number) for number in range(len(done.files))])
    found, expected = data.stitched(0, axes), DynamicSpectrum.read(finished)
    for name in ("sum_w", "sum_wv", "sum_w2", "sum_w2v", "sum_w2v2", "count", "flags", "time"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.mpi
def test_ranks_make_the_same_tables(finished, injected, tmp_path):
    done = run(on_ranks(RANKS, [sys.executable, "-m", "visds.commands.inject", str(finished), "-o",
                                str(tmp_path), *FEW]))
    assert done.returncode == 0, done.stderr
    for name in TABLES:
        assert (tmp_path / name).read_text() == (injected / name).read_text()


@pytest.mark.parametrize(("options", "message"), [
    (("--fluence", "-1Jys"), "--fluence: a fluence is not negative, as '-1Jys' is"),
    (("--fraction-v", "140%"), "--fraction-v: '140%' is more than all of Stokes I"),
    (("--drift", "0"), "--drift: a drift of 0 would never cross the band; leave it out for none"),
    (("--at", "none", "--directions", "0"),
     "--at none --directions 0: there is nowhere to put flares"),
    (("--at", "here"), "--at: 'here' is not a position: expected hours and degrees as 05:31:58.7 "
     "+33:08:52.5, or 83.1deg -5.2deg; or 'target', or 'none'")])
def test_what_cannot_be_used_is_one_line(finished, tmp_path, capsys, options, message):
    assert main([str(finished), "-o", str(tmp_path / "out"), "--trials", "1", *options]) == 2
    assert not (tmp_path / "out").exists()
    line, = capsys.readouterr().err.strip().splitlines()
    assert line == f"visds-inject: error: {message}"


def test_products_of_the_run_are_not_mixed_with(finished, capsys):
    before = contents(finished)
    for out in (finished, finished / "chunks"):
        assert main([str(finished), "-o", str(out)]) == 2
        assert "holds products of the run" in capsys.readouterr().err
    assert contents(finished) == before


def test_what_is_no_finished_run_is_refused(tmp_path, capsys):
    for path in (tmp_path, tmp_path / "nothing"):
        assert main([str(path)]) == 2
        line, = capsys.readouterr().err.strip().splitlines()
        assert "finished" in line
    assert not list(tmp_path.iterdir())
