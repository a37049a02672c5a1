"""Memory that is freed stays with the process, for any next array; the collector comes rarely."""

import atexit
import ctypes
import gc

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENAS = -1, -3, -8  # of malloc.h
_KEPT = 512 * 2**20
_LARGEST = 32 * 2**20  # the most that glibc takes
_NEW_OBJECTS = 100_000


def keep_freed_memory() -> None:
    """Have the C library keep what is freed, and not map memory anew for every array of some MB.

    Every page that is new to a process costs more time than to copy it. All threads take from one
    arena: what one of several arenas keeps, no thread of another can use. Where the C library is
    not glibc nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_TRIM_THRESHOLD, _KEPT)
    mallopt(_MMAP_THRESHOLD, _LARGEST)
    mallopt(_ARENAS, 1)


def collect_rarely() -> None:
    """Have Python look for unreachable cycles after every 100 000 new objects instead of 700.

    Each time it looks through much of what was imported, which took a tenth of a small run. At the
    end of the process, where the system takes back all memory, it does not look at all: that took
    half a second.
    """
    gc.set_threshold(_NEW_OBJECTS)
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
