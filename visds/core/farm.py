"""Work handed out to MPI ranks; the one module that knows MPI.

Rank 0 runs the program; the other ranks serve it: they wait for tasks, with back-off, and end
when rank 0 ends. Rank 0 works too: a thread of it hands out the tasks meanwhile. Started without
a launcher, everything runs in the one process.
"""

import os
import pickle
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from visds.core.errors import ExitCode, LauncherError, VisdsError
from visds.core.launcher import check_launcher, is_one_node, launched_size

TAG_TASK, TAG_RESULT = 1, 2
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                     "NUMBA_NUM_THREADS")
_ATTEMPTS = 2
_TO_CLEAR_UP = 5.0  # s


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
        text = " ".join(str(self.exception).split())
        if isinstance(self.exception, VisdsError):
            return text
        return f"{type(self.exception).__name__}: {text}"


class Farm:
    """The ranks of a program, seen from rank 0."""

    def __init__(self, communicator: Any = None):
        self._communicator = communicator

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
    """One set of tasks on many ranks: a thread hands them out, the caller's thread works too.

    Where the MPI library allows only the main thread to use it, that hands out and does not work.
    """

    def __init__(self, communicator, work, waiting, stop):
        from mpi4py import MPI

        self._communicator = communicator
        self._work = work
        self._waiting = waiting
        self._stop = stop
        self._threaded = MPI.Query_thread() >= MPI.THREAD_SERIALIZED
        self._idle = set(range(1, communicator.Get_size()))
        self._workers = len(self._idle) + self._threaded
        self._lock = threading.Lock()
        self._done: deque[Outcome] = deque()
        self._wake = threading.Event()
        self._busy: dict[int, tuple] = {}
        self._pause = 1e-4
        self._finished = False
        self._error: BaseException | None = None

    def outcomes(self) -> Iterator[Outcome]:
        thread = threading.Thread(target=self._coordinate, name="coordinator", daemon=True)
        if self._threaded:
            thread.start()
        try:
            while True:
                finished = self._finished
                while self._done:
                    yield self._done.popleft()
                if self._error is not None:
                    raise self._error
                if finished:
                    return
                if self._threaded:
                    self._work_once()
                else:
                    self._exchange_once()
        finally:
            self._stop = lambda: True
            with self._lock:
                # A task of this rank that ended the program was not settled.
                self._busy.pop(0, None)
            if self._threaded:
                thread.join()
            else:
                self._coordinate()

    def _work_once(self) -> None:
        """Do a task on this rank, or wait a little for one."""
        item = self._take(0)
        if item is None:
            self._wake.wait(0.02)
            self._wake.clear()
            return
        outcome, again = _attempt(self._work, item[0], 0)
        self._settle(item, outcome, again)

    def _take(self, rank: int):
        """Return the next task for a rank, or None; one that failed on it is left to others."""
        with self._lock:
            if not self._waiting or self._stop():
                return None
            for _ in range(len(self._waiting)):
                item = self._waiting.popleft()
                if item[2] != rank or self._workers == 1:
                    self._busy[rank] = item
                    return item
                self._waiting.append(item)
            return None

    def _settle(self, item, outcome: Outcome, again: bool) -> None:
        with self._lock:
            self._busy.pop(outcome.rank, None)
            if again and item[1] + 1 < _ATTEMPTS:
                self._waiting.append((item[0], item[1] + 1, outcome.rank))
            else:
                self._done.append(outcome)
        self._wake.set()

    def _coordinate(self) -> None:
        while not self._finished:
            self._exchange_once()

    def _exchange_once(self) -> None:
        """Exchange tasks for results, with back-off, and take note when nothing is left."""
        try:
            active = self._exchange()
            with self._lock:
                self._finished = not self._busy and (not self._waiting or self._stop())
        except BaseException as error:
            # Raised again where the outcomes are taken, which ends the job.
            self._error = error
            self._finished = True
        if self._finished:
            self._wake.set()
            return
        self._pause = 1e-4 if active else min(2 * self._pause, 5e-3)
        time.sleep(0 if active else self._pause)

    def _exchange(self) -> bool:
        """Send tasks to idle ranks and take the results that are there; whether there were any."""
        from mpi4py import MPI

        active = False
        for rank in sorted(self._idle):
            item = self._take(rank)
            if item is None:
                continue
            self._idle.discard(rank)
            self._communicator.send((self._work, item[0]), dest=rank, tag=TAG_TASK)
            active = True
        status = MPI.Status()
        while self._communicator.iprobe(source=MPI.ANY_SOURCE, tag=TAG_RESULT, status=status):
            rank = status.Get_source()
            outcome, again = self._communicator.recv(source=rank, tag=TAG_RESULT)
            item = self._busy[rank]
            self._idle.add(rank)
            self._settle(item, Outcome(item[0], *outcome, rank=rank), again)
            active = True
        return active


