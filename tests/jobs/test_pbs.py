"""The text of pbs.sh, run in bash with PBS's variables set and a pretended qsub and qstat.

PBS itself is not tested: it is packaged neither in Debian nor on PyPI.
"""

import re
import subprocess
import sys
from pathlib import Path

import launch
import pytest
from job_site import JOBS, Site

# Of the PBS Professional reference guide: options of qsub and resources of a chunk or a job.
_OPTIONS = {"-N": r"[A-Za-z]\S{0,229}", "-j": "oe", "-r": "[yn]",
            "-l": r"(select=\d+(:(ncpus|mpiprocs|mem|ompthreads)=\w+)+|walltime=\d+:\d\d:\d\d)"}


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def submission(site, *arguments, **changes):
    """Call the script as a user does, outside a job."""
    environment = site.job("pbs.sh", PBS_ENVIRONMENT=None, PBS_JOBID=None, PBS_O_WORKDIR=None,
                           VISDS_RESTARTS=None, **changes)
    return site.run("pbs.sh", *arguments, environment=environment)


def test_every_directive_is_one_that_pbs_documents():
    directives = re.findall(r"^#PBS (-\w) (.*)$", (JOBS / "pbs.sh").read_text(), re.MULTILINE)
    assert len(directives) == 5
    for option, value in directives:
        assert re.fullmatch(_OPTIONS[option], value), (option, value)


def test_outside_a_job_the_script_submits_itself_with_its_arguments(site):
    done = submission(site, "two words.ms", "-o", "it's",
                      VISDS_QSUB="-q long -l walltime=24:00:00")
    assert done.returncode == 0, done.stderr
    assert site.recorded("requeued") == ["-q long -l walltime=24:00:00"]
    assert site.recorded("arguments") == []
    job = site.recorded("submitted")
    assert job[0] == "#!/bin/bash"
    assert job[1:6] == [line for line in (JOBS / "pbs.sh").read_text().splitlines()
                        if line.startswith("#PBS")]
    assert job[-1] == rf"exec /bin/bash {JOBS / 'pbs.sh'} two\ words.ms -o it\'s"


def test_a_refused_submission_ends_with_the_code_of_qsub(site):
    assert submission(site, FAKE_REFUSAL="38").returncode == 38


def test_a_job_carries_the_users_variables_and_resubmits_itself_until_it_is_done(site):
    submission(site, "two words.ms", "-o", "out", VISDS_REQUEUES="2", VISDS_MARGIN="60")
    lines = []
    for _ in range(4):
        job = (site.folder / "submitted").rename(site.folder / "job")
        environment = site.job("pbs.sh", FAKE_CODE="75", VISDS_RESTARTS=None, VISDS_MPIEXEC=None)
        done = launch.run(["bash", str(job)], env=environment, timeout=30)
        lines += re.findall(r"run \d", done.stdout)
        assert done.returncode == 75, done.stderr
        assert site.recorded("arguments") == ["--deadline", "14340s", "two words.ms", "-o", "out"]
        if not (site.folder / "submitted").exists():
            break
    assert lines == ["run 1", "run 2", "run 3"]
    assert "resubmitted 2 times already" in done.stderr


def test_time_that_qstat_counts_as_used_is_not_left(site):
    site.run("pbs.sh", left="02:00:00", FAKE_USED="00:30:00")
    assert site.recorded("arguments")[:2] == ["--deadline", f"{5400 - 240}s"]


@pytest.mark.parametrize("limit", ["VISDS_WALLTIME", "PBS_WALLTIME"])
def test_a_variable_gives_the_limit_where_qstat_does_not(site, limit):
    site.pretend("qstat", "#!/bin/bash\nexit 1\n")
    site.run("pbs.sh", **{limit: "7200"})
    assert site.recorded("arguments")[:2] == ["--deadline", f"{7200 - 240}s"]


def test_without_any_limit_there_is_no_deadline_and_a_warning(site):
    site.pretend("qstat", "#!/bin/bash\nexit 1\n")
    done = site.run("pbs.sh")
    assert done.returncode == 0
    assert site.recorded("arguments") == ["star.ms", "-o", "out"]
    assert "set VISDS_WALLTIME" in done.stderr


def test_an_interactive_job_runs_but_submits_nothing(site):
    done = site.run("pbs.sh", FAKE_CODE="75", PBS_ENVIRONMENT="PBS_INTERACTIVE")
    assert done.returncode == 75
    assert site.recorded("requeued") == []


@pytest.mark.mpi
def test_ranks_named_in_the_node_file_make_the_products(site, simulated, tmp_path):
    products = simulated(copy_to=tmp_path / "a folder", array="VLA-D")
    nodes = tmp_path / "nodes"
    nodes.write_text("localhost\n" * launch.RANKS)
    environment = site.job("pbs.sh", VISDS_MPIEXEC=None, PBS_NODEFILE=str(nodes),
                           VISDS_ENV=str(Path(sys.executable).parents[1]))
    done = site.run("pbs.sh", str(products.measurement_set), "-o", str(tmp_path / "an out"),
                    environment=environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "an out" / "report.html").exists()
    assert subprocess.run(["grep", "-c", f'"ranks": {launch.RANKS}',
                           tmp_path / "an out" / "provenance.json"], check=False).returncode == 0
