"""Speed of the direct sum over components against codex-africanus and DP3, on one core each.

Run: python benchmarks/predict.py [--africanus PYTHON] [--dp3 VENV] [--repeats 5]
         [--components 100] [--many 10000]

PYTHON (or AFRICANUS_PYTHON) is the interpreter of a virtual environment that holds
codex-africanus, VENV (or DP3_VENV) an environment that holds DP3; they need not be installable
together. All predict the same unpolarized points, and Gaussians, on the baselines of a simulated
measurement set, in turns, on one core; few components on ten integrations, many on one. Times are
those of the processor.

Counted are a component and a visibility, of whatever number of correlations: africanus' function
wsclean_predict makes one in complex128, ours and DP3 make four in complex64. Reading is not
counted: africanus and ours have their arguments in memory, and DP3's time is the difference
between two runs, with all components and with one. Spectral indices are evaluated by all three.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from make_data import PROGRAM

CHANNELS = 128
ONE_CORE = [max(os.sched_getaffinity(0))]
POINTS, GAUSSIANS = "points", "Gaussians"


def run_as_peer(folder):
    """Predict once for every line on standard input, and answer with the seconds it took."""
    from africanus.rime.wsclean_predict import wsclean_predict

    problem = np.load(Path(folder) / "problem.npz")
    names = ("uvw", "lm", "kind", "flux", "terms", "is_logarithmic", "reference", "shape",
             "frequency")
    arguments = [problem[name] for name in names]
    few = [values[:1] if name in names[1:8] else values[:2] if name == "uvw" else values
           for name, values in zip(names, arguments, strict=True)]
    wsclean_predict(*few)
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.process_time()
        result = wsclean_predict(*arguments)
        seconds = time.process_time() - start
        np.save(Path(folder) / "result.npy", result)
        print(seconds, flush=True)


def make_measurement_set(folder, integrations):
    """Return the path of a measurement set of 27 antennas with linear feeds."""
    path = Path(folder) / f"of {integrations}.ms"
    subprocess.run(
        [sys.executable, "-c", PROGRAM, path, "--array=MeerKAT", "--antennas=27",
         "--scans=1", f"--scan-length={10 * integrations}s", "--integration=10s",
         "--no-calibrator", "--no-flares", f"--channels={CHANNELS}", "--channel-width=1MHz",
         "--parallactic=off", "--sources=0", "--taylor-terms=0"],
        check=True, stdout=subprocess.DEVNULL)
    return path


def read_chunk(path):
    """Return the grid of a measurement set of one field and window as a chunk, without data."""
    from casacore import tables

    from visds.visibility.chunk import VisibilityChunk

    with tables.table(str(path), ack=False) as main:
        uvw, time_of_row = main.getcol("UVW"), main.getcol("TIME")
    with tables.table(f"{path}::SPECTRAL_WINDOW", ack=False) as window:
        frequency = window.getcell("CHAN_FREQ", 0)
    with tables.table(f"{path}::FIELD", ack=False) as field:
        centre = np.degrees(field.getcell("PHASE_DIR", 0)[0])
    T = len(np.unique(time_of_row))
    B, F = len(uvw) // T, len(frequency)
    shape = T, B, F, 4
    return VisibilityChunk(
        visibility=np.zeros(shape), flags=np.zeros(shape), weight=np.ones((T, B, 1, 4)),
        uvw=uvw.reshape(T, B, 3), antennas=np.zeros((B, 2)), time=np.arange(T),
        integration=np.full(T, 10.0), feed_angle=np.zeros(T), frequency=frequency,
        channel_width=np.full(F, 1e6), correlations=("XX", "XY", "YX", "YY"),
        phase_centre=tuple(map(float, centre)), frame="J2000", field="", scan=1,
        spectral_window=0)


def make_model(components, kind, centre):
    """Return components within half a degree; Gaussians are of 2 to 20 arcsec."""
    from visds.visibility.sky_model.components import ComponentModel

    rng = np.random.default_rng(0)
    stokes = np.zeros((components, 4))
    stokes[:, 0] = rng.uniform(0.01, 1, components)
    shape = np.zeros((components, 3))
    if kind == GAUSSIANS:
        shape[:, 0] = rng.uniform(4, 20, components)
        shape[:, 1] = shape[:, 0] * rng.uniform(0.5, 1, components)
        shape[:, 2] = rng.uniform(0, 180, components)
    return ComponentModel(
        (centre[0] + rng.uniform(-0.5, 0.5, components)) % 360,
        centre[1] + rng.uniform(-0.5, 0.5, components), stokes, np.full(components, 1e9),
        rng.uniform(-1, 0, components), shape=shape)


class Africanus:
    """codex-africanus in a process of its own, waiting for its turn."""

    name = "codex-africanus"

    def __init__(self, python, folder, chunk, model):
        from visds.core.sky import Direction

        self._folder, self._shape = Path(folder), chunk.visibility.shape[:3]
        is_gaussian = model.shape[:, 0] > 0
        np.savez(
            self._folder / "problem.npz", uvw=chunk.uvw.reshape(-1, 3),
            lm=model.cosines(Direction(*chunk.phase_centre))[:, :2],
            kind=np.where(is_gaussian, "GAUSSIAN", "POINT"), flux=model.stokes[:, 0],
            terms=model.spectral_terms, is_logarithmic=model.is_logarithmic,
            reference=model.reference_frequency, frequency=chunk.frequency,
            shape=np.radians(model.shape / [3600, 3600, 1]))
        self._peer = subprocess.Popen(
            [python, __file__, "--as-peer", folder], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, ONE_CORE))
        if self._peer.stdout.readline().strip() != "ready":
            sys.exit(f"{python} cannot run the peer: is codex-africanus installed there?")

    def run(self):
        """Return the seconds of one prediction."""
        self._peer.stdin.write("run\n")
        self._peer.stdin.flush()
        return float(self._peer.stdout.readline())

    def end(self):
        """End the process and return its visibilities (T,B,F)."""
        self._peer.communicate()
        return np.load(self._folder / "result.npy").reshape(self._shape)


class DP3:
    """DP3's predict step; a run is one with all components less one with the first only."""

    name = "DP3"

    def __init__(self, venv, folder, path, model):
        from casa_home import make_home

        self._folder, self._path = Path(folder), path
        self._venv, self._home = Path(venv), self._folder / "home"
        if not self._home.exists():
            make_home(self._home)
        for name, part in (("all", model), ("first", model.select(slice(1)))):
            (self._folder / f"{name}.skymodel").write_text(skymodel(part))

    def run(self):
        """Return the seconds of one prediction."""
        return self._seconds("all") - self._seconds("first")

    def end(self):
        """Return the visibilities XX (T,B,F)."""
        from casacore import tables

        with tables.table(str(self._folder / "all.ms"), ack=False) as main:
            values, times = main.getcol("DATA")[..., 0], main.getcol("TIME")
        return values.reshape(len(np.unique(times)), -1, values.shape[1])

    def _seconds(self, name):
        process = subprocess.Popen(
            [self._venv / "bin" / "DP3.py", "numthreads=1", f"msin={self._path}",
             f"msout={self._folder / name}.ms", "msout.overwrite=true", "steps=[predict]",
             f"predict.sourcedb={self._folder / name}.skymodel"],
            env=os.environ | {"HOME": str(self._home), "OPENBLAS_NUM_THREADS": "1"},
            preexec_fn=lambda: os.sched_setaffinity(0, ONE_CORE), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        if process.returncode:
            sys.exit(f"DP3 failed:\n{said}")
        return usage.ru_utime + usage.ru_stime


def skymodel(model):
    """Return a model as text in the format of DP3's sky models."""
    lines = ["FORMAT = Name, Type, Ra, Dec, I, ReferenceFrequency, SpectralIndex, LogarithmicSI, "
             "MajorAxis, MinorAxis, Orientation, OrientationIsAbsolute"]
    for s in range(len(model)):
        major, minor, angle = model.shape[s]
        lines.append(
            f"s{s}, {'GAUSSIAN' if major else 'POINT'}, {model.ra[s]:.12f}deg, "
            f"{model.dec[s]:.12f}deg, {model.stokes[s, 0]:.12g}, "
            f"{model.reference_frequency[s]:.12g}, [{model.spectral_terms[s, 0]:.12g}], true, "
            f"{major:.12g}, {minor:.12g}, {angle:.12g}, true")
    return "\n".join(lines) + "\n"


def measure(path, kind, components, repeats, options):
    """Return the median rates by program, and the largest differences from ours."""
    from visds.visibility.sky_model.direct import add_components

    chunk = read_chunk(path)
    model = make_model(components, kind, chunk.phase_centre)
    ours = np.zeros_like(chunk.visibility)

    def predict():
        ours[:] = 0
        start = time.process_time()
        add_components(ours, 1.0, chunk, model)
        return time.process_time() - start

    predict()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        peers = []
        if options.africanus:
            peers.append(Africanus(options.africanus, folder, chunk, model))
        if options.dp3:
            peers.append(DP3(options.dp3, folder, path, model))
        seconds = {"visds": [], **{peer.name: [] for peer in peers}}
        for _ in range(repeats):
            seconds["visds"].append(predict())
            for peer in peers:
                seconds[peer.name].append(peer.run())
        largest = np.abs(ours).max()
        differences = {peer.name: np.abs(peer.end() - ours[..., 0]).max() / largest
                       for peer in peers}
    count = chunk.visibility[..., 0].size * components
    return {name: count / np.median(values) / 1e6 for name, values in seconds.items()}, differences


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--africanus", default=os.environ.get("AFRICANUS_PYTHON"), metavar="PYTHON")
    parser.add_argument("--dp3", default=os.environ.get("DP3_VENV"), metavar="VENV")
    parser.add_argument("--components", type=int, default=100)
    parser.add_argument("--many", type=int, default=10000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--as-peer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_peer:
        run_as_peer(options.as_peer)
        return
    os.sched_setaffinity(0, ONE_CORE)
    aims = {Africanus.name: 2.5, DP3.name: 1.5}
    with tempfile.TemporaryDirectory() as folder:
        for components, integrations, repeats in (
                (options.components, 10, options.repeats), (options.many, 1, 1)):
            path = make_measurement_set(folder, integrations)
            for kind in (POINTS, GAUSSIANS):
                rates, differences = measure(path, kind, components, repeats, options)
                print(f"{components} {kind}, {351 * integrations} rows, {CHANNELS} channels; "
                      f"median of {repeats}, in million visibility-components per second")
                print(f"  {'visds':<16} {rates['visds']:8.1f}")
                for name, difference in differences.items():
                    print(f"  {name:<16} {rates[name]:8.1f}   visds is "
                          f"{rates['visds'] / rates[name]:.1f} x as fast (aim {aims[name]}); "
                          f"largest difference {difference:.1e} of the largest visibility")
    for name, given in ((Africanus.name, options.africanus), (DP3.name, options.dp3)):
        if not given:
            print(f"{name} was not measured: its environment was not named")


if __name__ == "__main__":
    main()
