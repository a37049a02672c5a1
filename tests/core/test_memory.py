"""Memory is fresh from the system only once."""

import ctypes
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from visds.core.memory import keep_freed_memory

keep_freed_memory()
faults = []
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(3_000_000)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(*faults)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_an_array_as_large_as_one_that_was_freed_meets_no_new_page():
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True,
                          check=True).stdout
    first, *later = map(int, said.split())
    assert first > 10
    assert max(later) < first / 10
