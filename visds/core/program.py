"""How every program begins and ends: errors as one line, exit codes, quiet machine."""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence

from visds.core.errors import ExitCode, VisdsError
from visds.core.launcher import is_coordinator
from visds.core.memory import collect_rarely, keep_freed_memory

_FOR_THE_COORDINATOR = 5.0
"""Seconds for which other ranks wait with an error of their own.

Launchers end all ranks when one of them ends with an error, and rank 0 has to say it first.
"""


class Terminated(KeyboardInterrupt):
    """The program was asked to end, by SIGTERM."""


def run_program(program: str, body: Callable[[Sequence[str] | None], int],
                argv: Sequence[str] | None) -> int:
    """Run the body of a program and return its exit code.

    A VisdsError becomes one line on standard error, of rank 0 only, and exit code 2 (``--debug``
    shows the traceback too). SIGTERM, which batch systems send, ends it as an interrupt from the
    keyboard does, scratch files removed. Other exceptions are defects and keep their traceback.
    """
    arguments = sys.argv[1:] if argv is None else argv
    keep_freed_memory()
    collect_rarely()
    before = _heed_sigterm()
    try:
        return int(body(argv))
    except VisdsError as error:
        if "--debug" in arguments:
            traceback.print_exc()
        if is_coordinator():
            print(f"{program}: error: {error}", file=sys.stderr)
        else:
            time.sleep(_FOR_THE_COORDINATOR)
        return ExitCode.INPUT
    except Terminated:
        print(f"{program}: ended by SIGTERM", file=sys.stderr)
        return ExitCode.TERMINATED
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _heed_sigterm() -> Callable | int | None:
    """Raise Terminated in the main thread on SIGTERM; return what was done before, if it is ours.

    Whoever started the program with SIGTERM ignored wants it so.
    """
    if threading.current_thread() is not threading.main_thread() \
            or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return None

    def end(*_) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is removed now is removed to the end
        raise Terminated

    return signal.signal(signal.SIGTERM, end)
