"""Which way of predicting a part of a sky model is faster on this machine."""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ducc0
import numpy as np

from visds.core.errors import SettingsError
from visds.core.plural import counted
from visds.core.sky import LIGHT_SPEED, Direction
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.direct import add_components
from visds.visibility.sky_model.gridded import nonzero_box
from visds.visibility.sky_model.image_pixels import ImagePixels
from visds.visibility.sky_model.image_placement import misfit, place
from visds.visibility.sky_model.images import ImageModel

Content = ComponentModel | ImageModel | ImagePixels

# Planes in w that the gridder's kernel spans, and those for each turn of w (n - 1).
_KERNEL_PLANES = 8
_PLANES_PER_TURN = 3
# A band's worth of a primary beam is interpolated through about so many nodes.
_BEAM_NODES = 4
# The problem that is timed: pixels along a side, baselines in m.
_SIZE = 384
_LONGEST = 1e4


@dataclass(frozen=True, eq=False)
class Problem:
    """What one rank predicts.

    `rows` of visibilities in all, `batch` of them at a time, at `frequency` (F) in Hz; no
    baseline is longer than `longest` (m). `centre` is the phase centre.
    """

    rows: int
    batch: int
    frequency: np.ndarray
    longest: float
    centre: Direction


@dataclass(frozen=True)
class Calibration:
    """Seconds that this machine takes, on one core.

    `direct` for a component and visibility, `gridding` for a visibility of one transformed image,
    `transform` for a pixel of one plane in w, times the logarithm (base 2) of their number.
    """

    direct: float
    gridding: float
    transform: float


NOMINAL = Calibration(direct=1e-9, gridding=3e-7, transform=6e-10)
"""Of a usual processor, where nothing has to be chosen."""


@dataclass(frozen=True)
class Choice:
    """An engine for a part, the seconds that one rank needs for it, and why it was chosen."""

    engine: str
    seconds: float
    reason: str

    def __str__(self):
        return f"{self.engine}: {self.reason}"


def choose_engines(requested: str, parts: Sequence[Content], problem: Problem,
                   calibration: Calibration, *, epsilon: float,
                   smeared: Sequence[bool], attenuated: Sequence[bool]) -> tuple[Choice, ...]:
    """Return an engine for each part of a sky model.

    Components are always summed directly. The gridder takes images, but none in another projection
    than the orthographic one, none of another equinox whose misfit is more than the accuracy, and
    predicts no smearing; pixels of those are summed directly as points.

    Parameters
    ----------
    requested : {"auto", "direct", "gridded", "gpu"}
        `auto` takes what costs less on a CPU.
    parts : sequence of ComponentModel, ImageModel or ImagePixels
    problem : Problem
    calibration : Calibration
    epsilon : float
        Accuracy, as a fraction of the brightest visibility.
    smeared, attenuated : sequence of bool
        Of each part, whether smearing is predicted and whether it is seen through a primary beam.

    Raises
    ------
    SettingsError
        If `gridded` is asked for and cannot predict an image.
    """
    return tuple(
        _choose(requested, part, problem, calibration, epsilon, is_smeared, is_attenuated)
        for part, is_smeared, is_attenuated in zip(parts, smeared, attenuated, strict=True))


def _choose(requested: str, part: Content, problem: Problem, calibration: Calibration,
            epsilon: float, is_smeared: bool, is_attenuated: bool) -> Choice:
    direct = _direct_seconds(part, problem, calibration)
    if not isinstance(part, ImageModel):
        engine = "gpu" if requested == "gpu" else "direct"
        words = "pixel" if isinstance(part, ImagePixels) else "component"
        cost = "" if engine == "gpu" else f" cost {_text(direct)}"
        return Choice(engine, direct, f"{counted(len(part), words)}{cost}")
    pixels = counted(len(part.nonzero[0]), "pixel")
    if requested == "gpu":
        return Choice("gpu", direct, f"{pixels} as points")
    obstacle = ("the gridder predicts no smearing" if is_smeared
                else _obstacle(part, problem, epsilon))
    if requested == "gridded" and obstacle:
        raise SettingsError(f"--engine gridded cannot predict the image: {obstacle}; take "
                            "--engine direct or auto")
    if obstacle:
        return Choice("direct", direct, f"{pixels} cost {_text(direct)}; {obstacle}")
    gridded = _gridded_seconds(part, problem, calibration, is_attenuated)
    x, y = nonzero_box(part)
    size = f"{x.stop - x.start} x {y.stop - y.start} x {counted(len(part.pixels), 'plane')}"
    engine = requested if requested != "auto" else "direct" if direct <= gridded else "gridded"
    costs = {"direct": f"{pixels} cost {_text(direct)}",
             "gridded": f"{size} cost {_text(gridded)}"}
    first = costs.pop(engine)
    (other, second), = costs.items()
    return Choice(engine, direct if engine == "direct" else gridded, f"{first}; {other}: {second}")


def _direct_seconds(part: Content, problem: Problem, calibration: Calibration) -> float:
    if isinstance(part, ImageModel):
        number, polarizations = len(part.nonzero[0]), len(part.polarizations)
    else:
        number, polarizations = len(part), int(np.any(part.stokes != 0, axis=0).sum())
    # The fringe costs about as much as adding it to one Stokes parameter.
    return (calibration.direct * number * 0.5 * (1 + polarizations)
            * problem.rows * len(problem.frequency))


