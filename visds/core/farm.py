"""Work handed out to MPI ranks; the one module that knows MPI.

Rank 0 runs the program; the other ranks serve it: they wait for tasks, with back-off, and end
when rank 0 ends. Rank 0 works too: a thread of it hands out the tasks meanwhile. Started without
a launcher, everything runs in the one process.
"""

import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from visds.core.errors import ExitCode, LauncherError, VisdsError

TAG_TASK, TAG_RESULT = 1, 2
_LAUNCHER_VARIABLES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                     "NUMBA_NUM_THREADS")
_ATTEMPTS = 2


@dataclass(frozen=True)
class Outcome:
    """What became of a task: its result, or the exception with its traceback as text.

    `seconds` is the time that it took; `rank` who did it last.
    """

    task: Any
    result: Any = None
    exception: Exception | None = None
    traceback: str = ""
    seconds: float = 0.0
    rank: int = 0

    @property
    def error(self) -> str:
        """The exception in one line; empty if there was none."""
        if self.exception is None:
            return ""
        if isinstance(self.exception, VisdsError):
            return str(self.exception)
        return f"{type(self.exception).__name__}: {self.exception}"


class Farm:
    """The ranks of a program, seen from rank 0."""

    def __init__(self, communicator: Any = None):
        self._communicator = communicator
        self._generation = 0

    @property
    def size(self) -> int:
        """Number of ranks."""
        return self._communicator.Get_size() if self._communicator else 1

    def run(self, work: Callable[[Any], Any], tasks: Sequence[Any], *,
            cost: Callable[[Any], float] | None = None,
            stop: Callable[[], bool] | None = None) -> Iterator[Outcome]:
        """Yield the outcome of each task as it is done.

        Parameters
        ----------
        work : callable
            Picklable function of one task.
        tasks : sequence
            Picklable tasks, handed out the largest first.
        cost : callable, optional
            Size of a task, to order them; as given without it.
        stop : callable, optional
            Asked before each task; once it is True no further task begins, and those that have
            not begun have no outcome.

        A task that raises is tried once more, on another rank where there is one, and then
        reported with its error. A `VisdsError` is not tried again: it would come again.
        """
        order = sorted(range(len(tasks)), key=lambda i: -cost(tasks[i])) if cost \
            else range(len(tasks))
        waiting = deque((tasks[i], 0, -1) for i in order)
        stop = stop or (lambda: False)
        if self.size == 1:
            yield from self._run_alone(work, waiting, stop)
        else:
            yield from _Round(self._communicator, work, waiting, stop).outcomes()

    def _run_alone(self, work, waiting, stop) -> Iterator[Outcome]:
        while waiting and not stop():
            task, attempt, _ = waiting.popleft()
            outcome, again = _attempt(work, task, 0)
            if again and attempt + 1 < _ATTEMPTS:
                waiting.append((task, attempt + 1, 0))
            else:
                yield outcome


