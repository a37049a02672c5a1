"""Memory that is freed stays with the process, for the next array."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_KEPT = 512 * 2**20
_LARGEST = 32 * 2**20  # the most that glibc takes


def keep_freed_memory() -> None:
    """Have the C library keep what is freed, and not map memory anew for every array of some MB.

    Every page that is new to a process costs more time than to copy it. Where the C library is not
    glibc nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_TRIM_THRESHOLD, _KEPT)
    mallopt(_MMAP_THRESHOLD, _LARGEST)
