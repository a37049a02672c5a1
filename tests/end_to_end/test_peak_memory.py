"""The memory of a rank is bounded by the size of a chunk, not by that of the measurement set."""

import re
import sys

import pytest
from launch import environment, run

CHUNK = 8e6
PYTHON_AND_LIBRARIES = 500e6
PROGRAM = """
import sys
from visds.commands.run import main
code = main(sys.argv[1:])
print(open("/proc/self/status").read())
raise SystemExit(code)
"""


def peak(path, out, *options):
    """Return the largest resident size of visds-run, in bytes."""
    ended = run([sys.executable, "-c", PROGRAM, str(path), "-o", str(out), "--chunk-size",
                 f"{CHUNK / 1e6:g}MB", "--plots", "lightcurve", *options], env=environment())
    assert ended.returncode == 0, ended.stderr
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", ended.stdout)[1])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("options", [
    (), ("--stream",), pytest.param(("--no-images",), marks=pytest.mark.long),
    pytest.param(("--stream", "--no-images"), marks=pytest.mark.long)])
def test_a_measurement_set_six_times_as_long_takes_no_more_memory(simulated, tmp_path, options):
    sizes, peaks = [], []
    for scan_length in ("200s", "1200s"):
        path = simulated(scan_length=scan_length, antennas=27, channels=64,
                         noise="20mJy").measurement_set
        sizes.append(sum(file.stat().st_size for file in path.rglob("*")))
        peaks.append(peak(path, tmp_path / scan_length, *options))
    assert sizes[1] - sizes[0] > 60e6
    assert max(peaks) < 3 * CHUNK + PYTHON_AND_LIBRARIES
    assert peaks[1] - peaks[0] < 25e6