class _Round:
    """One set of tasks on many ranks: a thread hands them out, the caller's thread works too."""

    def __init__(self, communicator, work, waiting, stop):
        self._communicator = communicator
        self._work = work
        self._waiting = waiting
        self._stop = stop
        self._lock = threading.Lock()
        self._done: deque[Outcome] = deque()
        self._wake = threading.Event()
        self._busy: dict[int, tuple] = {}
        self._finished = False
        self._error: BaseException | None = None

    def outcomes(self) -> Iterator[Outcome]:
        from mpi4py import MPI

        works_too = MPI.Query_thread() >= MPI.THREAD_SERIALIZED
        thread = threading.Thread(target=self._serve, name="coordinator", daemon=True)
        thread.start()
        try:
            while True:
                while self._done:
                    yield self._done.popleft()
                if self._error is not None:
                    raise self._error
                item = self._take(0) if works_too else None
                if item is not None:
                    outcome, again = _attempt(self._work, item[0], 0)
                    self._settle(item, outcome, again)
                elif self._finished:
                    if not self._done:
                        return
                else:
                    self._wake.wait(0.02)
                    self._wake.clear()
        finally:
            self._stop = lambda: True
            thread.join()

    def _take(self, rank: int):
        with self._lock:
            if not self._waiting or self._stop():
                return None
            for _ in range(len(self._waiting)):
                item = self._waiting.popleft()
                if item[2] != rank:
                    self._busy[rank] = item
                    return item
                self._waiting.append(item)
            if not self._busy:
                item = self._waiting.popleft()
                self._busy[rank] = item
                return item
            return None

    def _settle(self, item, outcome: Outcome, again: bool) -> None:
        with self._lock:
            self._busy.pop(outcome.rank, None)
            if again and item[1] + 1 < _ATTEMPTS:
                self._waiting.append((item[0], item[1] + 1, outcome.rank))
                return
        self._done.append(outcome)
        self._wake.set()

    def _serve(self) -> None:
        """Hand out tasks and take results until nothing is left; poll with back-off."""
        from mpi4py import MPI

        try:
            idle = set(range(1, self._communicator.Get_size()))
            pause = 1e-4
            while True:
                active = False
                for rank in sorted(idle):
                    item = self._take(rank)
                    if item is None:
                        continue
                    idle.discard(rank)
                    self._communicator.send((self._work, item[0]), dest=rank, tag=TAG_TASK)
                    active = True
                status = MPI.Status()
                while self._communicator.iprobe(source=MPI.ANY_SOURCE, tag=TAG_RESULT,
                                                status=status):
                    rank = status.Get_source()
                    outcome, again = self._communicator.recv(source=rank, tag=TAG_RESULT)
                    item = self._busy[rank]
                    idle.add(rank)
                    self._settle(item, Outcome(item[0], *outcome, rank=rank), again)
                    active = True
                with self._lock:
                    over = not self._busy and (not self._waiting or self._stop())
                if over:
                    return
                pause = 1e-4 if active else min(2 * pause, 5e-3)
                time.sleep(0 if active else pause)
        except BaseException as error:
            self._error = error
        finally:
            self._finished = True
            self._wake.set()


def _attempt(work, task, rank: int) -> tuple[Outcome, bool]:
    """Return the outcome of one attempt, and whether another may do better."""
    begun = time.perf_counter()
    try:
        result = work(task)
    except Exception as error:  # whatever a task raises is reported, not lost
        again = not isinstance(error, VisdsError)
        return Outcome(task, None, error, traceback.format_exc(),
                       time.perf_counter() - begun, rank), again
    return Outcome(task, result, None, "", time.perf_counter() - begun, rank), False


