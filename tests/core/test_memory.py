"""Memory is fresh from the system only once; cycles are freed, if not at once."""

import ctypes
import subprocess
import sys

import pytest

FREED = """
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
    said = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True,
                          check=True).stdout
    first, *later = map(int, said.split())
    assert first > 10
    assert max(later) < first / 10


CYCLES = """
import gc
from visds.core.memory import collect_rarely

class Cycle:
    left = 0
    def __init__(self):
        self.itself = self
        Cycle.left += 1
    def __del__(self):
        Cycle.left -= 1

collections = []
gc.callbacks.append(lambda phase, info: collections.append(phase))
collect_rarely()
for _ in range(1_000_000):
    Cycle()
print(Cycle.left, collections.count("start"))
"""


def test_cycles_are_collected_after_many_new_objects_only():
    said = subprocess.run([sys.executable, "-c", CYCLES], capture_output=True, text=True,
                          check=True).stdout
    left, collections = map(int, said.split())
    assert 0 < left <= 200_000
    assert 0 < collections <= 50


END = """
import gc
from visds.core.memory import collect_rarely

collect_rarely()
kept = [[] for _ in range(1000)]
gc.callbacks.append(lambda phase, info: phase == "stop" and print("looked", len(gc.get_objects())))
"""


def test_what_is_left_at_the_end_of_the_process_is_not_looked_through():
    said = subprocess.run([sys.executable, "-c", END], capture_output=True, text=True,
                          check=True).stdout
    looked = [int(line.split()[1]) for line in said.splitlines()]
    assert all(number < 1000 for number in looked)