def _attempt(work, task, rank: int) -> tuple[Outcome, bool]:
    """Return the outcome of one attempt, and whether another may do better."""
    begun = time.perf_counter()
    try:
        result = work(task)
    except Exception as error:  # whatever a task raises is reported, not lost
        text = traceback.format_exc()
        again = not isinstance(error, VisdsError)
        # The frames of the traceback would keep the task's arrays and files for as long as it.
        error = error.with_traceback(None)
        error.__cause__ = error.__context__ = None
        return Outcome(task, None, error, text, time.perf_counter() - begun, rank), again
    return Outcome(task, result, None, "", time.perf_counter() - begun, rank), False


def serve_ranks(program: Callable[[Farm], int],
                prepare_node: Callable[[], None] | None = None,
                prepare_rank: Callable[[], None] | None = None) -> int:
    """Run `program(farm)` on rank 0 while the other ranks serve it; return its exit code.

    `prepare_node`, where given, is called on one rank of each node while the node's other ranks
    wait, and `prepare_rank` then on all ranks at once; all ranks give them or none does. An
    exception that nobody caught ends the whole job at once, with its traceback and rank.

    Raises
    ------
    LauncherError
        If the MPI library cannot be loaded, or does not see the launcher's number of ranks.
    """
    launched = launched_size()
    if launched is None:
        return program(Farm())
    for name in _THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    if is_one_node():
        # Open MPI asks libfabric for a fabric, which sleeps for a second, also if none is needed.
        os.environ.setdefault("OMPI_MCA_btl", "^ofi")
    MPI = _load_mpi()
    world = MPI.COMM_WORLD
    check_launcher(world.Get_size(), launched)
    try:
        if prepare_node is not None:
            _prepare_once(world.Split_type(MPI.COMM_TYPE_SHARED), prepare_node)
        if prepare_rank is not None:
            prepare_rank()
        if world.Get_size() == 1:
            return program(Farm())
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
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt):
            print(f"rank {world.Get_rank()}:\n{traceback.format_exc()}", file=sys.stderr,
                  flush=True)
        elif world.Get_rank() > 0:
            time.sleep(_TO_CLEAR_UP)  # all ranks are asked to end, and the first ends them all
        world.Abort(1)
        raise


def _load_mpi():
    """Return mpi4py's module MPI, the library loaded and initialized.

    Raises
    ------
    LauncherError
        If there is no MPI library, or one that cannot be used.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise LauncherError(f"mpi4py: {str(error).splitlines()[0]}; install visds[mpi], or load "
                            "the site's MPI module") from error
    return MPI


def _prepare_once(node, prepare: Callable[[], None]) -> None:
    """Call `prepare` on the first rank of a node; the others wait without burning a core."""
    if node.Get_rank() == 0:
        prepare()
    request = node.Ibarrier()
    while not request.Test():
        time.sleep(0.01)


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
        answer = _sendable(outcome)
        world.send((answer, again), dest=0, tag=TAG_RESULT)


def _sendable(outcome: Outcome) -> tuple:
    """Return what rank 0 is told of an outcome; an error for what does not survive the sending."""
    answer = (outcome.result, outcome.exception, outcome.traceback, outcome.seconds)
    try:
        pickle.loads(pickle.dumps(answer))
    except Exception as error:  # pickling calls the code of whatever is pickled
        lost = f"the result cannot be sent to rank 0: {error}"
        return None, RuntimeError(outcome.error or lost), outcome.traceback, outcome.seconds
    return answer


def describe_mpi() -> dict[str, str]:
    """Return what is known of the MPI library, the launcher and the world, for ``--check``.

    Raises
    ------
    LauncherError
        If the MPI library cannot be loaded.
    """
    MPI = _load_mpi()
    world = MPI.COMM_WORLD
    return {"MPI library": MPI.Get_library_version().splitlines()[0].strip("\x00 "),
            "world size": str(world.Get_size()),
            "launcher": "none" if launched_size() is None else f"{launched_size()} processes",
            "thread level": {MPI.THREAD_SINGLE: "single", MPI.THREAD_FUNNELED: "funneled",
                             MPI.THREAD_SERIALIZED: "serialized",
                             MPI.THREAD_MULTIPLE: "multiple"}[MPI.Query_thread()]}
