"""Progress: a bar on a terminal, plain lines in a batch log."""

import os
import sys
import time
from types import TracebackType
from typing import TextIO

BAR_VARIABLE = "VISDS_BAR"
"""Set in the environment of ranks whose standard error a launcher passes on to a terminal."""

_LINE_EVERY = 30.0
_BAR_EVERY = 0.1


class Progress:
    """How far a piece of work is: items, a rate, and the time that it will still take.

    On a terminal a bar is redrawn; elsewhere a line is printed at most every 30 seconds, and at
    the end.
    """

    def __init__(self, label: str, total: int, nbytes: int = 0, stream: TextIO | None = None):
        self._label, self._total, self._nbytes = label, total, nbytes
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty() or (stream is None and BAR_VARIABLE in os.environ)
        self._begun = self._shown = time.monotonic()
        self._done = self._bytes_done = self._bytes_new = 0

    def __enter__(self):
        return self

    def __exit__(self, kind: type | None, error: BaseException | None,
                 trace: TracebackType | None):
        if self._total:
            self._show(final=True)

    def advance(self, nbytes: int = 0, *, is_new: bool = True) -> None:
        """Count one more item done, of `nbytes`; the rate is that of the items that are new."""
        self._done += 1
        self._bytes_done += nbytes
        self._bytes_new += nbytes if is_new else 0
        every = _BAR_EVERY if self._terminal else _LINE_EVERY
        if time.monotonic() - self._shown >= every and self._done < self._total:
            self._show()

    def _show(self, final: bool = False) -> None:
        now = time.monotonic()
        self._shown = now
        elapsed = max(now - self._begun, 1e-6)
        text = f"{self._label} {self._done}/{self._total}"
        if self._bytes_new:
            text += f", {self._bytes_new / elapsed / 1e9:.2f} GB/s"
        if final:
            text += f", {duration_text(elapsed)}"
        else:
            share = self._bytes_done / self._nbytes if self._nbytes else self._done / self._total
            if share:
                text += f", {duration_text(elapsed * (1 - share) / share)} left"
        if self._terminal:
            width = 24
            filled = width * self._done // max(self._total, 1)
            self._stream.write(f"\r[{'=' * filled}{' ' * (width - filled)}] {text}\x1b[K")
            if final:
                self._stream.write("\n")
        else:
            self._stream.write(text + "\n")
        self._stream.flush()


def duration_text(seconds: float) -> str:
    """Return a time as text: ``8.4 s``, ``3 min 25 s``, ``2 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"
