"""Both job scripts, run as text in bash against a pretended site, and the example settings."""

import re
import signal
import subprocess
import sys

import launch
import pytest
from job_site import JOBS, SCRIPTS, Site, missing

from visds.core.errors import SettingsError
from visds.core.settings import Parser
from visds.run_settings import STAGES

both_scripts = pytest.mark.parametrize("script", SCRIPTS)


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@both_scripts
def test_bash_finds_no_error_of_syntax(script):
    subprocess.run(["bash", "-n", JOBS / script], check=True)


@both_scripts
@pytest.mark.skipif(bool(missing("shellcheck")), reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say(script):
    said = subprocess.run(["shellcheck", JOBS / script], capture_output=True, text=True,
                          check=False)
    assert (said.returncode, said.stdout) == (0, "")


@both_scripts
def test_arguments_arrive_whole_after_the_deadline(site, script):
    done = site.run(script, "two words.ms", "-o", "out $HOME;*", "--target", "1h2m -3d")
    assert done.returncode == 0, done.stderr
    assert site.recorded("arguments") == [
        "--deadline", "14160s", "two words.ms", "-o", "out $HOME;*", "--target", "1h2m -3d"]


@both_scripts
@pytest.mark.parametrize("left, margin, seconds", [
    ("1:00:00", None, 3600 - 240), ("08:09", None, 489 - 122), ("100:00:08", "600", 359408),
    ("00:40:00", "300", 2100)])
def test_the_deadline_is_the_time_left_less_a_margin(site, script, left, margin, seconds):
    changes = {"VISDS_MARGIN": margin} if margin else {}
    site.run(script, left=left, **changes)
    assert site.recorded("arguments")[:2] == ["--deadline", f"{seconds}s"]


@both_scripts
def test_each_rank_has_one_thread(site, script):
    site.run(script)
    environment = site.recorded("environment")
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        assert f"{name}_NUM_THREADS=1" in environment
    assert "HDF5_USE_FILE_LOCKING=BEST_EFFORT" in environment


@both_scripts
@pytest.mark.parametrize("code", [0, 2, 3, 1, 137])
def test_other_exit_codes_than_75_end_the_job_with_them(site, script, code):
    done = site.run(script, FAKE_CODE=str(code))
    assert done.returncode == code
    assert site.recorded("requeued") == []


@both_scripts
def test_exit_code_75_goes_back_into_the_queue(site, script):
    done = site.run(script, FAKE_CODE="75")
    assert done.returncode == 75
    assert site.recorded("requeued") == [{"slurm.sh": "requeue 41", "pbs.sh": ""}[script]]


@both_scripts
def test_the_number_of_requeues_is_bounded(site, script):
    done = site.run(script, FAKE_CODE="75", SLURM_RESTART_COUNT="2", VISDS_RESTARTS="2",
                    VISDS_REQUEUES="2")
    assert done.returncode == 75
    assert site.recorded("requeued") == []
    assert "2 times already" in done.stderr


@both_scripts
def test_a_refused_requeue_says_how_to_go_on(site, script):
    done = site.run(script, FAKE_CODE="75", FAKE_REFUSAL="1")
    assert done.returncode == 75
    assert "submit the same command to go on" in done.stderr


@both_scripts
@pytest.mark.parametrize("warnings", [1, 2])
def test_the_schedulers_warning_reaches_the_program(site, script, warnings):
    environment = site.job(script, FAKE_SLEEP="100")
    command = ["bash", str(JOBS / script), "star.ms", "-o", "out"]
    with launch.started(command, cwd=site.folder, env=environment,
                        stdout=subprocess.DEVNULL) as process:
        for _ in range(200):
            if (site.folder / "started").exists():
                break
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.05)
        for _ in range(warnings):
            process.send_signal(signal.SIGUSR1)
        assert process.wait(20) == 75
    assert site.recorded("signals")[0] == "warned"
    assert len(site.recorded("requeued")) == 1


@both_scripts
def test_what_overruns_the_deadline_is_stopped_before_the_limit_and_requeued(site, script):
    done = site.run(script, left="0:02", FAKE_SLEEP="200")
    assert site.recorded("arguments")[:2] == ["--deadline", "2s"]
    assert done.returncode == 75, done.stderr
    assert len(site.recorded("requeued")) == 1


@both_scripts
def test_a_crash_is_not_run_again(site, script):
    done = site.run(script, FAKE_SIGNAL="SEGV")
    assert done.returncode == 128 + signal.SIGSEGV
    assert site.recorded("requeued") == []