def _gridded_seconds(part: ImageModel, problem: Problem, calibration: Calibration,
                     is_attenuated: bool) -> float:
    if is_attenuated:
        terms = min(_BEAM_NODES, len(problem.frequency))
        visibilities = terms * len(problem.frequency)
    else:
        used = part.basis(problem.frequency) != 0
        terms, visibilities = int(used.any(axis=1).sum()), int(used.sum())
    batches = -(-problem.rows // problem.batch)
    turns = problem.longest * np.max(problem.frequency) / LIGHT_SPEED
    return len(part.polarizations) * (
        calibration.gridding * visibilities * problem.rows
        + calibration.transform * terms * batches * _transformed(part, problem.centre, turns))


def _transformed(image: ImageModel, centre: Direction, longest: float) -> float:
    """Return pixels times planes in w, times the logarithm, that the gridder transforms."""
    x, y = nonzero_box(image)
    pixels = (x.stop - x.start) * (y.stop - y.start)
    corners = np.array([(i - image.reference_pixel[0], j - image.reference_pixel[1])
                        for i in (x.start, x.stop) for j in (y.start, y.stop)])
    square = np.minimum(np.sum((corners * place(image, centre).cell) ** 2, axis=1), 1)
    depth = np.ptp(np.append(1 - np.sqrt(1 - square), 0))
    planes = _KERNEL_PLANES + _PLANES_PER_TURN * longest * depth
    return float(planes * pixels * np.log2(pixels))


def _obstacle(image: ImageModel, problem: Problem, epsilon: float) -> str:
    """Return why the gridder cannot predict an image, empty if it can."""
    if not image.is_orthographic:
        slant = " with a slant" if image.projection == "SIN" else ""
        return f"the projection {image.projection}{slant} is no grid of direction cosines"
    x, y = image.nonzero
    outermost = [function(values) for values in (x, y, x + y, x - y)
                 for function in (np.argmin, np.argmax)] if len(x) else []
    wrong = misfit(image, problem.centre, x[outermost], y[outermost])
    turns = wrong * problem.longest * np.max(problem.frequency) / LIGHT_SPEED
    if 2 * np.pi * turns > epsilon:
        return (f"{image.tangent.frame} is bent against {problem.centre.frame} by "
                f"{3600e3 * np.degrees(wrong):.2g} mas over the image")
    return ""


def _text(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 100 else f"{seconds:.0f} s"


@functools.cache
def calibrate(epsilon: float) -> Calibration:
    """Return how fast this machine predicts with an accuracy; small problems take 0.1 s."""
    chunk, model = _small_problem()
    visibilities = chunk.visibility[..., 0].size
    direct = _fastest(lambda: add_components(chunk.visibility, 1.0, chunk, model))
    uvw = chunk.uvw.reshape(-1, 3)
    transform = _fastest(_gridder(uvw[:1], chunk.frequency[:1], epsilon))
    both = _fastest(_gridder(uvw, chunk.frequency, epsilon))
    return Calibration(direct / (visibilities * len(model)),
                       max(both - transform, 0.1 * both) / visibilities,
                       transform / (_KERNEL_PLANES * _SIZE**2 * np.log2(_SIZE**2)))


def _small_problem() -> tuple[VisibilityChunk, ComponentModel]:
    rng = np.random.default_rng(0)
    T, B, F, S = 6, 100, 128, 20
    shape = T, B, F, 2
    chunk = VisibilityChunk(
        visibility=np.zeros(shape, np.complex64), flags=np.zeros(shape, np.uint8),
        weight=np.ones((T, B, 1, 2), np.float32), uvw=rng.uniform(-_LONGEST, _LONGEST, (T, B, 3)),
        antennas=np.zeros((B, 2), np.int32), time=np.arange(T, dtype=float),
        integration=np.ones(T), feed_angle=np.zeros(T), frequency=1e9 + 1e6 * np.arange(F),
        channel_width=np.full(F, 1e6), correlations=("RR", "LL"), phase_centre=(0.0, 0.0),
        frame="ICRS", field="", scan=0, spectral_window=0)
    model = ComponentModel(rng.uniform(0, 0.1, S), rng.uniform(0, 0.1, S),
                           np.tile([1.0, 0, 0, 0], (S, 1)), np.full(S, 1e9), np.zeros(S))
    return chunk, model


def _gridder(uvw: np.ndarray, frequency: np.ndarray, epsilon: float) -> Callable:
    """Return what predicts an image of `_SIZE`, whose Fourier plane is filled."""
    dirty = np.ones((_SIZE, _SIZE))
    pixel = 0.4 * LIGHT_SPEED / (_LONGEST * frequency[-1])
    return lambda: ducc0.wgridder.dirty2vis(
        uvw=uvw, freq=frequency, dirty=dirty, pixsize_x=pixel, pixsize_y=pixel, epsilon=epsilon,
        do_wgridding=True, divide_by_n=False, nthreads=1)


def _fastest(work: Callable) -> float:
    """Return the seconds of a core for the faster of two runs."""
    seconds = []
    for _ in range(2):
        start = time.thread_time()
        work()
        seconds.append(time.thread_time() - start)
    return min(seconds)
