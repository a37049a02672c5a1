"""visds-run from the command line: options, what they print, exit codes."""

import contextlib
import os
import re
import subprocess
import sys

import pytest
from launch import RANKS, environment, on_ranks, run, started, visds_run
from products import PRODUCTS, assert_same_sums, contents, numbers, provenance

from visds.commands.run import main
from visds.core.errors import ExitCode
from visds.run_settings import RUN_IMAGES

# Quick with its images: short baselines need few pixels.
SMALL = {"array": "VLA-D", "scans": 2, "noise": "20mJy", "calibrator": True}


@pytest.fixture(scope="module")
def observation(simulated):
    return simulated(**SMALL)


@pytest.fixture(scope="module")
def out(observation, tmp_path_factory):
    """Return the folder of a run with some options."""
    out = tmp_path_factory.mktemp("a run") / "out"
    assert main([str(observation.measurement_set), "-o", str(out), "--plots", "lightcurve",
                 "--time-bin", "20s", "--stokes", "IV", "--catalogue",
                 f"stars={observation.catalogue}"]) == 0
    return out


def test_the_help_names_the_exit_codes_that_exist(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    section = said.partition("exit codes:")[2].partition("examples:")[0]
    codes = {int(code) for code in re.findall(r"^  (\d+)", section, re.MULTILINE)}
    assert codes == {0, 2, 3, 75, 130, 143} == {int(code) for code in ExitCode}


def test_every_product_is_there(out):
    assert all((out / name).stat().st_size for name in PRODUCTS)
    assert sorted(path.name for path in (out / "plots").iterdir()) == [
        "flags.png", "lightcurve.png"]
    images = {f"field_{stokes}.{kind}" for stokes in "IV" for kind in ("fits", "png")}
    assert {path.name for path in (out / RUN_IMAGES).iterdir() if path.stat().st_size} == {
        *images, "images.ecsv", "lightcurve.png"}


def test_the_settings_beside_the_products_make_them_again(observation, out, tmp_path):
    again = tmp_path / "again"
    assert main([str(observation.measurement_set), "-o", str(again), "--settings",
                 str(out / "settings.toml")]) == 0
    assert numbers(again) == numbers(out)
    assert (again / "settings.toml").read_text() == (out / "settings.toml").read_text()


def test_the_command_line_wins_over_a_settings_file(observation, out, tmp_path):
    assert main([str(observation.measurement_set), "-o", str(tmp_path), "--settings",
                 str(out / "settings.toml"), "--time-bin", "30s"]) == 0
    assert 'time_bin = "30s"' in (tmp_path / "settings.toml").read_text()


def test_products_go_beside_the_measurement_set_unless_told(simulated, tmp_path, monkeypatch):
    star = simulated(**SMALL, copy_to=tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    relative = os.path.relpath(star.measurement_set)
    assert main([relative + "/", "--plots", "lightcurve"]) == 0
    assert (tmp_path / "data" / "obs.visds" / "report.html").exists()


def test_without_an_output_a_name_that_gives_none_is_refused(observation, tmp_path, monkeypatch,
                                                             capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "observation").symlink_to(observation.measurement_set)
    assert main(["observation"]) == 2
    assert "-o OUT is missing, and observation does not end in .ms" in capsys.readouterr().err


def test_what_is_no_measurement_set_is_told_before_a_missing_output(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "star.visds").mkdir()
    for name, problem in ((".", "is not a measurement set: it has no table.dat"),
                          ("star.visds", "is not a measurement set: it has no table.dat"),
                          ("nothing", "does not exist (expected a measurement set)")):
        assert main([name]) == 2
        assert capsys.readouterr().err == f"visds-run: error: {name} {problem}\n"


@pytest.mark.parametrize(("asked", "line"), [
    ("V", "Stokes I is made as well as V"), ("IV", None)])
def test_what_is_made_beyond_what_was_asked_for_is_said(observation, capsys, asked, line):
    assert main([str(observation.measurement_set), "-o", "nowhere", "--plan", "--stokes",
                 asked]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [text for text in said if "is made as well" in text] == ([line] if line else [])


def test_without_a_catalogue_the_log_and_the_report_say_that_none_was_given(observation, tmp_path):
    assert main([str(observation.measurement_set), "-o", str(tmp_path), "--plots", "I",
                 "--mark-time", "2001-01-01T00:00"]) == 0
    log = (tmp_path / "log.txt").read_text()
    assert re.search(r"\d+ detections, no catalogue given to match with$", log, re.MULTILINE)
    assert "--mark-time 2001-01-01T00:00:00.000 is outside the data and not marked" in log
    assert "no catalogue given to match with" in (tmp_path / "report.html").read_text()


def test_that_more_ranks_than_chunks_do_not_help_is_said_in_plain_words(observation, capsys):
    for options, said in (([], "more than 2 ranks do not help"),
                          (["--scan", "2"], "more than one rank does not help")):
        assert main([str(observation.measurement_set), "-o", "nowhere", "--plan", *options]) == 0
        assert said in capsys.readouterr().out


def test_the_plan_lists_every_chunk_and_writes_nothing(observation, tmp_path, capsys):
    before = contents(observation.measurement_set.parent)
    assert main([str(observation.measurement_set), "-o", str(tmp_path / "out"), "--plan",
                 "--chunk-size", "30kB"]) == 0
    said = capsys.readouterr().out
    rows = re.findall(r"^target_dd000_scan0000(\d)_0000(\d) +(\d+) +8 ", said, re.MULTILINE)
    assert sorted({scan for scan, _, _ in rows}) == ["2", "4"]
    assert sum(int(integrations) for _, _, integrations in rows) == 24
    assert f"chunks: {len(rows)}, " in said
    assert not (tmp_path / "out").exists()
    assert contents(observation.measurement_set.parent) == before


def test_the_plan_counts_what_images_cost(observation, capsys):
    def planned(*options):
        assert main([str(observation.measurement_set), "-o", "nowhere", "--plan", *options]) == 0
        said = capsys.readouterr().out
        seconds = re.search(r"^images: (\S+) s on one rank$", said, re.MULTILINE)
        memory = re.search(r"^memory of a rank: (\S+) MB", said, re.MULTILINE)
        return float(seconds[1]) if seconds else None, float(memory[1])

    with_images, without = planned(), planned("--no-images")
    assert with_images[0] > 0
    assert without[0] is None
    assert 50 < with_images[1] - without[1] < 400
    assert planned("--stream")[0] >= with_images[0]


@pytest.mark.parametrize(("options", "said"), [
    (("--time-bin", "3"), "time bins of 3 integrations of 10 s (30 s)"),
    (("--time-bin", "25s"), "time bins of 25 s (2.5 integrations of 10 s)"),
    (("--time-bin", "1"), "time bins of 1 integration of 10 s (10 s)"),
    (("--time-bin", "5s"), "time bins of 5 s (0.5 integrations of 10 s): nothing is averaged"),
    (("--channel-bin", "2"), "channel bins of 2 channels of 4 MHz (8 MHz)"),
    (("--channel-bin", "0.016GHz"), "channel bins of 16 MHz (4 channels of 4 MHz)")])
def test_what_was_understood_of_a_bin_is_said_in_counts_and_in_units(observation, capsys, options,
                                                                     said):
    assert main([str(observation.measurement_set), "-o", "nowhere", "--plan", *options]) == 0
    assert said in capsys.readouterr().out.splitlines()


def test_what_there_is_one_of_is_in_the_singular(observation, capsys):
    assert main([str(observation.measurement_set), "-o", "nowhere", "--plan", "--scan", "2"]) == 0
    assert "12 integrations in 1 scan, 1 chunk\n" in capsys.readouterr().out


def test_a_target_beyond_half_the_primary_beam_is_told_in_units_that_show_it(observed, capsys):
    assert main([str(observed("evla_J1008_Ka_2spw")), "-o", "nowhere", "--plan", "--target",
                 "10:08:00 +07:31:16"]) == 0
    assert ("the target is 59.4 arcsec from the phase centre, beyond half the primary beam "
            "(1.36 arcmin wide): its flux density is attenuated") in capsys.readouterr().out


def test_a_target_of_a_catalogue_is_where_the_star_is_and_the_log_says_how(observation, tmp_path,
                                                                           capsys):
    """The simulated star is 4.2 arcsec from its place in the catalogue, of epoch 2016."""
    assert main([str(observation.measurement_set), "-o", str(tmp_path), "--plots", "lightcurve",
                 "--catalogue", str(observation.catalogue), "--target", "simulatedstar"]) == 0
    line = next(line for line in (tmp_path / "log.txt").read_text().splitlines()
                if "target at" in line)
    for part in ("target at 01:39:01.600 -17:57:02.000 (simulated star of catalogue",
                 "moved 4.208 arcsec", "400 mas/yr east and -300 north from 2016.000 to 2024.417"):
        assert part in line
    target = provenance(tmp_path)["targets"][0]
    assert target["name"] == "simulated star"
    assert (target["ra_deg"], target["dec_deg"]) == (
        pytest.approx(24.7566667, abs=1e-6), pytest.approx(-17.9505556, abs=1e-6))
    assert "Elsewhere it is assumed" in (tmp_path / "report.html").read_text()


def test_pdf_alone_still_makes_a_report(observation, tmp_path):
    assert main([str(observation.measurement_set), "-o", str(tmp_path), "--plots", "lightcurve",
                 "--picture-format", "pdf"]) == 0
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == [
        "flags.pdf", "lightcurve.pdf"]
    assert (tmp_path / "report.html").exists()


def test_debug_shows_where_an_error_came_from(tmp_path, capsys):
    arguments = [str(tmp_path / "missing.ms"), "-o", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert main([*arguments, "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def check(observation, out, *options, **variables):
    """Run --check in a process of its own, as it starts MPI; return code and lines."""
    result = run(visds_run(observation, "-o", out, "--check", *options),
                 env=environment(**variables))
    assert "Traceback" not in result.stderr
    return result.returncode, result.stdout.splitlines()


def test_the_check_names_mpi_launcher_locks_and_space_and_writes_nothing(observation, tmp_path):
    code, lines = check(observation.measurement_set, tmp_path / "out")
    assert code == 0
    assert all(line.startswith("ok ") for line in lines)
    said = "\n".join(lines)
    for name in ("MPI library: ", "world size: 1", "launcher: none", "thread level: ",
                 "ranks in this job: 1", "measurement set: ", "locks: nobody is writing",
                 "disk space: "):
        assert f"ok  {name}" in said, said
    assert not (tmp_path / "out").exists()


def test_the_check_without_an_mpi_library_says_what_is_possible(observation, tmp_path):
    code, lines = check(observation.measurement_set, tmp_path / "out",
                        MPI4PY_LIBMPI="/not/there")
    assert code == 0
    assert lines[0].startswith("ok  MPI library: none, so one process only")


def test_the_check_lists_every_problem_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    code, lines = check(tmp_path / "missing.ms", tmp_path / "file" / "out")
    assert code == 2
    bad = [line.partition(":")[0] for line in lines if line.startswith("BAD")]
    assert bad == ["BAD measurement set", "BAD output folder"]


@contextlib.contextmanager
def written_by_another_process(measurement_set):
    """Have another process hold the lock of a writer."""
    writer = ("import sys\nfrom casacore import tables\n"
              f"t = tables.table({str(measurement_set)!r}, readonly=False, ack=False,\n"
              "                 lockoptions='permanent')\n"
              "print('locked', flush=True)\nsys.stdin.read()\n")
    with subprocess.Popen([sys.executable, "-c", writer], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        yield
        process.stdin.close()


def test_the_check_sees_that_another_process_writes_the_measurement_set(simulated, tmp_path):
    star = simulated(**SMALL, copy_to=tmp_path / "data")
    with written_by_another_process(star.measurement_set):
        code, lines = check(star.measurement_set, tmp_path / "out")
    assert code == 2
    assert any(line.startswith("BAD locks: another process has ") for line in lines), lines


def test_a_measurement_set_that_is_being_written_is_read_without_waiting(simulated, tmp_path):
    """The lock of a writer would block casacore's default for ever."""
    star = simulated(**SMALL, copy_to=tmp_path / "data")
    by_default = ("from casacore import tables\nprint('begins', flush=True)\n"
                  f"tables.table({str(star.measurement_set)!r}, ack=False).getcell('DATA', 0)\n")
    command = [str(star.measurement_set), "--plots", "lightcurve", "-o"]
    with written_by_another_process(star.measurement_set):
        with started([sys.executable, "-c", by_default], stdout=subprocess.PIPE,
                     text=True) as blocked, blocked.stdout:
            assert blocked.stdout.readline() == "begins\n"
            with pytest.raises(subprocess.TimeoutExpired):
                blocked.wait(timeout=1)
        result = run(visds_run(*command, tmp_path / "out"), timeout=60)
    assert result.returncode == 0, result.stderr
    assert main([*command, str(tmp_path / "later")]) == 0
    assert_same_sums(tmp_path / "out", tmp_path / "later", tolerance=0)
    image = f"{RUN_IMAGES}/field_I.fits"
    assert numbers(tmp_path / "out")[image] == numbers(tmp_path / "later")[image]


@pytest.mark.mpi
@pytest.mark.skipif(RANKS != 2, reason="one number of ranks is enough: 2")
def test_one_rank_only_says_what_is_wrong(observation, tmp_path):
    """A typo is found before MPI starts, the rest after; both must end every rank."""
    for arguments, said in ((("--chunk-sise", "1MB"), "unknown option --chunk-sise"),
                            (("--scan", "99"), "--scan: 99 is not in")):
        result = run(on_ranks(RANKS, visds_run(observation.measurement_set, "-o",
                                               tmp_path / "out", *arguments)), timeout=60)
        assert result.returncode == 2
        assert result.stderr.count("visds-run: error: ") == 1
        assert said in result.stderr
        assert not (tmp_path / "out").exists()
