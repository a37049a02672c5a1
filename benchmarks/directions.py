"""Cost of many directions in one pass over the data, on one core, and beside DP3's dynspec.

Run: python benchmarks/directions.py [FOLDER] [--dp3 VENV] [--work FOLDER] [--repeats 9]

First the averaging kernel alone, on a slab's worth of data: polarization-visibilities times
directions a second (a polarization-visibility is one correlation of one baseline, channel and
integration), of all directions and of each one more than the first, and the time of 16 directions
over that of one. With FOLDER, which holds half.ms of make_data.py, reading its slabs and making
the blocks of all directions too, and the same list given to DP3 (see peers.py for its environment).

Times are of the processor, not of the clock on the wall, the cases take turns, and ratios are those
of neighbours: so other work on the machine disturbs the comparison least.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from side_by_side import (
    ONE_CORE,
    alternate,
    median,
    observation,
    on_cores,
    run_command,
    table,
    verdict,
    warm,
)

from visds.core.sky import Direction
from visds.dynspec.average import sum_up_directions
from visds.dynspec.block import make_blocks
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.read import Buffers, ChunkReader

DIRECTIONS = (1, 4, 16, 64)
BASELINES = 351
PAIRS = np.array([[0, 3], [1, 2]])
LEAST = 400  # million polarization-visibilities times directions a second
MOST = 6  # times that of one, for 16 directions


def kernel_cases(channels, uneven):
    """Return how many polarization-visibilities there are, and a case for each list."""
    T = max(1, 384 // channels)
    rng = np.random.default_rng(0)
    parts = rng.standard_normal((T, BASELINES, channels, 8), dtype=np.float32)
    visibility = parts.view(np.complex64)
    flags = np.zeros(visibility.shape, np.uint8)
    weight = rng.uniform(0.5, 1.5, (T, BASELINES, 1, 4)).astype(np.float32)
    frequency = np.linspace(1e9, 1.1e9, channels)
    if uneven:
        frequency += np.linspace(0, 1, channels) ** 2 * 1e6

    def case(number):
        paths = rng.uniform(-1e4, 1e4, (number, T, BASELINES))

        def run():
            start = time.thread_time()
            for _ in range(20):
                sum_up_directions(visibility, flags, weight, PAIRS, paths, frequency)
            return (time.thread_time() - start) / 20
        return run
    return visibility.size, {number: case(number) for number in DIRECTIONS}


def list_of(centre, number):
    """Return directions on a grid about the phase centre, the first a little beside it."""
    side = int(np.ceil(np.sqrt(number)))
    return [Direction(centre.ra + 0.02 * (k % side) + 0.01, centre.dec + 0.02 * (k // side) + 0.01)
            for k in range(number)]


def our_pass(ready, number):
    """Read the slabs of all chunks and make the blocks of all directions; return the seconds."""
    start = time.process_time()
    with MeasurementSet(ready.plan.tasks[0].source.path) as measurement_set:
        for task in ready.plan.tasks:
            slabs = ChunkReader(measurement_set, task).slabs(Buffers())
            for _ in make_blocks(slabs, list_of(ready.target, number), ready.plan.stokes,
                                 ready.correlations):
                pass
    return time.process_time() - start


def dp3(venv, path, ready, number, folder):
    """Run DP3's dynspec step on the same list; return the seconds of processor."""
    sources = folder / "targets.skymodel"
    sources.write_text("FORMAT = Name, Ra, Dec\n" + "".join(
        f"t{k}, {place.ra:.9f}deg, {place.dec:.9f}deg\n"
        for k, place in enumerate(list_of(ready.target, number))))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_command(
        [venv / "bin" / "DP3.py", "numthreads=1", f"msin={path}", "msout=", "steps=[dynspec]",
         f"dynspec.sourcelist={sources}", f"dynspec.fitsprefix={folder}/dp3",
         "dynspec.beamcorrection=false"],
        cores=ONE_CORE, HOME=str(folder), OPENBLAS_NUM_THREADS="1")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_kernel(repeats):
    """Return the results of the kernel as Markdown."""
    text = ""
    for channels, uneven in ((128, False), (128, True), (1024, False)):
        size, cases = kernel_cases(channels, uneven)
        with on_cores(ONE_CORE):
            seconds = {n: np.array(s) for n, s in alternate(cases, repeats, rehearsals=1).items()}
        rows = []
        for number in DIRECTIONS:
            speed = number * size / median(seconds[number]) / 1e6
            row = [str(number), f"{1e3 * median(seconds[number]):.2f}", f"{speed:.0f}", "", "", ""]
            if number > 1:
                more = (number - 1) * size / median(seconds[number] - seconds[1]) / 1e6
                ratio = median(seconds[number] / seconds[1])
                row[3:] = [f"{more:.0f}", f"{ratio:.1f}", ""]
                if number >= 16:
                    row[5] = verdict(more, LEAST, at_most=False)
                if number == 16:
                    row[5] += f", {verdict(ratio, MOST, at_most=True)}"
            rows.append(row)
        text += (f"{channels} {'unevenly' if uneven else 'evenly'} spaced channels, {BASELINES} "
                 f"baselines, 4 correlations:\n\n" + table(
                     ["directions", "ms", "million a second", "each further direction",
                      "of the time of one",
                      f"at least {LEAST}, 16: at most {MOST} times"], rows) + "\n")
    return text


def measure_passes(path, venv, work, repeats):
    """Return the results of passes over a measurement set as Markdown."""
    ready = observation(path)
    warm(path)
    numbers = (1, 16)
    cases = {("visds", number): lambda number=number: our_pass(ready, number)
             for number in numbers}
    with tempfile.TemporaryDirectory(dir=work) as folder, on_cores(ONE_CORE):
        if venv:
            cases |= {("DP3", number): lambda number=number: dp3(venv, path, ready, number,
                                                                Path(folder))
                      for number in numbers}
        results = alternate(cases, repeats)
    seconds = {name: median(values) for name, values in results.items()}
    rows = []
    for number in numbers:
        row = [str(number), f"{seconds['visds', number]:.2f}"]
        row.append(f"{seconds['visds', number] / seconds['visds', 1]:.1f}")
        if venv:
            row += [f"{seconds['DP3', number]:.2f}",
                    f"{seconds['DP3', number] / seconds['visds', number]:.1f}"]
        rows.append(row)
    head = ["directions", "visds, s", "of the time of one"]
    return (f"{path.name}, read and made into blocks (DP3: the whole command, which makes files "
            "of them), seconds of processor:\n\n"
            + table(head + (["DP3, s", "DP3 / visds"] if venv else []), rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--dp3", type=Path, metavar="VENV")
    parser.add_argument("--work", default="/dev/shm", help="a folder in memory")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    print(f"## Many directions\n\nOne core; medians of {options.repeats}.\n")
    print(measure_kernel(options.repeats))
    if options.folder:
        print(measure_passes(options.folder / "half.ms", options.dp3, options.work,
                             max(1, options.repeats // 3)))


if __name__ == "__main__":
    main()
