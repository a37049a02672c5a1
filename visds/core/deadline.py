"""When to stop: before the wall-clock limit of a batch job, or when its scheduler says so."""

import signal
import threading
import time

_warned = threading.Event()

STARTED = time.monotonic()
"""About when the program began: deadlines count from here."""


class Deadline:
    """Whether it is time to stop: no task begins that may not end in time.

    `seconds` after the program's start, or None for no limit. SIGUSR1 is taken for the
    scheduler's warning and stops too.
    """

    def __init__(self, seconds: float | None):
        self._end = None if seconds is None else STARTED + seconds
        self._longest = 0.0

    def took(self, seconds: float) -> None:
        """Take note of how long a task took."""
        self._longest = max(self._longest, seconds)

    def __call__(self) -> bool:
        """Return whether no further task should begin."""
        late = self._end is not None and time.monotonic() + 1.5 * self._longest > self._end
        return late or _warned.is_set()


def heed_signals() -> None:
    """Take SIGUSR1 as a warning to stop soon; call it early, in the main thread of every rank."""
    signal.signal(signal.SIGUSR1, lambda *_: _warned.set())
