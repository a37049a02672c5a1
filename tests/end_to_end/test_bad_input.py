"""Bad input is exit code 2 and one line that says what and where; nothing looks finished."""

import os
import resource
import shutil
import subprocess
import sys

import pytest
from casacore import tables
from products import blocks, left_looking_finished, numbers, provenance, temporary

from visds.commands.run import main
from visds.run_settings import RUN_IMAGES

# Quick with its images: short baselines need few pixels.
SMALL = {"array": "VLA-D", "scans": 2, "channels": 16, "noise": "20mJy", "calibrator": True}


@pytest.fixture(scope="module")
def observation(simulated):
    return simulated(**SMALL)


@pytest.fixture
def changed(simulated, tmp_path):
    """Return a measurement set to spoil."""
    return simulated(**SMALL, copy_to=tmp_path / "copy of it").measurement_set


@pytest.fixture
def visds(tmp_path, capsys):
    """Return a function that runs visds-run to `tmp_path`/out: its code, and its one error line."""
    def run(measurement_set, *options, out=tmp_path / "out", chunk_size="50kB"):
        code = main([str(measurement_set), "-o", str(out), "--snapshots", "2", "--plots",
                     "lightcurve", "--chunk-size", chunk_size, *map(str, options)])
        lines = [line for line in capsys.readouterr().err.splitlines()
                 if not line.startswith(("chunks ", "snapshots ", "images of ", "plots "))]
        assert len(lines) <= 1, "more than one line"
        return code, "".join(lines)

    return run


def check_refused(result, tmp_path, *said):
    """Check that a run ended with exit code 2 before it wrote anything."""
    code, line = result
    assert code == 2
    assert line.startswith("visds-run: error: ")
    assert all(text in line for text in said), line
    assert not (tmp_path / "out").exists()


