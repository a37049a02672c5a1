"""The log: what a run says, on the terminal in short and in a file of the output folder."""

import contextlib
import logging
import os
import shlex
import sys
from collections.abc import Iterator

from visds.core.errors import VisdsError
from visds.core.files import output_error
from visds.core.provenance import command_line

_NAME = "visds"
logger = logging.getLogger(_NAME)
logger.addHandler(logging.NullHandler())
logger.propagate = False


@contextlib.contextmanager
def log_file(path: str | os.PathLike) -> Iterator[None]:
    """Write the log to a file, after what is there, and to standard output without times.

    What ends the run is written to the file, a defect with its traceback. Lines that find the disk
    full are lost.

    Raises
    ------
    OutputError
        If the file cannot be opened.
    """
    logger.setLevel(logging.DEBUG)
    try:
        file = _LogFile(path)
    except OSError as error:
        raise output_error(path, error) from error
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    screen = logging.StreamHandler(sys.stdout)
    screen.setLevel(logging.INFO)
    screen.setFormatter(_Short())
    logger.addHandler(file)
    logger.addHandler(screen)
    try:
        logger.info("%s", shlex.join(command_line()))
        yield
    except BaseException as error:
        logger.removeHandler(screen)
        logger.error("ended by an error: %s", error,
                     exc_info=None if isinstance(error, VisdsError) else error)
        raise
    finally:
        for handler in (file, screen):
            logger.removeHandler(handler)
            with contextlib.suppress(OSError):
                handler.close()


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing: on a full disk the run's own error says it."""


class _Short(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        return f"{record.levelname.lower()}: {text}" if record.levelno >= logging.WARNING else text
