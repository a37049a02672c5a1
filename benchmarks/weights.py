"""Speed of measuring weights beside that of averaging the same chunk, on one core.

Run: python benchmarks/weights.py [--repeats 7]

Chunks of 250 MB of unequal antennas. Times are of the thread's processor, not of the clock on the
wall, and the cases alternate: so other work on the machine disturbs the comparison least. The
averaging that follows has a weight of every channel; that with the weights of rows is beside it.
"""

import argparse
import time

import numpy as np

from visds.dynspec.average import average
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.measured_weights import measure_weights

PAIRS = np.array([[0, 3], [1, 2]])
SHAPES = ((1100, 27, 16), (300, 27, 64), (76, 27, 256), (20, 27, 1024), (15, 63, 256))
"""Integrations, antennas, channels."""


def noise(T, antennas, F):
    """Return a chunk of noise whose antennas differ by a factor of four in system temperature."""
    rng = np.random.default_rng(0)
    pairs = np.array([(i, j) for i in range(antennas) for j in range(i + 1, antennas)])
    system = np.linspace(1, 4, antennas)
    sigma = np.sqrt(system[pairs].prod(axis=1)).astype(np.float32)
    parts = rng.standard_normal((T, len(pairs), F, 8), dtype=np.float32)
    parts *= sigma[:, None, None]
    visibility = parts.view(np.complex64)
    return VisibilityChunk(
        visibility=visibility, flags=np.zeros(visibility.shape, np.uint8),
        weight=np.ones((T, len(pairs), 1, 4), np.float32), uvw=np.zeros((T, len(pairs), 3)),
        antennas=pairs, time=59000 + np.arange(T) * 10 / 86400, integration=np.full(T, 10.0),
        feed_angle=np.zeros(T), frequency=1e9 + 1e6 * np.arange(F), channel_width=np.full(F, 1e6),
        correlations=("RR", "RL", "LR", "LL"), phase_centre=(0.0, 0.0), frame="ICRS", field="",
        scan=1, spectral_window=0)


def seconds_of(work):
    """Return the processor time that a call takes, in seconds, and what it returns."""
    start = time.thread_time()
    result = work()
    return time.thread_time() - start, result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    print("  T   B    F   measure   average: channels' weights   rows' weights   measure : average")
    for shape in SHAPES:
        chunk = noise(*shape)

        def averaged(weight, chunk=chunk):
            return average(chunk.visibility, chunk.flags, weight, PAIRS, None, chunk.frequency)

        weight = np.ascontiguousarray(measure_weights(chunk).weight)
        times = []
        for _ in range(options.repeats):
            times.append([seconds_of(lambda chunk=chunk: measure_weights(chunk))[0],
                          seconds_of(lambda weight=weight: averaged(weight))[0],
                          seconds_of(lambda weight=chunk.weight: averaged(weight))[0]])
        measure, channels, rows = np.median(times, axis=0)
        speed = chunk.visibility.size / np.array([measure, channels, rows]) / 1e6
        T, B, F, _ = chunk.visibility.shape
        print(f"{T:4d} {B:4d} {F:4d}   {speed[0]:4.0f} M/s   {speed[1]:8.0f} M/s   "
              f"{speed[2]:20.0f} M/s   {measure / channels:12.2f} "
              f"({measure / rows:.2f} of rows' weights)")


if __name__ == "__main__":
    main()