def test_what_is_not_a_measurement_set_is_refused(visds, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.ms").write_text("text")
    table = tmp_path / "antennas"
    tables.table(str(table), tables.maketabdesc(tables.makescacoldesc("NAME", ""))).close()
    garbage = tmp_path / "garbage.ms"
    garbage.mkdir()
    (garbage / "table.dat").write_bytes(b"garbage" * 100)
    for path, reason in ((tmp_path / "missing.ms", "does not exist"),
                         (tmp_path / "folder", "is not a measurement set"),
                         (tmp_path / "file.ms", "is not a measurement set"),
                         (table, "not a measurement set"),
                         (garbage, "cannot be opened")):
        check_refused(visds(path), tmp_path, str(path), reason)


@pytest.mark.parametrize("column", ["WEIGHT", "FLAG", "UVW", "DATA"])
def test_a_missing_column_is_named(visds, changed, tmp_path, column):
    with tables.table(str(changed), readonly=False, ack=False) as table:
        table.removecols(column)
    check_refused(visds(changed), tmp_path, str(changed), column)


@pytest.mark.parametrize("name", ["ANTENNA", "FIELD", "POLARIZATION", "SPECTRAL_WINDOW",
                                  "DATA_DESCRIPTION", "OBSERVATION"])
def test_a_missing_subtable_is_named(visds, changed, tmp_path, name):
    shutil.rmtree(changed / name)
    check_refused(visds(changed), tmp_path, f"{changed}: subtable {name} is missing")


@pytest.mark.parametrize(("options", "said"), [
    (("--field", "nowhere"), ("--field", "no field 'nowhere'", "target, calibrator")),
    (("--field", "7"), ("no field '7'",)),
    (("--scan", "99"), ("--scan: 99 is not in", "it has 1~5")),
    (("--scan", "first"), ("--scan: 'first' is neither a number nor a range",)),
    (("--spw", "4"), ("--spw: 4 is not in", "it has 0")),
    (("--feed", "3"), ("--feed: 3 is not in", "it has 0")),
    (("--field", "target", "--scan", "1"), ("no cross-correlations for this choice",)),
    (("--column", "CORRECTED_DATA"), ("no column CORRECTED_DATA", "DATA")),
    (("--correlations", "XX"), ("--correlations", "no XX", "RR, RL, LR, LL")),
    (("--stokes", "IX"), ("--stokes: X cannot be made",)),
    (("--correlations", "RR"), ("Stokes I needs RR and LL",)),
    (("--target", "01:39:01.6 +80:00:00"), ("--target", "deg from the phase centre")),
    (("--target", "somewhere"), ("--target", "nor is it a field (target, calibrator)",
                                 "give --catalogue FILE")),
    (("--model", "column"), ("has no column MODEL_DATA",)),
    (("--model", "missing.csv"), ("missing.csv",)),
    (("--catalogue", "missing.vot"), ("missing.vot",)),
    (("--weights", "spectrum"), ("no (complete) WEIGHT_SPECTRUM", "--weights row or flat")),
    (("--weights", "natural"), ("--weights", "spectrum")),
    (("--chunk-sise", "1MB"), ("unknown option --chunk-sise", "did you mean '--chunk-size'?")),
    (("--chunk-size", "0MB"), ("--chunk-size: a size must be positive",)),
    (("--chunk-size", "big"), ("--chunk-size: 'big' is not a number with a unit",)),
    (("--deadline", "-3h"), ("--deadline",)),
    (("-n", "0"), ("--ranks: '0' is not a number of ranks",)),
    (("--time-bin", "4MHz"), ("--time-bin", "MHz")),
    (("--settings", "missing.toml"), ("cannot read settings file missing.toml",))])
def test_an_unusable_option_is_named_with_what_would_do(visds, observation, tmp_path, options,
                                                       said):
    check_refused(visds(observation.measurement_set, *options), tmp_path, *said)


@pytest.mark.parametrize(("text", "said"), [
    ("[read]\ncolum = 'DATA'\n", "unknown key 'colum' in [read]; did you mean 'column'?"),
    ("[raed]\ncolumn = 'DATA'\n", "unknown table [raed]; did you mean 'read'?"),
    ("[run]\nstream = 'yes'\n", "[run] stream: must be true or false"),
    ("[average]\ntime_bin = 'x'\n", "[average] time_bin: 'x' is not a number"),
    ("[read\n", "is not a TOML file")])
def test_a_typo_in_a_settings_file_is_named_with_its_place(visds, observation, tmp_path, text,
                                                           said):
    path = tmp_path / "my settings.toml"
    path.write_text(text)
    check_refused(visds(observation.measurement_set, "--settings", path), tmp_path, str(path),
                  said)


@pytest.mark.parametrize(("columns", "options", "said"), [
    ("ra,dec,pmra,pmdec\n24.7,-17.9,100,100\n", (), "proper motions but no epoch for 1"),
    ("ra,dec\n24.7,-17.9\n", ("--carry", "period"), "no column 'period' to carry")])
def test_a_catalogue_that_cannot_be_matched_is_refused_before_the_long_part(
        visds, observation, tmp_path, columns, options, said):
    path = tmp_path / "stars.csv"
    path.write_text(columns)
    check_refused(visds(observation.measurement_set, "--catalogue", path, *options), tmp_path,
                  said)


def test_a_flagger_that_is_not_installed_is_refused_before_the_long_part(
        visds, observation, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "aoflagger", None)
    check_refused(visds(observation.measurement_set, "--flagger", "aoflagger"), tmp_path,
                  "pip install 'visds[aoflagger]'")


def test_a_sky_model_of_another_field_is_refused(visds, observation, tmp_path):
    path = tmp_path / "model.csv"
    path.write_text("ra,dec,I,reference_frequency\n83.0,-5.0,1.0,1.5e9\n")
    check_refused(visds(observation.measurement_set, "--model", path), tmp_path, str(path), "deg")


def test_a_fully_flagged_selection_is_no_flat_spectrum(visds, changed, tmp_path):
    with tables.table(str(changed), readonly=False, ack=False) as table:
        table.putcol("FLAG", table.getcol("FLAG") | True)
    code, line = visds(changed)
    assert code == 2
    assert line.endswith(f"{changed}: every visibility of this selection is flagged")
    assert left_looking_finished(tmp_path / "out") == []


def test_a_range_of_baselines_that_leaves_none_is_named(visds, observation):
    code, line = visds(observation.measurement_set, "--uv-min", "50000km")
    assert code == 2
    assert line.endswith("flagged (100% of them by --uv-min, --uv-max)")


@pytest.mark.parametrize(("options", "said"), [
    (("--flux-unit", "K"), "--stellar-radius and --stellar-distance"),
    (("--flux-range", "5mJy", "1mJy"), "--flux-range needs a lower and an upper end for I, in"),
    (("--mark-flux", "5mJy", "--flux-unit", "K", "--stellar-radius", "1", "--stellar-distance",
      "5"), "--mark-flux: a level in Jy does not fit"),
    (("--flux-range", "I=1mJy", "I=5mJy", "V=5mJy", "V=1mJy"),
     "--flux-range needs a lower and an upper end for V, in"),
    (("--stokes", "IQ", "--curves", "V"), "--curves: 'V' needs V"),
    (("--stokes", "IQ", "--plots", "V"), "--plots: 'V' needs V")])
def test_pictures_that_cannot_be_drawn_are_refused_before_the_long_part(
        visds, observation, tmp_path, options, said):
    check_refused(visds(observation.measurement_set, *options), tmp_path, said)


@pytest.mark.parametrize(("name", "options", "said"), [
    ("meerkat_cdfs_allflagged", (), "every visibility of this selection is flagged"),
    ("paper_XYonly", (), "Stokes I needs RR and LL, or XX and YY; the correlations are XY"),
    ("wsrt_emptyPOLARIZATION", (), "subtable POLARIZATION has no rows"),
    ("gmrt_J1543+480", ("--stokes", "QU"), "--stokes: Q, U cannot be made")])
def test_observed_sets_that_cannot_be_used_say_why(visds, observed, tmp_path, name, options, said):
    path = observed(name)
    code, line = visds(path, *options, chunk_size="256MB")
    assert (code, said in line) == (2, True), line
    assert name in line
    assert left_looking_finished(tmp_path / "out") == []


def test_an_output_that_cannot_be_a_folder_is_refused(visds, observation, tmp_path):
    (tmp_path / "file").write_text("the user's own")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        code, line = visds(observation.measurement_set, out=out)
        assert code == 2
        assert line.startswith(f"visds-run: error: cannot write {out}: ")
    assert (tmp_path / "file").read_text() == "the user's own"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_an_output_without_permission_is_refused(visds, observation, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    code, line = visds(observation.measurement_set, out=tmp_path / "closed" / "out")
    assert (code, "Permission denied" in line) == (2, True)


def test_no_product_is_written_into_a_measurement_set(visds, changed):
    before = sorted(changed.rglob("*"))
    for out in (changed, changed / "products", changed / "ANTENNA" / ".." / "products"):
        code, line = visds(changed, out=out)
        assert (code, "which is only read" in line) == (2, True)
    assert sorted(changed.rglob("*")) == before


@pytest.mark.parametrize("name", ["log.txt", "dynspec.h5", "settings.toml",
                                  f"{RUN_IMAGES}/field_I.fits"])
def test_a_folder_in_the_place_of_a_product_is_named(visds, observation, tmp_path, name):
    (tmp_path / "out" / name).mkdir(parents=True)
    code, line = visds(observation.measurement_set)
    assert code == 2
    assert line.startswith(f"visds-run: error: cannot write {tmp_path / 'out' / name}: ")


def test_a_file_in_the_place_of_the_folder_of_images_is_named(visds, observation, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / RUN_IMAGES).write_text("the user's own")
    code, line = visds(observation.measurement_set)
    assert (code, f"cannot write {tmp_path / 'out' / RUN_IMAGES}: " in line) == (2, True)
    assert (tmp_path / "out" / RUN_IMAGES).read_text() == "the user's own"


def test_a_folder_in_the_place_of_a_chunk_ends_the_run(visds, observation, tmp_path):
    (tmp_path / "out" / "chunks" / "target_dd000_scan00002_00001.block.h5").mkdir(parents=True)
    code, line = visds(observation.measurement_set)
    assert (code, "scan00002_00001.block.h5: Is a directory" in line) == (2, True)
    assert left_looking_finished(tmp_path / "out") == []
    assert temporary(tmp_path / "out") == []


@pytest.mark.parametrize(("kilobytes", "place"), [
    (0.1, "chunks"), (20, "chunks"), (60, "dynspec.h5"), (100, "dynspec.h5"),
    (200, f"{RUN_IMAGES}/field_I.fits"), (339, f"{RUN_IMAGES}/field_I.fits")])
def test_a_limit_on_the_size_of_files_ends_the_run_cleanly(visds, observation, tmp_path,
                                                           kilobytes, place):
    """Not in a segmentation fault of HDF5; the chunks made before stay and are used again."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(kilobytes * 1000), limits[1]))
    try:
        code, line = visds(observation.measurement_set)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (code, "File too large" in line) == (2, True), line
    assert f"cannot write {tmp_path / 'out' / place}" in line
    assert set(left_looking_finished(tmp_path / "out")) <= SPECTRA
    assert temporary(tmp_path / "out") == []
    assert visds(observation.measurement_set)[0] == 0


SPECTRA = {"dynspec.h5", "dynspec.fits"}
"""The products that are there before images are made."""


@pytest.fixture
def small_disk(tmp_path):
    """Return a function that makes a disk of some bytes in a folder."""
    if os.getuid() != 0:
        pytest.skip("only root can make a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()

    def make(size):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
        return folder

    yield make
    subprocess.run(["umount", folder], capture_output=True, check=False)


@pytest.fixture(scope="module")
def taken(observation, tmp_path_factory):
    """Return the bytes on a disk that chunks, spectra and images of a finished run take."""
    out = tmp_path_factory.mktemp("finished") / "out"
    assert main([str(observation.measurement_set), "-o", str(out), "--snapshots", "2", "--plots",
                 "lightcurve", "--chunk-size", "50kB"]) == 0

    def pages(paths):
        return sum(-(-path.stat().st_size // 4096) * 4096 for path in paths)

    return {"chunks": pages((out / "chunks").iterdir()),
            "dynspec": pages(out / name for name in (*SPECTRA, "settings.toml", "log.txt")),
            RUN_IMAGES: pages((out / RUN_IMAGES).iterdir())}


@pytest.mark.parametrize(("part", "place"), [
    (0.01, "chunks"), (0.05, "chunks"), (0.5, "chunks"), (0.8, "chunks"), (0.5, "dynspec"),
    (0.1, RUN_IMAGES), (0.4, RUN_IMAGES), (0.9, RUN_IMAGES), (1.0, "")])
def test_a_full_disk_is_said_in_one_line_wherever_it_strikes(visds, observation, small_disk, taken,
                                                             part, place):
    size = 4096
    for name, taken_by_it in taken.items():
        size += taken_by_it * (part if name == place else 1)
        if name == place:
            break
    out = small_disk(int(size)) / "out"
    code, line = visds(observation.measurement_set, out=out)
    assert code == 2
    assert f"cannot write {out}/{place}" in line
    assert line.endswith("no space left on the disk")
    assert "report.html" not in left_looking_finished(out)
    assert "provenance.json" not in left_looking_finished(out)
    assert temporary(out) == []


def test_a_chunk_whose_data_are_lost_fails_alone(visds, simulated, tmp_path):
    """Exit code 3; the products are made without it, the report names it."""
    options = {"array": "VLA-D", "antennas": 10, "channels": 64, "scans": 2, "noise": "20mJy"}
    good = simulated(**options).measurement_set
    changed = simulated(**options, copy_to=tmp_path / "copy").measurement_set
    with tables.table(str(changed), ack=False) as table:
        manager = table.getdminfo("DATA")["SEQNR"]
    path, = (path for path in changed.glob(f"table.f{manager}*") if path.stat().st_size > 100_000)
    intact = path.read_bytes()
    os.truncate(path, int(len(intact) * 0.7))
    code, line = visds(changed, chunk_size="380kB")
    assert code == 3, line
    made = provenance(tmp_path / "out")
    assert made["failed_chunks"]
    report = (tmp_path / "out" / "report.html").read_text()
    log = (tmp_path / "out" / "log.txt").read_text()
    for name in made["failed_chunks"]:
        assert f"chunk {name} failed" in report
        assert f"chunk {name} failed on rank 0" in log
    assert "Traceback" in log
    assert 0 < len(blocks(tmp_path / "out")) == 8 - len(made["failed_chunks"])
    path.write_bytes(intact)
    assert visds(changed, chunk_size="380kB")[0] == 0
    assert visds(good, out=tmp_path / "good", chunk_size="380kB")[0] == 0
    mended, never_lost = numbers(tmp_path / "out"), numbers(tmp_path / "good")
    for name in ("lightcurve.ecsv", f"{RUN_IMAGES}/field_I.fits"):
        assert mended[name] == never_lost[name]


def test_if_every_chunk_fails_there_are_no_products(visds, changed, tmp_path):
    with tables.table(str(changed), ack=False) as table:
        manager = table.getdminfo("DATA")["SEQNR"]
    for path in changed.glob(f"table.f{manager}*"):
        os.truncate(path, min(path.stat().st_size, 3000))
    code, line = visds(changed)
    assert code == 2
    assert str(changed) in line
    assert left_looking_finished(tmp_path / "out") == []
