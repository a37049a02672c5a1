"""Speed of snapshot images against bare ducc0 and against casatasks.tclean, on one core.

Run: python benchmarks/image.py MEASUREMENT_SET [--snapshots 60] [--repeats 3] [--no-casa]

MEASUREMENT_SET is the half.ms of make_data.py. Each snapshot is Stokes I and V on 1024 x 1024
pixels, natural weights, from the rows on disk (in the page cache) to arrays with a fitted beam.
Bare ducc0 reads the same rows with the same reader and calls vis2dirty for I and V on Stokes
visibilities that were made before: what cannot be less with this gridder. tclean(niter=0) makes
the same two images of some of the snapshots, with gridder='standard', which leaves out w, and with
gridder='wproject', which does not. What is compared takes turns; seconds are CPU time of the
process.
"""

import argparse
import math
import shutil
import tempfile
import time
from pathlib import Path

import ducc0
import numpy as np
from side_by_side import ONE_CORE, alternate, median, on_cores, table, verdict, warm

from visds.core.sky import Direction
from visds.imaging.dirty import EPSILON, Gridding, make_dirty
from visds.imaging.geometry import Geometry, automatic_cell
from visds.imaging.imaged_data import chunk_of_task, read_pieces, sample_uvw
from visds.imaging.intervals import ImagedChunk, Interval, content, intervals, pieces
from visds.imaging.stokes_visibility import gather
from visds.visibility.plan import plan_chunks
from visds.visibility.selection import ReadSettings

SIZE = 1024
STOKES = ("I", "V")


class Snapshots:
    """The snapshots of a measurement set, to be imaged one way or the other."""

    def __init__(self, path: str, number: int):
        plan = plan_chunks(path, ReadSettings())
        self.chunks: list[ImagedChunk] = [chunk_of_task(task) for task in plan.tasks]
        times = sum(len(chunk.time) for chunk in self.chunks)
        seconds = float(np.median(self.chunks[0].integration)) * max(times // number, 1)
        self.intervals: list[Interval] = intervals(self.chunks, f"{seconds}s")[:number]
        highest = max(float(chunk.frequency.max()) for chunk in self.chunks)
        cell = automatic_cell(sample_uvw(self.chunks), highest)
        centre = Direction(*plan.phase_centre, plan.frame).to("ICRS")
        self.geometry = Geometry(centre, cell, SIZE)

    def ours(self) -> float:
        """Make all images; return the seconds."""
        start = time.process_time()
        for interval in self.intervals:
            parts = pieces(self.chunks, interval)
            make_dirty(lambda parts=parts: gather(read_pieces(parts), STOKES,
                                                  self.geometry.centre),
                       self.geometry, content(self.chunks, interval, ""), Gridding())
        return time.process_time() - start

    def bare(self) -> float:
        """Read all rows and grid prepared visibilities; return the seconds of these two."""
        step = math.radians(self.geometry.cell)
        seconds = 0.0
        for interval in self.intervals:
            parts = pieces(self.chunks, interval)
            groups = list(gather(read_pieces(parts), STOKES, self.geometry.centre))
            start = time.process_time()
            for _ in read_pieces(parts):
                pass
            for group in groups:
                for s, k in enumerate(group.weight_of):
                    ducc0.wgridder.vis2dirty(
                        uvw=group.uvw, freq=group.frequency, vis=group.visibility[s],
                        wgt=group.weight[k], npix_x=SIZE, npix_y=SIZE, pixsize_x=step,
                        pixsize_y=step, epsilon=EPSILON, do_wgridding=True, flip_v=True,
                        divide_by_n=False, nthreads=1)
            seconds += time.process_time() - start
        return seconds

    def casa(self, path: str, number: int, gridder: str) -> float:
        """Make the images of some snapshots with tclean; return the seconds of one."""
        from visds.core.casa import load_casatools

        load_casatools()
        import casatasks

        folder = Path(tempfile.mkdtemp(prefix="image "))
        copy = folder / "copy.ms"
        shutil.copytree(path, copy)
        spread = np.linspace(0, len(self.intervals) - 1, number).astype(int)
        start = time.process_time()
        for k in spread:
            interval = self.intervals[k]
            first, last = (_casa_time(time) for time in interval.ranges[0])
            casatasks.tclean(
                vis=str(copy), imagename=str(folder / f"snapshot{k}"), timerange=f"{first}~{last}",
                datacolumn="data", imsize=SIZE, cell=f"{3600 * self.geometry.cell}arcsec",
                stokes="IV", weighting="natural", niter=0, gridder=gridder,
                wprojplanes=1 if gridder == "standard" else -1, calcres=True, calcpsf=True,
                restoration=False, interactive=False, parallel=False)
        seconds = (time.process_time() - start) / number
        shutil.rmtree(folder)
        return seconds


def _casa_time(mjd: float) -> str:
    from astropy.time import Time

    return Time(mjd, format="mjd").strftime("%Y/%m/%d/%H:%M:%S")


def main():
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("measurement_set")
    parser.add_argument("--snapshots", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--casa-snapshots", type=int, default=3)
    parser.add_argument("--no-casa", action="store_true")
    options = parser.parse_args()
    with on_cores(ONE_CORE):
        warm(Path(options.measurement_set))
        snapshots = Snapshots(options.measurement_set, options.snapshots)
        number = len(snapshots.intervals)
        cases = {"visds": snapshots.ours, "bare ducc0": snapshots.bare}
        results = alternate(cases, options.repeats)
        ours, bare = (median(results[name]) / number for name in cases)
        ratio = median([a / b for a, b in zip(results["visds"], results["bare ducc0"],
                                              strict=True)])
        rows = [["visds", f"{ours:.3f}", "", ""],
                ["bare ducc0 and reading", f"{bare:.3f}", f"{ratio:.2f}",
                 verdict(ratio, 1.3, at_most=True)]]
        if not options.no_casa:
            for gridder in ("standard", "wproject"):
                casa = snapshots.casa(options.measurement_set, options.casa_snapshots, gridder)
                rows.append([f"casatasks.tclean(niter=0, gridder='{gridder}')", f"{casa:.3f}",
                             f"1/{casa / ours:.1f}", verdict(casa / ours, 10, at_most=False)])
    print(f"{number} snapshots of Stokes I and V, {SIZE} x {SIZE} pixels of "
          f"{3600 * snapshots.geometry.cell:.3g} arcsec; median of {options.repeats}\n")
    print(table(["", "CPU s a snapshot", "visds over it", "within the goal"], rows))


if __name__ == "__main__":
    main()
