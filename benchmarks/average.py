"""Speed of the averaging kernel in GB/s of complex64 visibilities, on one core.

Run: python benchmarks/average.py [--channels 128] [--repeats 15]

Times are of the thread's processor, not of the clock on the wall, and the cases alternate: so
other work on the machine disturbs the comparison least. Beside them is printed how fast the same
memory is read by a plain sum, which no kernel can beat by much.
"""

import argparse
import time

import numpy as np

from visds.dynspec.average import average

BASELINES = 351
PAIRS = np.array([[0, 3], [1, 2]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--channels", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    F = options.channels
    T = max(1, 7680 // F)
    rng = np.random.default_rng(0)
    parts = rng.standard_normal((T, BASELINES, F, 8), dtype=np.float32)
    visibility = parts.view(np.complex64)
    clean = np.zeros(visibility.shape, np.uint8)
    flagged = (rng.random(visibility.shape) < 0.02).astype(np.uint8)
    row = rng.uniform(0.5, 1.5, (T, BASELINES, 1, 4)).astype(np.float32)
    spectrum = rng.uniform(0.5, 1.5, visibility.shape).astype(np.float32)
    path = rng.uniform(-1e4, 1e4, (T, BASELINES))
    frequency = np.linspace(1e9, 1.1e9, F)
    cases = {
        "plain: no flags, one weight a row": (clean, row, None),
        "turned to a target off centre": (clean, row, path),
        "2 % random flags": (flagged, row, None),
        "weight of every channel": (clean, spectrum, None),
        "flags, weights of channels, turned": (flagged, spectrum, path),
    }
    seconds = {name: [] for name in cases}
    read = []
    for _ in range(options.repeats + 1):
        start = time.thread_time()
        parts.sum()
        read.append(time.thread_time() - start)
        for name, (flags, weight, turned) in cases.items():
            start = time.thread_time()
            average(visibility, flags, weight, PAIRS, turned, frequency)
            seconds[name].append(time.thread_time() - start)
    print(f"{T} integrations, {BASELINES} baselines, {F} channels, 4 correlations: "
          f"{visibility.nbytes / 1e6:.0f} MB; median (best) of {options.repeats}")
    for name, values in {**seconds, "(numpy's sum of the same memory)": read}.items():
        speed = visibility.nbytes / np.array(values[1:]) / 1e9
        print(f"{name:36s} {np.median(speed):6.2f} ({speed.max():5.2f}) GB/s")


if __name__ == "__main__":
    main()
