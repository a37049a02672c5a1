"""Measuring side by side: what is compared takes turns, and only medians and ratios are used."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visds.core.settings import Parser
from visds.observation import Observation, prepare
from visds.run_settings import STAGES

CORES = sorted(os.sched_getaffinity(0))
ONE_CORE = CORES[-1:]


@dataclass(frozen=True)
class Run:
    """A command that has ended: when it began (s of the clock), how long it took, its memory.

    `peak` is the largest resident memory in bytes of any one of its processes.
    """

    began: float
    seconds: float
    peak: int


def run_command(command: Sequence[str], *, cores: Sequence[int] = tuple(CORES),
                cwd: Path | None = None, **environment: str) -> Run:
    """Run a command to its end on some cores; end the benchmark with its output if it fails."""
    began, start = time.time(), time.perf_counter()
    process = subprocess.Popen(
        list(map(str, command)), cwd=cwd, env={**os.environ, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=lambda: os.sched_setaffinity(0, cores))
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{said}")
    return Run(began, seconds, usage.ru_maxrss * 1024)


def alternate(cases: dict[str, Callable[[], object]], repeats: int,
              rehearsals: int = 0) -> dict[str, list]:
    """Return what each case returns, case after case, `repeats` times over: A B A B, not A A B B.

    The results of the first rounds, the `rehearsals`, are left out.
    """
    results: dict[str, list] = {name: [] for name in cases}
    for turn in range(1 - rehearsals, repeats + 1):
        for name, case in cases.items():
            print(f"  {turn}/{repeats} {name}", file=sys.stderr, flush=True)
            result = case()
            if turn > 0:
                results[name].append(result)
    return results


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextlib.contextmanager
def on_cores(cores: Sequence[int]) -> Iterator[None]:
    """Keep this thread, and the threads that it starts, on some cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def warm(path: Path) -> None:
    """Read all files of a measurement set once, so that they are in the page cache."""
    for file in sorted(Path(path).rglob("*")):
        if file.is_file():
            with open(file, "rb", buffering=0) as opened:
                while opened.read(1 << 24):
                    pass


def observation(path: Path, *options: str) -> Observation:
    """Return what visds-run makes of a measurement set and options, before it reads the data."""
    _, settings = Parser("benchmark", "", STAGES).parse(options)
    return prepare(str(path), settings)


def data_bytes(path: Path) -> int:
    """Return the bytes of the data column's visibilities."""
    return sum(int(task.run_length.sum()) * len(task.source.frequency) * len(task.source.stored) * 8
               for task in observation(path).plan.tasks)


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return float(np.median(values))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, numbers to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def verdict(value: float, limit: float, *, at_most: bool) -> str:
    """Return whether a number keeps to its limit."""
    return "yes" if (value <= limit if at_most else value >= limit) else "**no**"
