"""The farm in one process, and what it makes of launchers and of errors."""

import gc
import sys
import weakref

import numpy as np
import pytest
from launch import environment, run

from visds.core.errors import OutputError
from visds.core.farm import Farm, Outcome, serve_ranks

pytestmark = pytest.mark.usefixtures("no_launcher")


def square(number):
    return number**2


def test_one_process_does_every_task_once_and_in_the_order_given():
    outcomes = list(Farm().run(square, [3, 1, 2]))
    assert [(o.task, o.result, o.error) for o in outcomes] == [(3, 9, ""), (1, 1, ""), (2, 4, "")]


def test_tasks_are_begun_the_largest_first_where_their_cost_is_known():
    assert [o.task for o in Farm().run(square, [3, 1, 2], cost=lambda n: n)] == [3, 2, 1]


def test_a_task_that_fails_once_is_tried_again_and_succeeds():
    tries = []

    def fails_once(number):
        tries.append(number)
        if tries.count(2) == 1 and number == 2:
            raise RuntimeError("the disk hiccupped")
        return number

    outcomes = list(Farm().run(fails_once, [1, 2, 3]))
    assert sorted(o.result for o in outcomes) == [1, 2, 3]
    assert tries == [1, 2, 3, 2]


def test_a_task_that_fails_twice_is_reported_with_its_traceback_and_the_others_finish():
    def fails(number):
        if number == 2:
            raise ValueError("two is not possible")
        return number

    outcomes = {o.task: o for o in Farm().run(fails, [1, 2, 3])}
    assert [outcomes[n].result for n in (1, 2, 3)] == [1, None, 3]
    assert outcomes[2].error == "ValueError: two is not possible"
    assert "in fails" in outcomes[2].traceback
    assert outcomes[1].traceback == ""


def test_an_error_of_the_input_is_not_tried_again_and_says_only_its_line():
    tries = []

    def cannot_write(number):
        tries.append(number)
        raise OutputError("cannot write x: no space left on the disk")

    outcome, = Farm().run(cannot_write, [1])
    assert tries == [1]
    assert outcome.error == "cannot write x: no space left on the disk"
    assert isinstance(outcome.exception, OutputError)


def test_an_error_of_several_lines_is_reported_in_one():
    assert Outcome(1, exception=RuntimeError("first\nsecond")).error == "RuntimeError: first second"


def test_no_task_begins_after_stop_and_those_left_have_no_outcome():
    done = []

    def work(number):
        done.append(number)
        return number

    outcomes = list(Farm().run(work, range(10), stop=lambda: len(done) >= 4))
    assert [o.task for o in outcomes] == [0, 1, 2, 3]


def test_a_failed_task_keeps_none_of_its_arrays_in_memory():
    """A rank that meets many failing chunks must not hold on to a slab of each."""
    kept = []

    def fails(number):
        array = np.zeros(10)
        kept.append(weakref.ref(array))
        try:
            raise OSError("inner")
        except OSError as error:
            raise RuntimeError("outer") from error

    outcomes = list(Farm().run(fails, [1]))
    gc.collect()
    assert outcomes[0].error == "RuntimeError: outer"
    assert "inner" in outcomes[0].traceback
    assert [ref() for ref in kept] == [None, None]


def test_ctrl_c_ends_the_program_instead_of_failing_a_task():
    def interrupted(number):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Farm().run(interrupted, [1]))


def test_alone_a_program_runs_without_mpi():
    program = ("import sys\n"
               "from visds.core.farm import serve_ranks\n"
               "code = serve_ranks(lambda farm: 10 + farm.size)\n"
               "assert 'mpi4py.MPI' not in sys.modules\n"
               "raise SystemExit(code)\n")
    assert run([sys.executable, "-c", program]).returncode == 11


@pytest.mark.parametrize("variables", [
    {"OMPI_COMM_WORLD_SIZE": "4"}, {"PMI_SIZE": "4"},
    {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4"}])
def test_a_launcher_of_another_mpi_is_refused_in_one_line(variables):
    """Each of its processes would take itself for rank 0 and write the same files."""
    program = ("import sys\n"
               "from visds.core.farm import serve_ranks\n"
               "from visds.core.program import run_program\n"
               "sys.exit(run_program('p', lambda argv: serve_ranks(lambda farm: 0), []))\n")
    result = run([sys.executable, "-W", "ignore", "-c", program], env=environment(**variables))
    assert result.returncode == 2
    line, = (line for line in result.stderr.splitlines() if line.startswith("p: error:"))
    assert "the launcher started 4 processes but the MPI library sees 1" in line
    assert "Traceback" not in result.stderr


def test_the_batch_shell_of_a_slurm_job_of_many_tasks_is_no_launcher():
    program = ("from visds.core.farm import serve_ranks\n"
               "raise SystemExit(serve_ranks(lambda farm: farm.size))\n")
    result = run([sys.executable, "-c", program],
                 env=environment(SLURM_NTASKS="4", SLURM_JOB_ID="7"))
    assert (result.returncode, result.stderr) == (1, "")


def test_a_missing_mpi_library_is_said_in_one_line():
    program = ("from visds.core.farm import serve_ranks\n"
               "from visds.core.program import run_program\n"
               "raise SystemExit(run_program('p', lambda argv: serve_ranks(lambda farm: 0), []))\n")
    result = run([sys.executable, "-c", program],
                 env=environment(OMPI_COMM_WORLD_SIZE="2", MPI4PY_LIBMPI="/not/there"))
    assert result.returncode == 2
    assert result.stderr.startswith("p: error: mpi4py: ")
    assert result.stderr.count("\n") == 1
    assert "load the site's MPI module" in result.stderr


def test_threads_of_libraries_are_one_a_rank_unless_asked():
    program = ("import os\n"
               "from visds.core.farm import serve_ranks\n"
               "serve_ranks(lambda farm: 0)\n"
               "print(os.environ['OMP_NUM_THREADS'], os.environ['OPENBLAS_NUM_THREADS'])\n")
    result = run([sys.executable, "-W", "ignore", "-c", program],
                 env=environment(PMI_SIZE="1", OPENBLAS_NUM_THREADS="3", OMP_NUM_THREADS=None))
    assert result.stdout == "1 3\n"


def test_a_defect_of_the_program_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        serve_ranks(lambda farm: 1 / 0)


