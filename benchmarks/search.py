"""Speed of the search for bursts, of 512 x 4096 cells on one core.

Run: python benchmarks/search.py [--integrations 512] [--channels 4096] [--repeats 3]

Times are of the process' processor, not of the clock on the wall. The filter alone looks for
templates above a threshold in Stokes I and V of noise, as the search of an observation does that
holds no burst; the calibration is that of the false alarms by noise realizations; the whole is
`detect`, with the errors of the planes, the controls in the data itself and the table.
"""

import argparse
import os
import time

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from visds.dynspec.detection.boxes import Boxes
from visds.dynspec.detection.detect import detect
from visds.dynspec.detection.false_alarm import calibrate
from visds.dynspec.detection.matched_filter import MatchedFilter
from visds.dynspec.detection.noise import planes
from visds.dynspec.detection.settings import DetectSettings
from visds.dynspec.dynamic_spectrum import DynamicSpectrum


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--integrations", type=int, default=512)
    parser.add_argument("--channels", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    spectrum = noise(options.integrations, options.channels)
    print(f"{options.integrations} x {options.channels} cells, seconds of one core, best of "
          f"{options.repeats}\n")
    print("| templates | number | filter, I and V | calibration | whole search, I and V | "
          "the same for 100 templates |")
    print("|---|---|---|---|---|---|")
    for templates in (("box",), ("gaussian",), ("box", "gaussian")):
        boxes = Boxes((slice(0, options.integrations),), options.channels, templates=templates)
        searched = planes(spectrum, ("I", "V"), boxes, gain_error=0.01)
        settings = DetectSettings(detection_templates=templates)
        rows = [best(work, options.repeats) for work in (
            lambda boxes=boxes, searched=searched: search(searched, boxes),
            lambda boxes=boxes, searched=searched: calibrate(list(searched.values()), boxes, 3),
            lambda settings=settings: detect(spectrum, settings))]
        rows.append(rows[-1] / number(boxes) * 100)
        print(f"| {' and '.join(templates)} | {number(boxes)} | "
              + " | ".join(f"{seconds:.2f}" for seconds in rows) + " |", flush=True)


def search(searched, boxes, threshold=5.8):
    """Look for the highest template above the threshold, of either sign, in each plane."""
    for plane in searched.values():
        matched_filter = MatchedFilter(plane.weight, boxes, coherent=plane.coherent,
                                       scatter=plane.scatter)
        matched_filter.extremes(plane.values[None], (threshold, -threshold))


def number(boxes):
    """Return the number of templates of different shape."""
    scan = boxes.scans[0]
    in_time, in_frequency = boxes.boxes_as_profiles(scan)
    total = len(in_time) * len(in_frequency)
    in_time, in_frequency = boxes.gaussians(scan)
    return total + len({p.width for p in in_time}) * len(in_frequency)


def best(work, repeats):
    work()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def noise(T, F, baselines=351, sigma=1.0):
    """Return a dynamic spectrum of noise in I and V, whose sums are those of equal weights."""
    rng = np.random.default_rng(0)
    shape = (T, F, 2)
    w = 1 / (sigma**2 * baselines)
    mean = sigma * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
    power = 2 * sigma**2 * baselines * (1 + rng.standard_normal(shape) / np.sqrt(baselines))
    total = np.full(shape, w * baselines)
    return DynamicSpectrum(
        time=59000 + np.arange(T) * 10 / 86400, integration=np.full(T, 10.0),
        time_barycentre=59000 + np.arange(T) * 10 / 86400, scan=np.ones(T, int),
        frequency=1e9 + 1e5 * np.arange(F), channel_width=np.full(F, 1e5),
        spectral_window=np.zeros(F, int), primary_beam=np.ones(F),
        inflation=np.ones((F, 2)),
        sum_w=total, sum_wv=total * mean, sum_w2=total * w, sum_w2v=total * w * mean,
        sum_w2v2=total * w * (power + np.abs(mean) ** 2), count=np.full(shape, baselines),
        sum_w2_cross=np.zeros((T, F)), sum_w2_covariance=np.zeros((T, F)),
        flags=np.zeros(shape, int), polarizations=("I", "V"), parallel_hands=("RR", "LL"),
        meta={"target": "noise"})


if __name__ == "__main__":
    main()
