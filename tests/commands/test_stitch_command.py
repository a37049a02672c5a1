"""visds-stitch: nights and bands of several runs to one, for the search and for visds-plot."""

import json

import numpy as np
import pytest
from astropy.table import Table
from program import run
from spectra import spectrum

from visds.commands.plot import main as plot
from visds.commands.stitch import RUN_TABLES, main
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.spectra_file import directions_of, read_spectrum, write_spectra
from visds.run_settings import STAGES

KNOWN = {"longest_baseline_m": 1000.0, "flag_statistics": {"visibilities": 10, "used": 1.0}}
PLAIN = ("--plots", "lightcurve", "--picture-resolution", "50")
QUIET = ("--no-images", "--snapshots", "1")


def night(number, target="test star", *, role="target", flare=0.0, **options):
    truth = np.zeros((24, 6, 4))
    truth[10:14, :, 0] = flare
    return spectrum(truth, sigma=0.05, scans=(1, 2), start_mjd=59000.0 + number, baselines=12,
                    seed=number * 7 + len(target), meta=KNOWN | {"target": target, "role": role},
                    **options)


def folder(tmp_path, number, *others):
    out = tmp_path / f"night {number}"
    out.mkdir()
    write_spectra(out / "dynspec.h5", [night(number, flare=1.0), *others])
    return out


def test_runs_of_each_scan_are_stitched_to_the_run_of_both(simulated, tmp_path):
    observation = simulated(scans=2, noise="20mJy", channels=4)
    outs = []
    for scans in (("1",), ("2",), ("1", "2")):
        out = tmp_path / f"scans {len(outs)}"
        assert run(observation.measurement_set, out, "--scan", *scans, *QUIET).code == 0
        outs.append(out)
    assert main([*map(str, outs[:2]), "-o", str(tmp_path / "both"), *PLAIN]) == 0
    found, expected = (DynamicSpectrum.read(out) for out in (tmp_path / "both", outs[2]))
    for name in DynamicSpectrum.array_specs():
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    np.testing.assert_allclose(found.sigma, expected.sigma, rtol=1e-12)
    for key in ("flag_statistics", "weight_scale"):
        assert found.meta[key] == pytest.approx(expected.meta[key], rel=1e-12)
    assert main([str(outs[0]), str(outs[2]), "-o", str(tmp_path / "twice")]) == 2
    assert not (tmp_path / "twice").exists()


def test_what_is_stitched_is_searched_and_drawn_as_a_run(tmp_path, capsys):
    outs = [folder(tmp_path, number) for number in (0, 1)]
    out = tmp_path / "nights"
    assert main([*map(str, outs), "-o", str(out), "--expected-sign=-1", *PLAIN]) == 0
    said = capsys.readouterr().out
    assert "night 1: scan 1 is 1001, scan 2 is 1002" in said
    assert f"plots: {out / 'plots'}; visds-plot {out} draws others" in said
    assert [path.name for path in (out / "plots").iterdir()] == ["lightcurve.png"]
    detections = Table.read(out / "detections.ecsv")
    assert sorted(detections["scan"]) == [1, 2, 1001, 1002]
    assert len(Table.read(out / "lightcurve.ecsv")) == 48
    made = json.loads((out / "provenance.json").read_text())
    assert {"dynspec.h5", "detections.ecsv", "settings.toml"} <= set(made["products"])
    assert len(made["inputs"]) == 2
    assert plot([str(out), "--plots", "I", "--picture-resolution", "50"]) == 0
    assert capsys.readouterr().out.split("\n")[0] == str(out / "plots" / "dynspec_I.png")


def test_targets_that_all_runs_have_are_stitched_and_what_is_off_source_where_it_is_one(tmp_path):
    beside = {"ra_deg": 83.01, "dec_deg": -5.0}
    away = night(1, "off source 2", role="off source")
    outs = [folder(tmp_path, 0, night(0, "second"), night(0, "first only"),
                   night(0, "off source 1", role="off source"),
                   night(0, "off source 2", role="off source")),
            folder(tmp_path, 1, night(1, "Second"), night(1, "off source 1", role="off source"),
                   away.replace(meta=away.meta | beside))]
    assert main([*map(str, outs), "-o", str(tmp_path / "all"), *PLAIN]) == 0
    assert {path.name for path in (tmp_path / "all" / "plots").iterdir()} == {"test_star", "second"}
    metas = directions_of(tmp_path / "all" / "dynspec.h5")
    assert [meta["target"] for meta in metas] == ["test star", "second", "off source 1"]
    assert len(read_spectrum(tmp_path / "all" / "dynspec.h5", 2).time) == 48
    assert main([*map(str, outs), "-o", str(tmp_path / "one"), "--target", "second", *PLAIN]) == 0
    metas = directions_of(tmp_path / "one" / "dynspec.h5")
    assert [meta["target"] for meta in metas] == ["second", "off source 1"]


def test_what_cannot_be_stitched_is_one_line_and_leaves_what_is_there(tmp_path, capsys):
    outs = [str(folder(tmp_path, number)) for number in (0, 1)]
    other = tmp_path / "other"
    other.mkdir()
    write_spectra(other / "dynspec.h5", [night(2, "other star"),
                                         night(2, "off_001", role="off source")])
    held = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for arguments, message in (
            ([*outs], "-o FOLDER is missing"),
            ([outs[0], "-o", "new"], "one OUT is nothing to stitch"),
            ([outs[0], outs[0], "-o", "new"], "the same OUT is given twice, and would count twice"),
            ([*outs, "-o", outs[1]], "is the folder of one of the runs"),
            ([outs[0], str(other), "-o", "new"],
             f"no target in common: {outs[0]} has test star; {other} has other star\n"),
            ([*outs, "-o", "new", "--target", "nobody"], "no direction 'nobody'; it has test star"),
            ([*outs, "-o", "new", "--plots", "XX"], "--plots: 'XX' needs XX; there will be I, Q"),
            ([outs[0], str(tmp_path), "-o", "new"], "holds no dynspec.h5")):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == held


def test_the_settings_of_a_run_may_be_given():
    own = {"detect", "polarization", "variability", "cut", "plot"}
    assert set(RUN_TABLES) < set(STAGES) <= {*RUN_TABLES, *own}
