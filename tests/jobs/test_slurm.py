"""slurm.sh on a real Slurm of two nodes that the tests start and stop on this machine."""

import dataclasses
import os
import re
import sys
from pathlib import Path

import pytest
from job_site import JOBS, missing
from slurm_cluster import NEEDED, Cluster, wait_for

from visds.run_settings import RUN_IMAGES

pytestmark = pytest.mark.slurm

PRODUCTS = ("dynspec.h5", "dynspec.fits", "lightcurve.ecsv", "detections.ecsv",
            f"{RUN_IMAGES}/field_I.fits", f"{RUN_IMAGES}/detection001_difference_I.fits",
            f"{RUN_IMAGES}/images.ecsv")
OPTIONS = ("--chunk-size", "5kB", "--snapshots", "2", "--plots", "I", "lightcurve")
SHAPE = ("--nodes=2", "--ntasks-per-node=2", "--mem-per-cpu=200M", "--time=10")
ONE_RANK = ("--nodes=1", "--ntasks-per-node=1", "--mem-per-cpu=200M", "--time=10")
CHUNKS = 144


@pytest.fixture(scope="module")
def cluster():
    if os.getuid():
        pytest.skip("only root can start Slurm")
    if missing(*NEEDED):
        pytest.skip(f"{', '.join(missing(*NEEDED))} missing: install slurm-wlm and munge")
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def measurement_set(cluster, simulated):
    products = simulated(copy_to=cluster.folder / "two words", array="VLA-D", scans=2,
                         scan_length="12min", noise="20mJy", flares=True,
                         flare=["time=60s,duration=30s,I=300mJy,V=70%"])
    cluster.give(cluster.folder)
    return products.measurement_set


@pytest.fixture(scope="module")
def undisturbed(cluster, measurement_set):
    """Return the products of a run on one rank that nobody interrupts."""
    out = cluster.folder / "serial"
    done = cluster.run([sys.executable, "-m", "visds.commands.run", measurement_set, "-o", out,
                        *OPTIONS])
    assert done.returncode == 0, done.stderr
    return out


@dataclasses.dataclass
class Interrupted:
    """A job that was warned as soon as it had a chunk, and went on after its requeue."""

    out: Path
    description: str
    log: str
    at_the_stop: dict[str, float]
    products_at_the_stop: list[str]


def submit(cluster, *arguments, shape=SHAPE, **environment) -> str:
    done = cluster.run(["sbatch", "--parsable", *shape, JOBS / "slurm.sh", *arguments],
                       VISDS_ENV=sys.prefix, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def log_of(cluster, job) -> str:
    path = cluster.folder / f"visds-{job}.log"
    return path.read_text() if path.exists() else ""


def finish(cluster, job) -> str:
    """Wait until a job has ended for good and return Slurm's description of it."""
    def ended():
        return re.search(r"JobState=(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)",
                         cluster.ask("scontrol", "show", "job", job))
    wait_for(ended, 120, f"the end of job {job}", lambda: log_of(cluster, job))
    return cluster.ask("scontrol", "show", "job", job)


@pytest.fixture(scope="module", params=["mpirun", "srun"])
def interrupted(request, cluster, measurement_set, undisturbed):
    """Return a job that Slurm's warning reached, by either launcher."""
    environment = {}
    if request.param == "srun":
        tried = cluster.run(["srun", "-n1", "--mpi=pmix", "true"])
        if tried.returncode:
            pytest.skip("Slurm cannot load PMIx: install libpmix2 and libpmix-dev")
        environment["VISDS_MPIEXEC"] = "srun --mpi=pmix --cpu-bind=none"
    out = cluster.folder / f"by {request.param}"
    job = submit(cluster, measurement_set, "-o", out, *OPTIONS, **environment)

    def blocks():
        return list((out / "chunks").glob("[!.]*.block.h5"))

    def waiting():
        return cluster.ask("squeue", "-h", "-j", job, "-o", "%T %r") == "PENDING BeginTime"

    wait_for(blocks, 120, "the first chunk", lambda: log_of(cluster, job))
    # What --signal=B:USR1@180 does three minutes before the limit, and to the same process.
    cluster.ask("scancel", "--batch", "--signal=USR1", job)
    wait_for(waiting, 60, "the requeue", lambda: log_of(cluster, job))
    stopped = {path.name: path.stat().st_mtime for path in blocks()}
    products = [name for name in PRODUCTS if (out / name).exists()]
    # Slurm would let it wait for two minutes, and refuses it in the second of its requeue.
    cluster.ask("scontrol", "update", f"JobId={job}", "StartTime=now+2seconds")
    return Interrupted(out, finish(cluster, job), log_of(cluster, job), stopped, products)


def test_the_warning_stops_the_job_between_chunks_and_leaves_no_product(interrupted):
    assert 0 < len(interrupted.at_the_stop) < CHUNKS
    assert interrupted.products_at_the_stop == []
    assert "ended with exit code 75" in interrupted.log


def test_the_job_is_requeued_once_and_completes(interrupted):
    assert "JobState=COMPLETED" in interrupted.description, interrupted.log
    assert "Restarts=1 " in interrupted.description
    assert "ExitCode=0:0" in interrupted.description
    runs = re.findall(r"run (\d), .*--deadline (\d+)s", interrupted.log)
    assert [number for number, _ in runs] == ["1", "2"]
    assert all(440 <= int(seconds) <= 450 for _, seconds in runs)  # of 600 s less a quarter


def test_all_four_ranks_on_both_nodes_are_one_job(interrupted):
    assert '"ranks": 4' in (interrupted.out / "provenance.json").read_text()


def test_chunks_of_the_first_run_are_not_made_again(interrupted):
    chunks = interrupted.out / "chunks"
    assert {name: (chunks / name).stat().st_mtime
            for name in interrupted.at_the_stop} == interrupted.at_the_stop
    assert len(list(chunks.glob("*.block.h5"))) == CHUNKS


@pytest.mark.parametrize("product", PRODUCTS)
def test_products_are_those_of_an_undisturbed_run_on_one_rank(interrupted, undisturbed, product):
    assert (interrupted.out / product).read_bytes() == (undisturbed / product).read_bytes()


def test_unusable_input_ends_the_job_with_2_and_without_a_requeue(cluster):
    job = submit(cluster, "absent.ms", shape=ONE_RANK)
    description = finish(cluster, job)
    assert "ExitCode=2:0" in description
    assert "Restarts=0 " in description
    assert "absent.ms" in log_of(cluster, job)


def test_a_deadline_with_no_requeue_left_ends_the_job_with_75(cluster, measurement_set):
    job = submit(cluster, measurement_set, "-o", "late", "--deadline", "1ms", *OPTIONS,
                 shape=ONE_RANK, VISDS_REQUEUES="0")
    description = finish(cluster, job)
    assert "ExitCode=75:0" in description
    assert "Restarts=0 " in description
    assert "submit the same command to go on" in log_of(cluster, job)


def test_the_cluster_leaves_neither_process_nor_file(cluster):
    """A second one beside the first, as what the first leaves cannot be seen from inside."""
    with Cluster() as second:
        assert second.ask("squeue", "-h") == ""
        state = second.state
        assert len(_processes_of(state)) >= 4
    assert _processes_of(state) == []
    assert not state.exists()


def _processes_of(state: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if entry.name.isdigit() and str(state).encode() in text:
            found.append(entry.name)
    return found