@both_scripts
def test_a_job_that_does_not_find_visds_run_says_so(site, script):
    (site.commands / "visds-run").unlink()
    done = site.run(script, PATH=f"{site.commands}:/usr/bin:/bin")
    assert done.returncode == 2
    assert "visds-run is not on the path: set VISDS_ENV" in done.stderr


@both_scripts
def test_an_environment_with_a_space_in_its_path_is_found(site, script):
    environment = site.folder / "my environment"
    (environment / "bin").mkdir(parents=True)
    (site.commands / "visds-run").rename(environment / "bin" / "visds-run")
    done = site.run(script, VISDS_ENV=str(environment))
    assert done.returncode == 0, done.stderr
    assert site.recorded("arguments")[2:] == ["star.ms", "-o", "out"]


@both_scripts
def test_no_arguments_is_an_error_that_shows_the_usage(site, script):
    done = launch.run(["bash", str(JOBS / script)], env=site.job(script), cwd=site.folder)
    assert done.returncode == 2
    assert "MS -o OUT" in done.stderr


def _environment_with_mpi4py(site):
    """Return an environment whose python is this one and whose visds-run is pretended."""
    if launch.MPIRUN is None:
        pytest.skip("there is no MPI library")
    commands = site.folder / "env" / "bin"
    commands.mkdir(parents=True)
    (site.commands / "visds-run").rename(commands / "visds-run")
    (commands / "python").write_text(f'#!/bin/bash\nexec "{sys.executable}" "$@"\n')
    (commands / "python").chmod(0o755)
    site.pretend("mpirun", "#!/bin/bash\nexit 9\n")
    (site.folder / "nodes").write_text("localhost\nlocalhost\n")
    return {"VISDS_MPIEXEC": None, "VISDS_ENV": str(commands.parent),
            "PBS_NODEFILE": str(site.folder / "nodes")}


@both_scripts
def test_the_mpirun_of_mpi4pys_library_is_taken_not_the_first_on_the_path(site, script):
    changes = _environment_with_mpi4py(site)
    (site.folder / "env" / "bin" / "mpirun").symlink_to(launch.MPIRUN)
    done = site.run(script, **changes)
    assert done.returncode == 0, done.stderr
    assert f"{launch.MPIRUN} -n 2 " in done.stdout
    ranks = [line for line in site.recorded("environment") if line.startswith("OMPI_COMM_WORLD_S")]
    assert ranks in ([], ["OMPI_COMM_WORLD_SIZE=2"])  # none with an MPI other than Open MPI


@pytest.mark.parametrize("offered, launcher", [
    ("pmix pmi2", r"srun --mpi=(pmix|pmi2) --cpu-bind=none"), ("none", r"\S*mpirun -n 2")])
def test_a_sites_own_mpi_library_is_started_by_srun_where_slurm_knows_its_protocol(
        site, offered, launcher):
    """A library outside the environment is the site's."""
    changes = _environment_with_mpi4py(site)
    site.pretend("srun", f"#!/bin/bash\n[[ $1 == --mpi=list ]] && {{ echo {offered} >&2; exit; }}\n"
                         'exec "${@:3}"\n')
    done = site.run("slurm.sh", **changes)
    assert done.returncode == 0, done.stderr
    assert re.search(rf"Z: {launcher} ", done.stdout)


@pytest.mark.parametrize("path", sorted((JOBS / "settings").glob("*.toml")),
                         ids=lambda path: path.stem)
def test_every_example_of_settings_is_one_that_visds_run_takes(path):
    parser = Parser("visds-run", "", STAGES)
    _, settings = parser.parse(["--settings", str(path)])
    defaults = parser.parse([])[1]
    changed = [stage for stage in STAGES if settings[stage] != defaults[stage]]
    assert {"read", "average", "detect", "match", "plot"} == set(changed)


def test_an_unknown_key_of_settings_is_an_error(tmp_path):
    text = (JOBS / "settings" / "vla.toml").read_text()
    path = tmp_path / "vla.toml"
    path.write_text(text.replace("channel_bin", "chanel_bin"))
    with pytest.raises(SettingsError, match=r"'chanel_bin' in \[average\]; did you mean "
                                            r"'channel_bin'"):
        Parser("visds-run", "", STAGES).parse(["--settings", str(path)])


def test_examples_are_there_for_the_three_telescopes():
    assert {path.stem for path in (JOBS / "settings").glob("*.toml")} == {"vla", "ugmrt", "askap"}
