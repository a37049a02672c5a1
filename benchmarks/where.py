"""Where the time of a run goes, as shares: the data pass and the products.

Run: python benchmarks/where.py FOLDER [--work FOLDER]

FOLDER holds full.ms of make_data.py. visds-run --stream is run under Python's profiler on one core.
The profiler makes Python code seem slower than compiled code: shares are good to a few per cent.
On one core slabs are read in the main thread, where it sees them.
"""

import argparse
import contextlib
import cProfile
import os
import pstats
import sys
import tempfile
from pathlib import Path

from side_by_side import ONE_CORE, on_cores, table, warm

from visds.commands.run import main as visds_run

PASS = {("tiled_column.py", "read"): "reading",
        ("accumulate.py", "accumulate"): "averaging kernel",
        ("arrays.py", "write"): "writing and syncing blocks"}
LEAST = 0.02


def measure(path, work):
    """Return the shares as Markdown."""
    warm(path)
    profile = cProfile.Profile()
    with tempfile.TemporaryDirectory(dir=work) as out, on_cores(ONE_CORE), \
            open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), \
            contextlib.redirect_stderr(nowhere):
        profile.enable()
        code = visds_run([str(path), "-o", f"{out}/run", "--stream", "--no-images"])
        profile.disable()
    if code:
        sys.exit(f"visds-run ended with {code}")
    stats = pstats.Stats(profile).stats
    return ("## Where the time goes\n\n" + table(["data pass", "share"], _pass(stats)) + "\n"
            + table(["products", "share"], _children(stats, "_make_products")))


def _pass(stats):
    whole = _within(stats, ("pipeline.py", "_make_chunks"))
    rows, rest = [], whole
    for place, label in PASS.items():
        seconds = _within(stats, place, callers=("measurement_set.py", "chunk_job.py",
                                                 "average.py"))
        rows.append([label, f"{seconds / whole:.0%}"])
        rest -= seconds
    return [*rows, ["the rest: Python between slabs and chunks", f"{rest / whole:.0%}"]]


def _within(stats, place, callers=None):
    """Return the seconds in a function and below it, called from some files (or from anywhere)."""
    file, function = place
    total = 0.0
    for (path, _, name), (_, _, _, seconds, called_by) in stats.items():
        if Path(path).name != file or name != function:
            continue
        if callers is None:
            total += seconds
        else:
            total += sum(part[3] for caller, part in called_by.items()
                         if Path(caller[0]).name in callers and caller[2] != "_make_products")
    return total


def _children(stats, parent):
    whole = _within(stats, ("pipeline.py", parent))
    found = []
    for (path, _, name), (_, _, _, _, called_by) in stats.items():
        seconds = sum(part[3] for caller, part in called_by.items()
                      if caller[2] == parent and Path(caller[0]).name == "pipeline.py")
        if seconds / whole >= LEAST:
            found.append((seconds, f"{Path(path).stem}.{name}"))
    found.sort(reverse=True)
    return [[f"`{name}`", f"{seconds / whole:.0%}"] for seconds, name in found]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", help="folder of the products (default: FOLDER)")
    options = parser.parse_args()
    print(measure(options.folder / "full.ms", options.work or options.folder))


if __name__ == "__main__":
    main()
