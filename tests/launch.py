"""Programs started as a user starts them: alone, or on ranks under mpirun."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

RANKS = int(os.environ.get("VISDS_TEST_RANKS", "2"))
"""Number of ranks of the tests marked mpi; bin/test runs them at 1, 2 and 4."""

MPIRUN = shutil.which("mpirun", path=f"{Path(sys.executable).parent}{os.pathsep}"
                                     f"{os.environ.get('PATH', '')}")
_LAUNCHERS = ("OMPI_", "PMIX_", "PMI_", "PRTE_", "SLURM_")


def visds_run(*arguments: object) -> list[str]:
    """Return the command that runs visds-run with these arguments."""
    return [sys.executable, "-m", "visds.commands.run", *map(str, arguments)]


def on_ranks(ranks: int, command: Sequence[str]) -> list[str]:
    """Return the command under mpirun; skip the test where there is none."""
    if MPIRUN is None:
        pytest.skip("there is no mpirun beside the interpreter or on the path")
    return [MPIRUN, "-n", str(ranks), *command]


def environment(**changes: str | None) -> dict[str, str]:
    """Return an environment that no launcher has touched, in which mpirun takes root and few cores.

    `changes` are set, or removed where None.
    """
    values = {name: value for name, value in os.environ.items()
              if not name.startswith(_LAUNCHERS) and name != "VISDS_TEST_RANKS"}
    if os.getuid() == 0:
        values |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    values["PRTE_MCA_rmaps_default_mapping_policy"] = ":oversubscribe"
    for name, value in changes.items():
        values.pop(name, None)
        if value is not None:
            values[name] = value
    return values


def run(command: Sequence[str], *, cwd: Path | None = None, env: dict[str, str] | None = None,
        timeout: float = 120.0, **keywords) -> subprocess.CompletedProcess:
    """Run a command to its end; one that hangs is killed with all its ranks and fails the test."""
    with started(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                 text=True, **keywords) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            end(process)
            out, err = process.communicate()
            pytest.fail(f"hangs: {' '.join(map(str, command))}\n{out}\n{err}")
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@contextmanager
def started(command: Sequence[str], *, cwd: Path | None = None,
            env: dict[str, str] | None = None, **keywords) -> Iterator[subprocess.Popen]:
    """Start a command; whatever is left of it and its ranks is killed at the end of the block."""
    process = subprocess.Popen(command, cwd=cwd, env=environment() if env is None else env,
                               start_new_session=True, **keywords)
    try:
        yield process
    finally:
        if process.poll() is None:
            end(process)
        process.wait()


def end(process: subprocess.Popen) -> None:
    """Kill a process and all that it started."""
    for number in [*descendants(process.pid), process.pid]:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def descendants(parent: int) -> list[int]:
    """Return the processes below a process, the nearest first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                # After the name in brackets, which may hold spaces: state, parent, ...
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, below = [], [parent]
    while below:
        below = [child for number in below for child in children.get(number, [])]
        found += below
    return found


def rank_of(process: int) -> int | None:
    """Return the rank of a process that mpirun started; None if it is none."""
    with suppress(OSError):
        for item in Path(f"/proc/{process}/environ").read_bytes().split(b"\0"):
            name, _, value = item.partition(b"=")
            if name in (b"OMPI_COMM_WORLD_RANK", b"PMI_RANK"):
                return int(value)
    return None
