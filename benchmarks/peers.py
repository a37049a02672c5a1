"""Whole commands against dstools-extract-ds and DP3's dynspec step, and against two ranks.

Run: python benchmarks/peers.py FOLDER [--dstools VENV] [--dp3 VENV] [--work FOLDER] [--repeats 3]

FOLDER holds the measurement sets of make_data.py. The peers live in virtual environments of their
own, made with

    pip install radio-dstools "numpy<2.4" six casadata==2025.9.22
    pip install dp3 numpy

All make the dynamic spectrum of the phase centre. Commands take turns and are kept on one core,
two ranks on two. dstools copies the measurement set twice on its way; the copies, as all products,
go to --work. The time after start-up is the difference of double.ms and half.ms.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits
from casa_home import make_home
from side_by_side import (
    CORES,
    ONE_CORE,
    alternate,
    data_bytes,
    median,
    observation,
    run_command,
    table,
    verdict,
    warm,
)
from visds_runs import visds_run

from visds.dynspec.dynamic_spectrum import DynamicSpectrum

SIZES = ("half", "double")
VISDS, TWO, DSTOOLS, DP3 = "visds", "visds, 2 ranks", "dstools", "DP3"


def dstools(venv, measurement_set, out, home):
    """Run dstools on a link, since it writes beside the measurement set."""
    folder = out.parent / f"{out.name}.dstools"
    folder.mkdir()
    link = folder / measurement_set.name
    link.symlink_to(measurement_set.resolve())
    try:
        return run_command([venv / "bin" / "dstools-extract-ds", link, out], cores=ONE_CORE,
                           cwd=folder, HOME=str(home), OPENBLAS_NUM_THREADS="1")
    finally:
        shutil.rmtree(folder)


def dp3(venv, measurement_set, out, home):
    """Run DP3's dynspec step, without the beam, which it does not know for every telescope."""
    target = observation(measurement_set).target
    sources = out.parent / "target.skymodel"
    sources.write_text(f"FORMAT = Name, Ra, Dec\ntarget, {target.ra:.9f}deg, {target.dec:.9f}deg\n")
    return run_command(
        [venv / "bin" / "DP3.py", "numthreads=1", f"msin={measurement_set}", "msout=",
         "steps=[dynspec]", f"dynspec.sourcelist={sources}", f"dynspec.fitsprefix={out}",
         "dynspec.beamcorrection=false"],
        cores=ONE_CORE, HOME=str(home), OPENBLAS_NUM_THREADS="1")


def tools_of(venvs, home):
    """Return the function (measurement set, output) that runs each tool."""
    tools = {VISDS: lambda path, out: visds_run(path, out, "--stream", cores=ONE_CORE)}
    if len(CORES) > 1:
        tools[TWO] = lambda path, out: visds_run(path, out, "--stream", "-n", "2", cores=CORES[:2])
    if venvs[DSTOOLS]:
        tools[DSTOOLS] = lambda path, out: dstools(venvs[DSTOOLS], path, out, home)
    if venvs[DP3]:
        tools[DP3] = lambda path, out: dp3(venvs[DP3], path, out, home)
    return tools


def one_case(tool, path, out):
    """Return a function without arguments that runs one tool on one measurement set."""
    return lambda: tool(path, out)


