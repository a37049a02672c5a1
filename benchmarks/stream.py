"""The pass over the data against the bare read of the same columns, in one process.

Run: python benchmarks/stream.py FOLDER [--work FOLDER] [--disk FOLDER] [--repeats 7]

FOLDER holds full.ms of make_data.py. The bare read is python-casacore's getcolnp of DATA, FLAG,
UVW and WEIGHT into buffers that are used again, 24 MB at a time; the bare write is of as many
bytes as DATA has to a new file, and no chunk file can be written faster. The pass over the data is
all that visds-run does to chunks: reading, flagging, averaging, writing the blocks, syncing them.
It writes to --work, which should be in memory (/dev/shm), to measure the code and not a disk;
--disk is where chunk files are written once more for what a disk makes of it.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from casacore import tables
from side_by_side import (
    CORES,
    ONE_CORE,
    alternate,
    data_bytes,
    median,
    observation,
    on_cores,
    table,
    timed,
    verdict,
    warm,
)

from visds.chunk_job import ChunkJob, SubtractedData
from visds.core.farm import Farm
from visds.core.memory import keep_freed_memory
from visds.core.sky import Direction
from visds.dynspec.flag import FlagSettings
from visds.visibility.read import SLAB_BYTES

AT_ONCE = 24_000_000
OFF_CENTRE = 0.1


class BareRead:
    """The columns that the pass over the data reads, and nothing done with them."""

    def __init__(self, ready):
        self._tasks = ready.plan.tasks
        source = self._tasks[0].source
        F, P = len(source.frequency), len(source.stored)
        self._rows = AT_ONCE // source.bytes_per_row
        weights = {"row": ("WEIGHT", (P,)), "spectrum": ("WEIGHT_SPECTRUM", (F, P))}
        name, cell = weights[source.weights]
        self._buffers = {source.column: np.empty((self._rows, F, P), np.complex64),
                         "FLAG": np.empty((self._rows, F, P), bool),
                         "UVW": np.empty((self._rows, 3)),
                         name: np.empty((self._rows, *cell), np.float32)}

    def __call__(self):
        """Read the measurement set once."""
        with tables.table(self._tasks[0].source.path, readonly=True, ack=False,
                          lockoptions="usernoread") as measurement_set:
            for task in self._tasks:
                first, end = int(task.run_start[0]), int(task.run_start[-1] + task.run_length[-1])
                for row in range(first, end, self._rows):
                    number = min(self._rows, end - row)
                    for column, buffer in self._buffers.items():
                        measurement_set.getcolnp(column, buffer[:number], row, number)


class BareWrite:
    """As many bytes as in DATA written to a new file, which is removed untimed."""

    def __init__(self, path, nbytes):
        self._path, self._nbytes = path, nbytes
        self._buffer = np.ones(AT_ONCE, np.uint8)

    def __call__(self) -> float:
        """Write the file; return the seconds that it took."""
        try:
            return timed(self._write)
        finally:
            os.unlink(self._path)

    def _write(self):
        with open(self._path, "wb", buffering=0) as file:
            for _ in range(0, self._nbytes, AT_ONCE):
                file.write(self._buffer)
            os.fsync(file.fileno())


class Pass:
    """The pass over the data of visds-run, into a folder that is made and removed untimed."""

    def __init__(self, ready, target, folder, stream):
        self._tasks, self._folder = ready.plan.tasks, Path(folder)
        data = SubtractedData(self._folder, ready.source_key(), None, (), "",
                              ready.subtraction.method)
        self._job = ChunkJob(data, target, ready.plan.stokes, ready.correlations,
                             FlagSettings(None, None), stream, smearing_corrected=False)

    def __call__(self) -> float:
        """Make all chunks; return the seconds that it took."""
        self._folder.mkdir(parents=True)
        try:
            return timed(self._run)
        finally:
            shutil.rmtree(self._folder)

    def _run(self):
        for outcome in Farm().run(self._job, self._tasks):
            if outcome.exception:
                raise outcome.exception


def pinned(case, cores):
    """Return the case, run on some cores."""
    def run():
        with on_cores(cores):
            return case()
    return run


def measure(path, work, disk, repeats):
    """Return the results as Markdown."""
    keep_freed_memory()  # as the programs do
    ready = observation(path)
    warm(path)
    bare = BareRead(ready)
    away = Direction(ready.target.ra, ready.target.dec + OFF_CENTRE)
    with tempfile.TemporaryDirectory(dir=work) as memory, \
            tempfile.TemporaryDirectory(dir=disk) as slow:
        chosen = {
            "bare read": lambda: timed(bare),
            "bare write in memory": BareWrite(f"{memory}/bare", data_bytes(path)),
            "bare write on disk": BareWrite(f"{slow}/bare", data_bytes(path)),
            "--stream": Pass(ready, ready.target, f"{memory}/a", True),
            "--stream, target off centre": Pass(ready, away, f"{memory}/b", True),
            "chunk files in memory": Pass(ready, ready.target, f"{memory}/c", False),
            "chunk files on disk": Pass(ready, ready.target, f"{slow}/d", False)}
        limits = {"--stream": 1.5, "chunk files in memory": 3.0}
        places = {f"{len(CORES)} cores": CORES, "1 core": ONE_CORE}
        cases = {(name, place): pinned(case, cores) for name, case in chosen.items()
                 for place, cores in places.items()
                 if not (name.endswith("on disk") and place == "1 core")}
        # What the system still writes to the disk slows whatever comes next: those go last.
        results = {}
        for to_disk in (False, True):
            results |= alternate({key: case for key, case in cases.items()
                                  if key[0].endswith("on disk") == to_disk}, repeats, rehearsals=1)
    seconds = {name: median(values) for name, values in results.items()}
    gigabytes = data_bytes(path) / 1e9
    rows = []
    for name, place in cases:
        ratio = seconds[name, place] / seconds["bare read", place]
        limit, shown = limits.get(name), f"{ratio:.2f}"
        if name == "--stream, target off centre":
            limit = 1.6
            ratio = seconds[name, place] / seconds["--stream", place]
            shown += f" ({ratio:.2f} of the centred)"
        rows.append([name, place, f"{seconds[name, place]:.3f}",
                     f"{gigabytes / seconds[name, place]:.2f}", shown, str(limit or ""),
                     verdict(ratio, limit, at_most=True) if limit else ""])
    head = ["", "on", "s", "GB/s of DATA", "of the bare read", "at most", "kept"]
    return (f"## The pass over the data\n\n{gigabytes:.2f} GB of DATA with its flags, slabs of "
            f"{SLAB_BYTES / 1e6:.1f} MB, warm cache, one process; medians of {repeats}.\n\n"
            + table(head, rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", default="/dev/shm", help="a folder in memory")
    parser.add_argument("--disk", help="a folder on disk (default: FOLDER)")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    print(measure(options.folder / "full.ms", options.work, options.disk or options.folder,
                  options.repeats))


if __name__ == "__main__":
    main()