def serve_ranks(program: Callable[[Farm], int],
                prepare_node: Callable[[], None] | None = None) -> int:
    """Run `program(farm)` on rank 0 while the other ranks serve it; return its exit code.

    `prepare_node`, where given, is called on one rank of each node while the node's other ranks
    wait. An exception that nobody caught ends the whole job at once, with its traceback and rank.

    Raises
    ------
    LauncherError
        If the launcher's number of ranks is not that of the MPI library.
    """
    launched = _launched_size()
    if launched is None:
        return program(Farm())
    for name in _THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    check_launcher(world.Get_size(), launched)
    try:
        if world.Get_size() == 1:
            return program(Farm())
        if prepare_node is not None:
            node = world.Split_type(MPI.COMM_TYPE_SHARED)
            if node.Get_rank() == 0:
                prepare_node()
            node.Barrier()
        if world.Get_rank() > 0:
            return _serve(world)
        try:
            return program(Farm(world))
        finally:
            error = sys.exc_info()[1]
            if error is None or isinstance(error, VisdsError):
                for rank in range(1, world.Get_size()):
                    world.send(None, dest=rank, tag=TAG_TASK)
    except VisdsError:
        raise
    except BaseException:
        print(f"rank {world.Get_rank()}:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
        world.Abort(1)
        raise


def _serve(world) -> int:
    """Do the tasks that rank 0 sends until it sends none; wait with back-off."""
    pause = 1e-4
    while True:
        if not world.iprobe(source=0, tag=TAG_TASK):
            pause = min(2 * pause, 1e-2)
            time.sleep(pause)
            continue
        pause = 1e-4
        message = world.recv(source=0, tag=TAG_TASK)
        if message is None:
            return ExitCode.OK
        work, task = message
        outcome, again = _attempt(work, task, world.Get_rank())
        answer = (outcome.result, outcome.exception, outcome.traceback, outcome.seconds)
        try:
            pickle.dumps(answer)
        except Exception as error:
            lost = RuntimeError(f"the result cannot be sent to rank 0: {error}")
            answer = (None, lost, outcome.traceback, outcome.seconds)
        world.send((answer, again), dest=0, tag=TAG_RESULT)


def is_coordinator() -> bool:
    """Whether this process is the one that talks to the user: rank 0, or alone."""
    for name in ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID"):
        if name in os.environ and _launched_size() is not None:
            return os.environ[name] == "0"
    return True


def _launched_size() -> int | None:
    """Return the number of processes that a launcher says it started; None without a launcher."""
    for name in _LAUNCHER_VARIABLES:
        if name in os.environ:
            return int(os.environ[name])
    if "SLURM_STEP_ID" in os.environ and "SLURM_STEP_NUM_TASKS" in os.environ:
        return int(os.environ["SLURM_STEP_NUM_TASKS"])
    return None


def check_launcher(size: int, launched: int | None) -> None:
    """Check that the MPI library and the launcher agree on the number of ranks.

    Raises
    ------
    LauncherError
        If not: every process would take itself for rank 0 and write the same files.
    """
    if launched is not None and launched != size:
        raise LauncherError(
            f"the launcher started {launched} processes but the MPI library sees {size}: the "
            "mpirun or srun in use does not belong to the MPI library of mpi4py (try mpirun of "
            "the same environment, or srun --mpi=pmix; visds-run --check says more)")


def start_under_launcher(ranks: int, arguments: Sequence[str]) -> None:
    """Replace this process by `mpiexec -n ranks` of the same program; return if already under one.

    Raises
    ------
    LauncherError
        If there is no mpiexec beside the interpreter or on the path.
    """
    if _launched_size() is not None:
        return
    beside = os.path.join(os.path.dirname(sys.executable), "mpiexec")
    launcher = beside if os.access(beside, os.X_OK) else shutil.which("mpiexec")
    if launcher is None:
        raise LauncherError(f"-n {ranks}: no mpiexec beside {sys.executable} or on the path; "
                            "install visds[mpi], or load the site's MPI module")
    environment = dict(os.environ)
    command = [launcher, "-n", str(ranks)]
    if is_open_mpi(launcher):
        command += ["--bind-to", "none"]
        environment.setdefault("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe")
        environment.setdefault("OMPI_MCA_rmaps_base_oversubscribe", "1")
    command += [sys.executable, "-m", "visds.commands.run", *arguments]
    os.execve(launcher, command, environment)


def is_open_mpi(launcher: str) -> bool:
    """Whether an mpiexec is Open MPI's."""
    said = subprocess.run([launcher, "--version"], capture_output=True, text=True, check=False)
    return "open" in said.stdout.lower() or "prte" in said.stdout.lower()


def describe_mpi() -> dict[str, str]:
    """Return what is known of the MPI library, the launcher and the world, for ``--check``."""
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    return {"MPI library": MPI.Get_library_version().splitlines()[0].strip("\x00 "),
            "world size": str(world.Get_size()),
            "launcher": "none" if _launched_size() is None else f"{_launched_size()} processes",
            "thread level": {MPI.THREAD_SINGLE: "single", MPI.THREAD_FUNNELED: "funneled",
                             MPI.THREAD_SERIALIZED: "serialized",
                             MPI.THREAD_MULTIPLE: "multiple"}[MPI.Query_thread()]}
