"""Speed of the prediction of images: against bare ducc0, casatasks.ft and the direct sum.

Run: python benchmarks/predict_images.py [--work FOLDER] [--repeats 5] [--picture FILE.png]

All of it on one core, in turns, in seconds of the processor. A field of 200 sources is simulated
in FOLDER (100 MB): an image of 1024 x 1024 pixels and two Taylor terms, 351 baselines, 60
integrations and 64 channels. ducc0 predicts the two terms with the same accuracy as
image_visibilities, which scales them to the channels and adds them besides. casatasks.ft reads the
image and writes MODEL_DATA; ours reads the image and UVW and makes the four correlations in memory.
--picture draws the time against the number of components and against the size of an image.
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path

import ducc0
import numpy as np
from casacore import tables
from side_by_side import ONE_CORE, alternate, median, on_cores, table, verdict

from visds.commands.simulate import main as visds_simulate
from visds.core.casa import load_casatasks
from visds.core.sky import Direction
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.correlation_matrix import correlation_matrix
from visds.visibility.sky_model.direct import add_components
from visds.visibility.sky_model.engine import Problem, calibrate, choose_engines
from visds.visibility.sky_model.gridded import image_visibilities
from visds.visibility.sky_model.image_placement import place
from visds.visibility.sky_model.images import ImageModel
from visds.visibility.sky_model.readers.casa_image import read_casa_image

EPSILON = 1e-5
# Nearer to that of ft, which errs by a per cent.
COARSE = 1e-3
ANTENNAS, INTEGRATIONS, CHANNELS = 27, 60, 64
COMPONENTS = (1, 10, 100, 1000)
SIZES = (256, 512, 1024, 2048)
CORRELATIONS = ("RR", "RL", "LR", "LL")


def processor_seconds(work):
    start = time.process_time()
    work()
    return time.process_time() - start


def simulate(folder):
    """Return the paths of a measurement set and of the first term of its model."""
    with contextlib.redirect_stdout(io.StringIO()):
        code = visds_simulate([
            f"{folder}/field.ms", f"--antennas={ANTENNAS}", "--scans=1", "--integration=10s",
            f"--scan-length={10 * INTEGRATIONS}s", "--no-calibrator", f"--channels={CHANNELS}",
            "--channel-width=1MHz", "--sources=200", "--radius=10arcmin", "--cell=1.25arcsec",
            "--taylor-terms=2", "--model", "--no-flares"])
    if code:
        sys.exit(f"visds-simulate ended with {code}")
    return f"{folder}/field.ms", f"{folder}/field.model.tt0"


def read_rows(path):
    """Return uvw, frequencies and the phase centre of a measurement set of one field."""
    with tables.table(path, ack=False) as main:
        uvw = main.getcol("UVW")
    with tables.table(f"{path}/SPECTRAL_WINDOW", ack=False) as windows:
        frequency = windows.getcell("CHAN_FREQ", 0)
    with tables.table(f"{path}/FIELD", ack=False) as fields:
        centre = np.degrees(fields.getcell("PHASE_DIR", 0)[0])
    return uvw, frequency, Direction(*centre, "J2000")


def bare(uvw, frequency, centre, image):
    """Return a call of ducc0 for each Taylor term of an image, all pixels of it."""
    cell = place(image, centre).cell
    turned = np.ascontiguousarray(uvw * [1, -1, 1])
    terms = [np.ascontiguousarray(pixels[0].T, dtype=float) for pixels in image.pixels]
    return lambda: [ducc0.wgridder.dirty2vis(
        uvw=turned, freq=frequency, dirty=dirty, pixsize_x=cell[0], pixsize_y=cell[1],
        epsilon=EPSILON, do_wgridding=True, divide_by_n=False, nthreads=1) for dirty in terms]


def all_correlations(path, image_path, epsilon):
    """Predict what ft predicts, from the files of measurement set and image."""
    uvw, frequency, centre = read_rows(path)
    image, _ = read_casa_image(image_path)
    stokes = image_visibilities(uvw, frequency, centre, image, epsilon=epsilon)
    matrix = correlation_matrix(CORRELATIONS, np.zeros(1))[0, :, 0].astype(np.complex64)
    visibility = np.empty((*stokes.shape[1:], len(matrix)), np.complex64)
    np.multiply(stokes[0][..., np.newaxis], matrix, out=visibility)
    return visibility


def compare(folder, repeats):
    """Return the comparison with ducc0 and CASA as Markdown."""
    path, image_path = simulate(folder)
    uvw, frequency, centre = read_rows(path)
    image, _ = read_casa_image(image_path)
    tasks = load_casatasks()
    names = [image_path, image_path.replace("tt0", "tt1")]

    def ft():
        with contextlib.chdir(folder):
            tasks.ft(vis=path, model=names, nterms=2, usescratch=True)

    cases = {"ducc0": bare(uvw, frequency, centre, image),
             "image": lambda: image_visibilities(uvw, frequency, centre, image, epsilon=EPSILON),
             "files": lambda: all_correlations(path, image_path, EPSILON),
             "coarse": lambda: all_correlations(path, image_path, COARSE), "ft": ft}
    seconds = alternate({name: lambda case=case: processor_seconds(case)
                         for name, case in cases.items()}, repeats, rehearsals=1)
    took = {name: median(values) for name, values in seconds.items()}
    million = uvw.shape[0] * len(frequency) / 1e6
    rows = [["bare ducc0, 2 calls", f"{took['ducc0']:.2f}", f"{million / took['ducc0']:.2f}", ""],
            ["image_visibilities", f"{took['image']:.2f}", f"{million / took['image']:.2f}",
             _ratio(took["ducc0"] / took["image"], 0.9)],
            ["casatasks.ft", f"{took['ft']:.2f}", f"{million / took['ft']:.2f}", ""],
            ["the same from files, 4 correlations", f"{took['files']:.2f}",
             f"{million / took['files']:.2f}", _ratio(took["ft"] / took["files"], 10)],
            [f"and with an accuracy of {COARSE:g}", f"{took['coarse']:.2f}",
             f"{million / took['coarse']:.2f}", f"{took['ft'] / took['coarse']:.2f}"]]
    size = " x ".join(map(str, image.pixels.shape[:1:-1]))
    return (f"## Prediction of an image\n\n{size} pixels, {len(image.pixels)} Taylor terms, "
            f"{len(uvw)} rows, {len(frequency)} channels; one core.\n\n"
            + table(["", "s", "million visibilities/s", "times as fast (aim)"], rows))


def _ratio(value, limit):
    return f"{value:.2f} (>= {limit:g}: {verdict(value, limit, at_most=False)})"


def scaling(repeats):
    """Return seconds for numbers of components, and for sizes of images, and words."""
    rng = np.random.default_rng(0)
    baselines = ANTENNAS * (ANTENNAS - 1) // 2
    shape = INTEGRATIONS, baselines, CHANNELS, 2
    chunk = VisibilityChunk(
        visibility=np.zeros(shape, np.complex64), flags=np.zeros(shape, np.uint8),
        weight=np.ones((*shape[:2], 1, 2)), uvw=rng.normal(0, 3e3, (*shape[:2], 3)),
        antennas=np.zeros((baselines, 2)), time=np.arange(INTEGRATIONS),
        integration=np.ones(INTEGRATIONS), feed_angle=np.zeros(INTEGRATIONS),
        frequency=1.4e9 + 1e6 * np.arange(CHANNELS), channel_width=np.full(CHANNELS, 1e6),
        correlations=("RR", "LL"), phase_centre=(83.0, 22.0), frame="J2000", field="", scan=1,
        spectral_window=0)
    centre, uvw = Direction(83.0, 22.0, "J2000"), chunk.uvw.reshape(-1, 3)
    cases = {}
    for number in COMPONENTS:
        stokes = np.zeros((number, 4))
        stokes[:, 0] = 1
        model = ComponentModel(83 + rng.uniform(-0.2, 0.2, number),
                               22 + rng.uniform(-0.2, 0.2, number), stokes,
                               np.full(number, 1.4e9), np.zeros(number))
        cases["direct", number] = lambda model=model: add_components(
            chunk.visibility, 1.0, chunk, model)
    images = {}
    for size in SIZES:
        pixels = np.zeros((1, 1, size, size), np.float32)
        pixels[0, 0, ::16, ::16] = pixels[0, 0, -1, -1] = 1
        images[size] = ImageModel(pixels, ("I",), 1.4e9, np.empty(0), centre, "SIN",
                                  (-1 / 3600, 1 / 3600), (size / 2, size / 2))
        cases["gridded", size] = lambda image=images[size]: image_visibilities(
            uvw, chunk.frequency, centre, image, epsilon=EPSILON)
    seconds = alternate({name: lambda case=case: processor_seconds(case)
                         for name, case in cases.items()}, repeats, rehearsals=1)
    took = {name: median(values) for name, values in seconds.items()}
    each = took["direct", COMPONENTS[-1]] / COMPONENTS[-1]
    problem = Problem(len(uvw), len(uvw), chunk.frequency, np.linalg.norm(uvw, axis=1).max(),
                      centre)
    calibration = calibrate(EPSILON)
    rows = []
    for size, image in images.items():
        choice, = choose_engines("gridded", [image], problem, calibration, epsilon=EPSILON,
                                 smeared=[False], attenuated=[False])
        rows.append([f"{size} x {size}", f"{took['gridded', size]:.2f}", f"{choice.seconds:.2f}",
                     f"{took['gridded', size] / each:.0f}"])
    words = (f"Of {len(uvw)} rows and {CHANNELS} channels the direct sum takes "
             f"{1e3 * each:.2f} ms for a component "
             f"({len(uvw) * CHANNELS / each / 1e9:.2f}e9 visibility-components/s).\n\n"
             + table(["image, one term", "s", "as --engine auto reckons, s",
                      "costs as many components"], rows))
    return took, words


def draw(took, path):
    """Draw the time against the number of components, and where images of some sizes cross it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    numbers = np.array(COMPONENTS)
    direct = np.array([took["direct", number] for number in numbers])
    far = 100 * numbers[-1]
    axes.loglog(numbers, direct, "o-", color="C0", label="direct sum")
    axes.loglog([numbers[-1], far], [direct[-1], 100 * direct[-1]], ":", color="C0")
    for colour, size in enumerate(SIZES, start=1):
        seconds = took["gridded", size]
        axes.axhline(seconds, color=f"C{colour}", lw=1, label=f"gridded, {size} x {size} pixels")
        axes.plot(seconds / direct[-1] * numbers[-1], seconds, "s", color=f"C{colour}")
    axes.set(xlim=(1, far), xlabel="components, or pixels with flux",
             ylabel=f"s for {ANTENNAS * (ANTENNAS - 1) // 2 * INTEGRATIONS * CHANNELS / 1e6:.2f} "
                    "million visibilities")
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, metavar="FOLDER")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--picture", type=Path, metavar="FILE.png")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as folder, on_cores(ONE_CORE):
        print(compare(folder, options.repeats))
        took, words = scaling(options.repeats)
    print(words)
    if options.picture:
        draw(took, options.picture)


if __name__ == "__main__":
    main()
