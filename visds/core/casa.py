"""The one door to casatools and casatasks: configured before their import, imported when used.

CASA keeps a log file, a folder in the home directory, scratch files in the current folder, and
updates its tables over the network; here it does none of it. Tasks run in a process of their own:
what CASA cannot do it often answers with the end of the process.
"""

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_NOWHERE = "/dev/null"
# Says that the bundled table of leap seconds is some months old: no leap second was missed.
_LEAP_SECONDS = ["Leap second table", "Until the table is updated",
                 "times and coordinates derived from UTC"]
_LAUNCHERS = ("OMPI_", "PMIX_", "PMI_", "PRTE_")


class TaskError(Exception):
    """A task that CASA could not do, with its reason in one line."""


@functools.cache
def load_casatools() -> types.ModuleType:
    """Return casatools, set to read casadata's measures tables and to write no log file.

    The measures tables are those of the casadata package whatever a user's own configuration
    says, nothing is updated over the network and nothing is written to the home directory. Only
    severe messages reach the terminal.
    """
    import casadata
    from casaconfig import config

    config.measurespath = casadata.datapath
    config.datapath = [casadata.datapath]
    config.measures_auto_update = config.data_auto_update = False
    config.logfile = _NOWHERE
    import casatools

    # Without a global sink every tool logs to the terminal.
    casatools.logger.setglobal(True)
    casatools.logger.filter("SEVERE")
    casatools.logger.filterMsg(_LEAP_SECONDS)
    return casatools


@functools.cache
def load_casatasks() -> types.ModuleType:
    """Return casatasks, set as `load_casatools` says, without its own use of MPI."""
    load_casatools()
    # casampi would take the ranks that are visds' own for its workers.
    sys.modules.setdefault("casampi", None)
    with _no_font_cache():
        import casatasks

    casatasks.casalog.filterMsg(_LEAP_SECONDS)
    return casatasks


def is_known_observatory(name: str) -> bool:
    """Whether CASA knows where a telescope stands; its imager takes no other."""
    return name.upper() in (known.upper() for known in load_casatools().measures().obslist())


def run_task(name: str, options: Mapping[str, Any], folder: str | os.PathLike,
             log: str | os.PathLike) -> dict[str, Any]:
    """Run a task of casatasks in a process of its own and return what it returns.

    Parameters
    ----------
    name : str
        Such as ``tclean``.
    options : mapping
        Its parameters, of numbers, texts and lists. Paths are given from the root.
    folder : path
        The task's current folder, where it may leave what it likes.
    log : path
        File to which all that the task says is appended.

    Raises
    ------
    TaskError
        If the task fails, or its process ends before it does.
    """
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith(_LAUNCHERS)}
    # Its threads wait for each other by spinning: two of them take longer than one.
    environment.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(prefix=".task-", dir=folder) as place:
        question, answer = Path(place, "question.json").absolute(), Path(place, "answer.json")
        question.write_text(json.dumps(
            {"name": name, "options": dict(options), "log": str(Path(log).absolute()),
             "path": sys.path}))
        with open(log, "ab") as file:
            ended = subprocess.run([sys.executable, "-c", _PROGRAM, str(question)], cwd=folder,
                                   env=environment, stdin=subprocess.DEVNULL, stdout=file,
                                   stderr=file, check=False)
        if not answer.is_file():
            raise TaskError(_end(name, ended.returncode))
        told = json.loads(answer.read_text())
    if "error" in told:
        # What follows is the place in CASA's source.
        raise TaskError(f"{name}: {' '.join(told['error'].partition(' ... thrown by')[0].split())}")
    return told["result"]


_PROGRAM = """\
import json, sys
question = json.load(open(sys.argv[1]))
sys.path[:] = question["path"]
from visds.core.casa import answer
answer(question, sys.argv[1])
"""


def answer(question: Mapping[str, Any], path: str) -> None:
    """Run the task that `run_task` asks for, and leave what it returns beside the question."""
    casatasks = load_casatasks()
    casatasks.casalog.setlogfile(question["log"])
    casatasks.casalog.filter("INFO")
    try:
        told = {"result": getattr(casatasks, question["name"])(**question["options"])}
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        told = {"error": str(error) or type(error).__name__}
    part = Path(path).with_name("answer.part")
    part.write_text(json.dumps(told, default=_plain))
    part.rename(part.with_suffix(".json"))


def _plain(value: Any) -> Any:
    """Return numbers and arrays of numpy as JSON holds them; its texts for all else."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _end(name: str, code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"{name} was ended by {signal.Signals(-code).name}"
    return f"{name} ended with exit code {code} before it was done"


@contextlib.contextmanager
def _no_font_cache() -> Iterator[None]:
    """Keep matplotlib, which casatasks imports for a few of its tasks, from writing to the home.

    It remembers the folder when it is imported, for all of the process.
    """
    if "matplotlib" in sys.modules or "MPLCONFIGDIR" in os.environ:
        yield
        return
    os.environ["MPLCONFIGDIR"] = _temporary_folder().name
    try:
        yield
    finally:
        del os.environ["MPLCONFIGDIR"]


@functools.cache
def _temporary_folder() -> tempfile.TemporaryDirectory:
    """Return a folder that is there until the process ends."""
    return tempfile.TemporaryDirectory(prefix="visds-")
