"""How every program begins and ends: errors as one line, exit codes, quiet machine."""

import os
import sys
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


def run_program(program: str, body: Callable[[Sequence[str] | None], int],
                argv: Sequence[str] | None) -> int:
    """Run the body of a program and return its exit code.

    A VisdsError becomes one line on standard error, of rank 0 only, and exit code 2 (``--debug``
    shows the traceback too). Other exceptions are defects and keep their traceback.
    """
    arguments = sys.argv[1:] if argv is None else argv
    keep_freed_memory()
    collect_rarely()
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
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
