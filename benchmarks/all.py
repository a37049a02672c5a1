"""All benchmarks, one after the other; the results are Markdown.

Run: python benchmarks/all.py --data FOLDER [--dstools VENV] [--dp3 VENV] [--africanus VENV]
         [--work FOLDER] > results.md

FOLDER is where the measurement sets are, or are made. It needs 12 GB of disk, and 8 GB of memory
for what programs write beside what keeps FOLDER in the cache. It takes some ten minutes. The
machine should have nothing else to do.
"""

import argparse
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import make_data
from side_by_side import CORES, ONE_CORE, on_cores

HERE = Path(__file__).parent


def machine(venvs):
    """Return what the numbers were measured on and with, as Markdown."""
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    packages = [f"{name} {version(name)}"
                for name in ("numpy", "numba", "python-casacore", "h5py")]
    for label, package, venv in venvs:
        packages.append(f"{package} {_version(venv, package)}" if venv else f"no {label}")
    return (f"{len(CORES)} cores ({model}), {memory:.0f} GB of memory, load "
            f"{os.getloadavg()[0]:.1f} when it began; Python {platform.python_version()}, "
            f"{', '.join(packages)}.\n")


def _version(venv, package):
    return subprocess.run(
        [venv / "bin" / "python", "-c",
         f"from importlib.metadata import version; print(version({package!r}))"],
        capture_output=True, text=True, check=True).stdout.strip()


def say(script, *arguments, fenced=False, cores=CORES):
    """Run a script and print what it says."""
    print(f"benchmarks/{script}.py", file=sys.stderr, flush=True)
    with on_cores(cores):
        done = subprocess.run([sys.executable, HERE / f"{script}.py", *arguments],
                              stdout=subprocess.PIPE, text=True, check=False)
    text = done.stdout.strip() if done.returncode == 0 else f"{script}.py failed."
    print(f"```\n{text}\n```\n" if fenced else f"{text}\n", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="default: --data")
    for name in ("dstools", "dp3", "africanus"):
        parser.add_argument(f"--{name}", type=Path, metavar="VENV")
    options = parser.parse_args()
    make_data.make(options.data, 50)
    work = str(options.work or options.data)
    peers = [f"--{name}={getattr(options, name)}" for name in ("dstools", "dp3")
             if getattr(options, name)]
    print(machine([("dstools", "radio-dstools", options.dstools), ("DP3", "dp3", options.dp3),
                   ("codex-africanus", "codex-africanus", options.africanus)]), flush=True)
    say("stream", options.data, "--disk", work)
    say("peers", options.data, *peers)
    say("memory", options.data, "--work", work)
    say("where", options.data, "--work", work)
    print("## The kernels alone\n\nAveraging, on one core:\n")
    say("average", fenced=True, cores=ONE_CORE)
    print("Prediction of components, on one core:\n")
    say("predict", *(["--africanus", options.africanus / "bin" / "python"]
                     if options.africanus else []),
        *(["--dp3", options.dp3] if options.dp3 else []), fenced=True, cores=ONE_CORE)
    print("Many directions, on one core:\n")
    say("directions", options.data, *([f"--dp3={options.dp3}"] if options.dp3 else []),
        cores=ONE_CORE)
    print("Search, weights, flaggers and reruns, on one core:\n")
    for script in ("search", "weights", "burst_survival"):
        say(script, fenced=True, cores=ONE_CORE)
    say("rerun", options.data, "--work", work)
    print("Prediction of images, on one core:\n")
    say("predict_images", cores=ONE_CORE)
    print("Images of snapshots, on one core:\n")
    say("image", options.data / "half.ms", cores=ONE_CORE)


if __name__ == "__main__":
    main()
