"""Speed of the direct sum over components on a GPU, against one core of the processor.

Run: python benchmarks/predict_gpu.py [--components 10000] [--integrations 50] [--repeats 5]

Whole calls are timed, with the transfer of baselines and sums and the adding to four correlations,
and the kernel alone. A visibility-component takes, of points, 24 operations in single precision
(sine and cosine by polynomials 20, sums 4) and 4 in double (the phase and its reduction). The
fraction of peak is the time that they would take at the GPU's peak rates of both, one after the
other, over the time taken.
"""

import argparse
import functools
import tempfile
import time

import numpy as np
from predict import GAUSSIANS, POINTS, make_measurement_set, make_model, read_chunk
from side_by_side import timed

SINGLE, DOUBLE = 24, 4
# Operations a clock and multiprocessor in single and double precision, by compute capability; a
# multiplication with an addition counts as two.
RATES = {(7, 0): (128, 64), (7, 5): (128, 4), (8, 0): (128, 64), (8, 6): (256, 4),
         (8, 9): (256, 4), (9, 0): (256, 128), (10, 0): (256, 128)}


def peak(device):
    """Return the visibility-components a second of points at a GPU's peak rates; NaN if unknown."""
    single, double = RATES.get(device.compute_capability, (np.nan, np.nan))
    clocks = device.CLOCK_RATE * 1e3 * device.MULTIPROCESSOR_COUNT
    return clocks / (SINGLE / single + DOUBLE / double)


def kernel_seconds(cuda, chunk, model, repeats):
    """Return the median time of the kernel alone."""
    from visds.core.sky import LIGHT_SPEED, Direction
    from visds.visibility.sky_model import gpu, gpu_kernel

    uvw = cuda.to_device(np.ascontiguousarray(chunk.uvw.reshape(-1, 3)))
    wavenumber = cuda.to_device(chunk.frequency / LIGHT_SPEED)
    width, span = (cuda.to_device(np.zeros(count)) for count in (len(chunk.frequency), len(uvw)))
    sums = cuda.to_device(np.zeros((2, len(uvw), len(chunk.frequency))))
    grid = gpu_kernel.grid_for(len(uvw), len(chunk.frequency))
    tables = gpu._tables(model, Direction(*chunk.phase_centre, chunk.frame),
                         chunk.frequency.tobytes(), None)

    def run():
        for _, extended, *table in tables:
            kernel = gpu_kernel.kernel_for(gpu_kernel.channels_of_block(len(chunk.frequency)), 1,
                                           extended=extended, smearing=False)
            kernel[grid, gpu_kernel.THREADS](uvw, *table, wavenumber, width, span, 1, 0.0, 1.0,
                                             sums)
        cuda.synchronize()

    run()
    return np.median([timed(run) for _ in range(repeats)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--components", type=int, default=10000)
    parser.add_argument("--integrations", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    from visds.visibility.sky_model import direct, gpu

    gpu.check_gpu()
    from numba import cuda

    device = cuda.get_current_device()
    print(f"{device.name}, compute capability {device.compute_capability}, "
          f"{device.MULTIPROCESSOR_COUNT} multiprocessors, {device.CLOCK_RATE / 1e6:.2f} GHz")
    with tempfile.TemporaryDirectory() as folder:
        chunk = read_chunk(make_measurement_set(folder, options.integrations))
    count = chunk.visibility[..., 0].size * options.components
    for kind in (POINTS, GAUSSIANS):
        model = make_model(options.components, kind, chunk.phase_centre)
        ours = np.zeros_like(chunk.visibility)
        gpu.add_components(ours, 1.0, chunk, model)
        again = functools.partial(gpu.add_components, ours.copy(), 1.0, chunk, model)
        whole = np.median([timed(again) for _ in range(options.repeats)])
        alone = kernel_seconds(cuda, chunk, model, options.repeats)
        few = chunk.select_times(0, 1)
        expected = np.zeros_like(few.visibility)
        start = time.process_time()
        direct.add_components(expected, 1.0, few, model)
        core = (time.process_time() - start) * len(chunk.time)
        difference = np.abs(ours[:1] - expected).max() / np.abs(expected).max()
        fraction = f", {count / alone / peak(device):.0%} of peak" if kind == POINTS else ""
        print(f"{options.components} {kind}, {count / options.components:.3g} visibilities, in "
              f"million visibility-components per second: whole call {count / whole / 1e6:.0f}, "
              f"kernel {count / alone / 1e6:.0f}{fraction}; one core {count / core / 1e6:.0f}; "
              f"largest difference {difference:.1e} of the largest visibility")


if __name__ == "__main__":
    main()
