"""Make the measurement sets of the benchmarks: half.ms, full.ms and double.ms in a folder.

Run: python benchmarks/make_data.py FOLDER [--scan-length MINUTES]

Each has 27 antennas, 128 channels and 4 correlations; the DATA column of full.ms is 1.7 GB. With a
smaller --scan-length (50 min) they are good enough to try the scripts. What is there is kept.
"""

import argparse
import subprocess
import sys
from pathlib import Path

SIZES = {"half": 0.5, "full": 1.0, "double": 2.0}
SCANS = 4
PROGRAM = "import sys; from visds.commands.simulate import main; sys.exit(main())"


def make(folder, scan_length):
    """Make the measurement sets that are missing; return their paths by name."""
    paths = {name: Path(folder) / f"{name}.ms" for name in SIZES}
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, path in paths.items():
        if path.exists():
            continue
        seconds = round(60 * scan_length * SIZES[name], -1)
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path), "--scans", str(SCANS),
             "--scan-length", f"{seconds}s", "--integration", "10s", "--channels", "128",
             "--channel-width", "1MHz", "--no-calibrator", "--sources", "3",
             "--taylor-terms", "0"], check=True, stdout=sys.stderr)
    return paths


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--scan-length", type=float, default=50, metavar="MINUTES")
    options = parser.parse_args()
    for path in make(options.folder, options.scan_length).values():
        print(path)


if __name__ == "__main__":
    main()
