"""The farm on real ranks: every task done once, failures survived or ended, never a hang."""

import json
import sys
from pathlib import Path

import pytest
from launch import RANKS, environment, on_ranks, run

pytestmark = pytest.mark.mpi
PROGRAMS = str(Path(__file__).with_name("programs.py"))
SQUARES = [number**2 for number in range(20)]
needs_others = pytest.mark.skipif(RANKS == 1, reason="there is no other rank")


def launch(name, *arguments, **variables):
    """Run a program of programs.py on the ranks; return the completed process and what it said."""
    result = run(on_ranks(RANKS, [sys.executable, PROGRAMS, name, *map(str, arguments)]),
                 env=environment(**variables), timeout=60)
    said = [json.loads(line.removeprefix("SAID ")) for line in result.stdout.splitlines()
            if line.startswith("SAID ")]
    assert len(said) <= 1, "more than one process took itself for rank 0"
    return result, (said or [None])[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("farm")


@pytest.fixture(scope="module")
def said(folder):
    """Return what the programs that end well said, all run by the same ranks in turn."""
    result, said = launch("together", folder)
    assert result.returncode == 3, result.stderr
    assert "Traceback" not in result.stderr
    return said


def test_every_task_is_done_once_and_every_rank_works(said):
    assert said["slow_square"]["size"] == RANKS
    assert said["slow_square"]["results"] == SQUARES
    assert said["slow_square"]["ranks"] == list(range(RANKS))


def test_the_ranks_serve_one_set_of_tasks_after_the_other(said):
    assert said["three_rounds"]["results"] == [number**2 for number in range(30)]


def test_no_tasks_give_no_outcomes(said):
    assert said["no_tasks"]["results"] == said["no_tasks"]["errors"] == []


def test_the_largest_tasks_begin_first(said):
    order = said["largest_first"]
    assert sorted(order) == list(range(1, 10))
    # Ranks that begin at the same time may overtake one another.
    assert all(abs(9 - size - place) < max(RANKS, 2) for place, size in enumerate(order))


@needs_others
@pytest.mark.parametrize(("program", "bad"), [("fails_on_rank_0", 0),
                                              ("fails_on_last_rank", RANKS - 1)])
def test_a_task_that_fails_on_one_rank_is_done_by_another(said, program, bad):
    assert said[program]["results"] == SQUARES
    assert bad not in said[program]["ranks"]


@needs_others
def test_a_single_task_that_fails_on_rank_0_does_not_come_back_to_it(said):
    assert said["one_task_fails_on_rank_0"]["results"] == [16]


def test_a_task_that_fails_everywhere_is_reported_and_the_others_finish(said):
    assert said["fails_at_three"]["results"] == [number for number in range(20) if number != 3]
    assert said["fails_at_three"]["errors"] == ["ValueError: three is not possible"]
    assert "in fails_at_three" in said["fails_at_three"]["tracebacks"][0]


@pytest.mark.parametrize(("kind", "name", "tries"), [("known", "known", 1),
                                                     ("unknown", "other", 2)])
def test_defects_are_tried_again_and_errors_of_the_input_are_not(said, folder, kind, name, tries):
    assert len(said[kind]["errors"]) == 1
    by_rank = [path.name.partition(".")[0] for path in (folder / name).iterdir()]
    assert len(by_rank) == tries
    assert len(set(by_rank)) == min(tries, RANKS), "tried again on the same rank"


def test_a_result_that_cannot_be_sent_fails_its_task_alone(said):
    assert said["cannot_be_sent"]["results"] == list(range(0, 20, 2))
    assert all("cannot be sent to rank 0" in error for error in said["cannot_be_sent"]["errors"])


def test_an_exception_that_cannot_be_sent_is_reported_by_its_text(said):
    said = said["raises_what_cannot_be_unpickled"]
    assert said["results"] == []
    assert len(said["errors"]) == 20
    assert all("TwoArguments: number " in error for error in said["errors"])


def test_no_task_begins_after_stop_and_those_begun_end(said):
    assert 10 <= said["stops_early"] <= 10 + 2 * RANKS


def test_a_caller_that_leaves_early_can_use_the_ranks_again(said):
    assert said["is_left_by_its_caller"]["results"] == [number**2 for number in range(10)]


def test_one_rank_of_a_node_prepares_it_while_the_others_wait(said, folder):
    assert len(list(folder.glob("prepared by *"))) == 1
    assert said["prepared"]["results"] == [True] * 8


@needs_others
def test_an_mpi_library_for_one_thread_leaves_the_work_to_the_other_ranks():
    result, said = launch("slow_square", FUNNELED="1")
    assert result.returncode == 0, result.stderr
    assert said["results"] == SQUARES
    assert said["ranks"] == list(range(1, RANKS))


def test_an_error_of_the_input_is_one_line_and_exit_code_2():
    result, _ = launch("known_error")
    assert result.returncode == 2
    assert result.stderr.count("error: cannot write") == 1
    assert "Traceback" not in result.stderr


def test_a_defect_of_rank_0_ends_the_job_with_its_traceback():
    result, _ = launch("unknown_error")
    assert result.returncode == 1
    assert "rank 0:\nTraceback" in result.stderr
    assert "KeyError: 'a defect of rank 0'" in result.stderr


@needs_others
def test_work_that_cannot_be_sent_ends_the_job_with_its_traceback():
    result, _ = launch("unpicklable_work")
    assert result.returncode == 1
    assert "Can't pickle" in result.stderr


@pytest.mark.parametrize("rank", sorted({0, RANKS - 1}))
@pytest.mark.parametrize(("program", "code"), [("leaves", 1), ("dies", 9)])
def test_a_rank_that_goes_away_ends_the_job(program, code, rank):
    """By sys.exit in a task, or killed as the out-of-memory killer does: no survivor waits."""
    result, said = launch(program, LEAVING_RANK=str(rank))
    assert result.returncode == code
    assert said is None
    if program == "leaves":
        assert f"rank {rank}:\nTraceback" in result.stderr
