"""Peak memory of a rank, and that it does not grow with the measurement set.

Run: python benchmarks/memory.py FOLDER [--work FOLDER] [--chunk-size MB]

FOLDER holds full.ms and double.ms of make_data.py. Peak memory is the largest resident size of a
process, as the operating system counts it; of two ranks, that of the larger.
"""

import argparse
import tempfile
from pathlib import Path

from side_by_side import table, verdict
from visds_runs import visds_run


def measure(folder, work, chunk_size):
    """Return the results as Markdown."""
    limit = 3 * chunk_size + 500
    rows = []
    with tempfile.TemporaryDirectory(dir=work) as out:
        for name in ("full", "double"):
            for options in (["--stream"], [], ["--stream", "-n", "2"], ["--images"],
                            ["--images", "-n", "2"]):
                peak = visds_run(folder / f"{name}.ms", Path(out) / "run", *options,
                                 "--chunk-size", f"{chunk_size}MB").peak / 1e6
                rows.append([f"{name}.ms {' '.join(options) or 'with chunk files'}", f"{peak:.0f}",
                             f"{limit:.0f}", verdict(peak, limit, at_most=True)])
    return (f"## Memory\n\nPeak memory of a rank with chunks of {chunk_size:.0f} MB.\n\n"
            + table(["", "MB", "at most", "kept"], rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", help="folder of the products (default: FOLDER)")
    parser.add_argument("--chunk-size", type=float, default=256, metavar="MB")
    options = parser.parse_args()
    print(measure(options.folder, options.work or options.folder, options.chunk_size))


if __name__ == "__main__":
    main()
