"""visds-run as the benchmarks start it, and where the time of a run went."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from side_by_side import CORES, Run, run_command


@dataclass(frozen=True)
class Stages:
    """One run of visds-run: the whole command and its parts, in s, and its peak memory in bytes.

    `startup` is from the launch of the process to the last line of the log before the data are
    read: interpreter, imports, compiled kernels, MPI, reading the metadata, planning. `chunks` is
    from there until all blocks are on disk, `products` the rest: stitching, detection, tables,
    plots, report, the end of the interpreter.
    """

    seconds: float
    startup: float
    chunks: float
    products: float
    peak: int


def visds_run(measurement_set: Path, out: Path, *options: str,
              cores: Sequence[int] = tuple(CORES)) -> Stages:
    """Run visds-run from nothing, without images, and return where the time went."""
    shutil.rmtree(out, ignore_errors=True)
    run = run_command([sys.executable, "-m", "visds.commands.run", measurement_set, "-o", out,
                       "--no-images", *options], cores=cores, OMPI_ALLOW_RUN_AS_ROOT="1",
                      OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    stages = _stages(run, out / "log.txt")
    shutil.rmtree(out)
    return stages


def _stages(run: Run, log: Path) -> Stages:
    lines = log.read_text().splitlines()
    done = next(number for number, line in enumerate(lines) if " of them from an earlier" in line)
    before, after = _stamp(lines[done - 1]), _stamp(lines[done])
    return Stages(run.seconds, before - run.began, after - before,
                  run.began + run.seconds - after, run.peak)


def _stamp(line: str) -> float:
    return datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp()
