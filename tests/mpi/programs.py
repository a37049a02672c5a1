"""Small programs of the farm for test_farm_on_ranks.py: ``mpirun python programs.py NAME``."""

import json
import os
import sys
import time
from pathlib import Path

from visds.core.errors import ExitCode, OutputError
from visds.core.farm import serve_ranks
from visds.core.program import run_program

RANK = int(os.environ.get("OMPI_COMM_WORLD_RANK", os.environ.get("PMI_RANK", "0")))


class TwoArguments(Exception):
    """An exception that pickles, but not back: its constructor wants what pickle does not keep."""

    def __init__(self, name, number):
        super().__init__(f"{name} {number}")


def slow_square(number):
    time.sleep(0.02)
    return number**2


def fails_on_rank_0(number):
    if RANK == 0:
        raise RuntimeError("rank 0 cannot")
    return number**2


def fails_on_last_rank(number):
    time.sleep(0.01)
    if os.environ.get("OMPI_COMM_WORLD_SIZE", "1") == str(RANK + 1):
        raise RuntimeError("the last rank cannot")
    return number**2


def fails_at_three(number):
    time.sleep(0.01)
    if number == 3:
        raise ValueError("three is not possible")
    return number


def tries_are_counted(folder):
    (Path(folder) / f"{RANK}.{time.monotonic_ns()}").touch()
    raise OutputError("no space") if folder.endswith("known") else RuntimeError("unknown")


def cannot_be_sent(number):
    time.sleep(0.01)
    return (lambda: number) if number % 2 else number


def raises_what_cannot_be_unpickled(number):
    time.sleep(0.01)
    raise TwoArguments("number", number)


def leaves(number):
    time.sleep(0.05)
    if RANK == int(os.environ["LEAVING_RANK"]):
        sys.exit(3)
    return number


def dies(number):
    time.sleep(0.05)
    if RANK == int(os.environ["LEAVING_RANK"]):
        os._exit(9)
    return number


def summary(farm, outcomes):
    return {
        "size": farm.size,
        "results": sorted(o.result for o in outcomes if isinstance(o.result, int)),
        "errors": sorted(o.error for o in outcomes if o.error),
        "ranks": sorted({o.rank for o in outcomes}),
        "tracebacks": [o.traceback for o in outcomes if o.error]}


def of(work, tasks=range(20)):
    return lambda farm: summary(farm, list(farm.run(work, tasks)))


def three_rounds(farm):
    return summary(farm, [outcome for start in (0, 10, 20)
                          for outcome in farm.run(slow_square, range(start, start + 10))])


def begun_at(number):
    begun = time.monotonic()
    time.sleep(0.1)
    return begun, number


def largest_first(farm):
    sizes = [1, 5, 3, 9, 2, 8, 4, 7, 6]
    results = sorted(o.result for o in farm.run(begun_at, sizes, cost=lambda number: number))
    return [number for _, number in results]


def stops_early(farm):
    done = []
    for outcome in farm.run(slow_square, range(1000), stop=lambda: len(done) >= 10):
        done.append(outcome)
    return len(done)


def is_left_by_its_caller(farm):
    """Leave off after some outcomes and go on with other work, as after a full disk."""
    for outcome in farm.run(slow_square, range(100)):
        if outcome.task >= 4:
            break
    return summary(farm, list(farm.run(slow_square, range(10))))


def known_error(farm):
    for outcome in farm.run(slow_square, range(100)):
        raise OutputError(f"cannot write {outcome.task}")


def unknown_error(farm):
    for _ in farm.run(slow_square, range(100)):
        raise KeyError("a defect of rank 0")


def unpicklable_work(farm):
    list(farm.run(lambda number: number, range(20)))


def together(folder):
    """Programs that end well, one after the other on the same ranks."""
    (folder / "known").mkdir(exist_ok=True)
    (folder / "other").mkdir(exist_ok=True)
    programs = {work.__name__: of(work) for work in (
        slow_square, fails_on_rank_0, fails_on_last_rank, fails_at_three, cannot_be_sent,
        raises_what_cannot_be_unpickled)}
    programs |= {program.__name__: program for program in (
        three_rounds, largest_first, stops_early, is_left_by_its_caller)}
    programs["no_tasks"] = of(slow_square, [])
    programs["one_task_fails_on_rank_0"] = of(fails_on_rank_0, [4])
    programs["known"] = of(tries_are_counted, [str(folder / "known")])
    programs["unknown"] = of(tries_are_counted, [str(folder / "other")])
    programs["prepared"] = of(Path.exists, [folder / "ready"] * 8)

    def program(farm):
        print("SAID " + json.dumps({name: run(farm) for name, run in programs.items()}))
        return ExitCode.CHUNKS_FAILED

    def prepare():
        (folder / f"prepared by {RANK}").touch()
        time.sleep(0.3)
        (folder / "ready").touch()

    return serve_ranks(program, prepare)


def body(argv):
    name, *rest = argv
    if name == "together":
        return together(Path(rest[0]))
    endings = {"leaves": of(leaves), "dies": of(dies), "slow_square": of(slow_square),
               "known_error": known_error, "unknown_error": unknown_error,
               "unpicklable_work": unpicklable_work}

    def program(farm):
        print("SAID " + json.dumps(endings[name](farm)))
        return ExitCode.OK

    return serve_ranks(program)


if __name__ == "__main__":
    if "FUNNELED" in os.environ:
        import mpi4py

        mpi4py.rc.thread_level = "funneled"
    raise SystemExit(run_program("programs", body, sys.argv[1:]))
