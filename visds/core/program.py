"""How every program begins and ends: errors as one line, exit codes, quiet machine."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence

from visds.core.errors import ExitCode, VisdsError
from visds.core.farm import is_coordinator


def run_program(program: str, body: Callable[[Sequence[str] | None], int],
                argv: Sequence[str] | None) -> int:
    """Run the body of a program and return its exit code.

    A VisdsError becomes one line on standard error, of rank 0 only, and exit code 2 (``--debug``
    shows the traceback too). Other exceptions are defects and keep their traceback.
    """
    arguments = sys.argv[1:] if argv is None else argv
    try:
        return int(body(argv))
    except VisdsError as error:
        if "--debug" in arguments:
            traceback.print_exc()
        if is_coordinator():
            print(f"{program}: error: {error}", file=sys.stderr)
        return ExitCode.INPUT
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
