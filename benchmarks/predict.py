"""Speed of the prediction of point components against codex-africanus, on one core each.

Run: python benchmarks/predict.py [PYTHON] [--components 100] [--repeats 9]

PYTHON (or the environment variable AFRICANUS_PYTHON) is the interpreter of a virtual environment
that holds codex-africanus; the two need not be installable together. Both predict the same
unpolarized components on the same baselines, in turns, in two processes of which one waits.
The peer's africanus.dft.im_to_vis gives one correlation in complex128 (sign convention "casa");
ours is added to the four correlations of a chunk in complex64. Fluxes are given to the peer as a
table; ours come from a spectral index, and reckoning them is part of the time.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BASELINES, INTEGRATIONS, CHANNELS = 351, 10, 128


def run_as_peer(folder):
    """Predict once for every line on standard input, and answer with the seconds it took."""
    from africanus.dft import im_to_vis

    problem = np.load(Path(folder) / "problem.npz")
    arguments = [problem[name] for name in ("image", "uvw", "lm", "frequency")]
    im_to_vis(arguments[0][:1], arguments[1][:1], arguments[2][:1], arguments[3],
              convention="casa")
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        result = im_to_vis(*arguments, convention="casa")
        seconds = time.perf_counter() - start
        np.save(Path(folder) / "result.npy", result)
        print(seconds, flush=True)


def make_problem(components):
    from visds.visibility.chunk import VisibilityChunk
    from visds.visibility.sky_model.components import ComponentModel

    rng = np.random.default_rng(0)
    shape = INTEGRATIONS, BASELINES, CHANNELS, 4
    chunk = VisibilityChunk(
        visibility=np.zeros(shape), flags=np.zeros(shape),
        weight=np.ones((INTEGRATIONS, BASELINES, 1, 4)),
        uvw=rng.uniform(-2e4, 2e4, (INTEGRATIONS, BASELINES, 3)),
        antennas=np.zeros((BASELINES, 2)), time=np.arange(INTEGRATIONS),
        integration=np.ones(INTEGRATIONS), feed_angle=np.zeros(INTEGRATIONS),
        frequency=1e9 + 1e6 * np.arange(CHANNELS), channel_width=np.full(CHANNELS, 1e6),
        correlations=("RR", "RL", "LR", "LL"), phase_centre=(83.0, 22.0), frame="J2000",
        field="", scan=1, spectral_window=0)
    stokes = np.zeros((components, 4))
    stokes[:, 0] = rng.uniform(0.01, 1, components)
    model = ComponentModel(83 + rng.uniform(-0.5, 0.5, components),
                           22 + rng.uniform(-0.5, 0.5, components), stokes,
                           np.full(components, 1e9), rng.uniform(-1, 0, components))
    return chunk, model


def start_peer(python, folder, chunk, model):
    from visds.core.sky import Direction

    flux = model.flux_density(chunk.frequency)[0]
    np.savez(Path(folder) / "problem.npz", image=flux[..., np.newaxis],
             uvw=chunk.uvw.reshape(-1, 3), frequency=chunk.frequency,
             lm=model.cosines(Direction(*chunk.phase_centre))[:, :2])
    peer = subprocess.Popen([python, __file__, "--as-peer", folder], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if peer.stdout.readline().strip() != "ready":
        sys.exit(f"{python} cannot run the peer: is codex-africanus installed there?")
    return peer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", nargs="?", default=os.environ.get("AFRICANUS_PYTHON"))
    parser.add_argument("--components", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--as-peer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_peer:
        run_as_peer(options.as_peer)
        return
    from visds.visibility.sky_model.predict import predict

    chunk, model = make_problem(options.components)
    count = INTEGRATIONS * BASELINES * CHANNELS * options.components
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        peer = start_peer(options.python, folder, chunk, model) if options.python else None
        predict(chunk, model)
        for _ in range(options.repeats):
            start = time.perf_counter()
            result = predict(chunk, model)
            ours.append(time.perf_counter() - start)
            if peer:
                peer.stdin.write("run\n")
                peer.stdin.flush()
                theirs.append(float(peer.stdout.readline()))
        print(f"{options.components} components, {INTEGRATIONS * BASELINES} rows, {CHANNELS} "
              f"channels; median of {options.repeats}, in million visibility-components per second")
        print(f"visds            {count / np.median(ours) / 1e6:8.1f}")
        if peer is None:
            print("codex-africanus  not measured: give the python of its virtual environment as "
                  "argument or in AFRICANUS_PYTHON")
            return
        peer.stdin.close()
        peer.wait()
        expected = np.load(Path(folder) / "result.npy").reshape(result.shape[:3])
        difference = np.abs(result[..., 0] - expected).max() / np.abs(expected).max()
        print(f"codex-africanus  {count / np.median(theirs) / 1e6:8.1f}")
        print(f"ratio            {np.median(theirs) / np.median(ours):8.1f}")
        print(f"largest difference, relative to the largest visibility: {difference:.1e}")


if __name__ == "__main__":
    main()