def measure(paths, venvs, work, repeats):
    """Return the results as Markdown."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        folder = Path(folder)
        tools = tools_of(venvs, make_home(folder / "home"))
        for name in SIZES:
            warm(paths[name])
        results = alternate({(tool, size): one_case(run, paths[size], folder / f"{tool}.{size}")
                             for tool, run in tools.items() for size in SIZES}, repeats)
        agreement = compare(paths["half"], venvs, folder)
    size = {name: data_bytes(paths[name]) / 1e9 for name in SIZES}
    missing = "".join(f"{name} was not measured: no virtual environment was named.\n\n"
                      for name in (DSTOOLS, DP3) if name not in tools)
    return (f"## Whole commands and the peers\n\nDATA columns of {size['half']:.2f} and "
            f"{size['double']:.2f} GB, warm cache, one core each (two ranks: two cores); medians "
            f"of {repeats}, in seconds. After start-up, in s/GB: the difference of the two sizes "
            "over that of their DATA; everything that does not grow with the data cancels.\n\n"
            + missing + _commands(results, tools, size) + "\n" + _startup(results) + "\n"
            + _stages(results, tools, size) + "\n" + agreement)


def _slope(results, tool, size, part="seconds"):
    double, half = (median([getattr(run, part) for run in results[tool, name]])
                    for name in ("double", "half"))
    return (double - half) / (size["double"] - size["half"])


def _commands(results, tools, size):
    rows = []
    for tool in tools:
        half, double = (median([run.seconds for run in results[tool, name]]) for name in SIZES)
        peak = max(run.peak for run in results[tool, "double"])
        rows.append([tool, f"{half:.2f}", f"{double:.2f}", f"{_slope(results, tool, size):.2f}",
                     f"{peak / 1e6:.0f}"])
    text = table(["command", "half", "double", "after start-up, s/GB", "peak MB"], rows)
    rows = []
    for tool, least, whole in ((DSTOOLS, 30, 5), (DP3, 5, 1)):
        if tool not in tools:
            continue
        for label, ours in (("", _slope(results, VISDS, size)),
                            (" (data pass alone)", _slope(results, VISDS, size, "chunks"))):
            ratio = _slope(results, tool, size) / ours
            rows.append([f"{tool} / visds after start-up{label}", f"{ratio:.1f}", str(least),
                         verdict(ratio, least, at_most=False)])
        for name in SIZES:
            theirs, ours = (median([run.seconds for run in results[t, name]])
                            for t in (tool, VISDS))
            rows.append([f"{tool} / visds, whole command, {name}", f"{theirs / ours:.1f}",
                         str(whole), verdict(theirs / ours, whole, at_most=False)])
    if TWO in tools:
        for label, part in (("", "seconds"), (" (data pass alone)", "chunks")):
            ratio = _slope(results, VISDS, size, part) / _slope(results, TWO, size, part)
            rows.append([f"1 rank / 2 ranks after start-up{label}", f"{ratio:.2f}", "1.7",
                         verdict(ratio, 1.7, at_most=False)])
    return text + "\n" + table(["ratio", "", "at least", "kept"], rows)


def _startup(results):
    """Return the start-up as the log tells it, which needs no difference of noisy numbers."""
    rows = []
    for tool in (VISDS, TWO):
        for size in SIZES:
            if (tool, size) in results:
                value = median([run.startup for run in results[tool, size]])
                rows.append([f"{tool}, {size}", f"{value:.2f}", "3",
                             verdict(value, 3, at_most=True)])
    return ("Start-up, from the launch of the process to the log's last line before the data are "
            "read:\n\n" + table(["start-up", "s", "at most", "kept"], rows))


def _stages(results, tools, size):
    rows = []
    for tool in (VISDS, TWO):
        for name in SIZES if tool in tools else ():
            runs = results[tool, name]
            rows.append([f"{tool}, {name}", *(f"{median([getattr(run, part) for run in runs]):.2f}"
                                              for part in ("startup", "chunks", "products"))])
    return ("Where the time of a whole run goes (products: stitching, detection, tables, plots, "
            "report):\n\n" + table(["", "start-up", "data pass", "products"], rows))


def compare(path, venvs, folder):
    """Return how the flux densities of the peers compare with ours, as Markdown."""
    out = folder / "visds"
    run_command([sys.executable, "-m", "visds.commands.run", path, "-o", out, "--stream"])
    ours = DynamicSpectrum.read(out / "dynspec.h5")
    peers = {}
    if venvs[DSTOOLS]:
        peers[f"{DSTOOLS}: real part of (RR + LL) / 2"] = _of_dstools(folder / f"{DSTOOLS}.half")
    if venvs[DP3]:
        baselines = round(float(np.median(ours.count)))
        peers[f"{DP3}: its Stokes I, a modulus, times {baselines} baselines"] = (
            baselines * _of_dp3(folder / f"{DP3}.half-target-dynspec.fits", ours.time))
    if not peers:
        return ""
    flux, sigma = ours.values("I"), ours.errors("I")
    modulus = np.hypot(flux, ours.residual[..., ours.index("I")])
    rows = [["visds: Stokes I", f"{1e3 * np.nanmean(flux):.3f}", f"{1e3 * np.nanmax(flux):.2f}",
             ""]]
    for name, values in peers.items():
        mine = modulus if name.startswith(DP3) else flux
        rows.append([name, f"{1e3 * np.nanmean(values):.3f}", f"{1e3 * np.nanmax(values):.2f}",
                     f"{np.nanmax(np.abs(values - mine) / sigma):.1e}"])
    return ("Do they compute the same? Stokes I of half.ms over all cells; the last column is the "
            "largest difference in units of a cell's error (to DP3: from our modulus).\n\n"
            + table(["", "mean, mJy", "highest, mJy", "difference / sigma"], rows))


def _of_dstools(path):
    with h5py.File(path) as file:
        flux = file["flux"][0]
    return ((flux[..., 0] + flux[..., 3]) / 2).real


def _of_dp3(path, time):
    """Return DP3's Stokes I at our times; it fills the gaps between scans with empty cells."""
    with fits.open(path) as file:
        header, values = file[0].header, file[0].data[0].T
    place = (time * 86400 - header["CRVAL1"]) / header["CDELT1"]
    return values[np.round(place).astype(int)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dstools", type=Path, metavar="VENV")
    parser.add_argument("--dp3", type=Path, metavar="VENV")
    parser.add_argument("--work", default="/dev/shm", help="a folder in memory")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    venvs = {DSTOOLS: options.dstools, DP3: options.dp3}
    for name, venv in venvs.items():
        if venv is not None and not os.access(venv / "bin" / "python", os.X_OK):
            parser.error(f"--{name.lower()}: {venv} is not a virtual environment")
    paths = {name: options.folder / f"{name}.ms" for name in SIZES}
    print(measure(paths, venvs, options.work, options.repeats))


if __name__ == "__main__":
    main()
