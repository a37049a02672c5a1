"""How much of the sky model the data hold: one, if it is theirs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visds.chunk_job import SubtractedData
from visds.core.sky import LIGHT_SPEED, Direction
from visds.dynspec.block import paths_to
from visds.visibility.chunk import VisibilityChunk, join
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.plan import ChunkTask
from visds.visibility.read import SLAB_BYTES, ChunkReader

_PIECES = 16
_NOTABLE = 0.2
_SIGNIFICANT = 4.0
_TOO_WEAK = 2.0
_LEAST_ELSEWHERE = 1e-6
"""Share of the model's power that has to be left when the target's direction is taken out."""


@dataclass(frozen=True)
class ModelFit:
    """The factor by which the model fits the data best, and its standard error."""

    scale: float
    error: float

    def __str__(self):
        if not math.isfinite(self.scale):
            return ("how much of the sky model the data hold cannot be told: all of it is at the "
                    "target, or there is one baseline")
        if self.error > _TOO_WEAK and not self._is_wrong():
            return ("how much of the sky model the data hold cannot be told: it is too weak "
                    f"beside their noise ({self.scale:.1f} +- {self.error:.1f} of it)")
        digits = max(3, 1 - math.floor(math.log10(self.error))) if self.error else 3
        return (f"the data hold {self.scale:.{digits}f} +- {self.error:.{digits}f} of the sky "
                "model")

    def warning(self) -> str:
        """Return what to doubt, empty if nothing."""
        if not self._is_wrong():
            return ""
        return (f"{self}: its unit, scale or place is wrong, it was given twice, it is of another "
                "epoch, or the calibration is not that of the data")

    def _is_wrong(self) -> bool:
        return abs(self.scale - 1) > max(_NOTABLE, _SIGNIFICANT * self.error)


def fit_model(data: SubtractedData, tasks: Sequence[ChunkTask], target: Direction) -> ModelFit:
    """Return how well the model fits the visibilities from which it was subtracted.

    Of some integrations spread over the observation, with V the visibilities, M what was
    subtracted and w the weights, the scale is sum w Re(V M*) / sum w |M|^2: the least-squares
    factor of M. V and M are first turned to the target, and in each integration, channel and
    correlation their weighted means over baselines taken from both: that is the fit with the
    target's own spectrum free. It is 1 of a model that is right, 0.5 of one that was given twice,
    and near 0 of one that has nothing to do with the data. Sources that the model lacks are noise
    of the fit, alike in all integrations and channels of a baseline; so the error is that of the
    scatter between baselines or between those integrations, whichever is larger (White 1980,
    Econometrica 48, 817, of clusters). NaN where nothing was subtracted, from one baseline only, or
    at the target alone.
    """
    sums = [_sums(*_both(data, *piece), target) for piece in _pieces(tasks)]
    by_piece = np.array([part.sum(axis=(0, 1)) for part in sums])
    by_baseline = _added(sums).reshape(-1, 3)
    cross, power, whole = by_piece.sum(axis=0)
    if np.count_nonzero(by_baseline[:, 1]) < 2 or power < _LEAST_ELSEWHERE * whole:
        return ModelFit(math.nan, math.nan)
    scale = cross / power
    return ModelFit(float(scale), max(_error(scale, by_baseline), _error(scale, by_piece)))


def _pieces(tasks: Sequence[ChunkTask]) -> list[tuple[ChunkTask, int, int]]:
    """Return integrations, from and before which, of chunks: as many as are read at once each."""
    every = []
    for task in tasks:
        length = max(1, int(SLAB_BYTES * len(task.time) / max(task.nbytes, 1)))
        every += [(task, begin, min(begin + length, len(task.time)))
                  for begin in range(0, len(task.time), length)]
    places = np.linspace(0, len(every) - 1, min(_PIECES, len(every))).round().astype(int)
    return [every[place] for place in places]


def _both(data: SubtractedData, task: ChunkTask, begin: int, end: int,
          ) -> tuple[VisibilityChunk, VisibilityChunk]:
    """Return integrations of a chunk as they are in the measurement set, and what is left."""
    with MeasurementSet(task.source.path) as measurement_set:
        whole = join(ChunkReader(measurement_set, task).slabs(start=begin, stop=end), end - begin)
    return whole, join(data.slabs(task, begin, end), end - begin)


def _sums(stored: VisibilityChunk, left: VisibilityChunk, target: Direction) -> np.ndarray:
    """Return (A,A,3) sums by the antennas of a baseline: w Re(V M*), w |M|^2, all of w |M|^2.

    Of the former two the target is taken out.
    """
    seen = stored.visibility.astype(np.complex128)
    model = seen - left.visibility
    good = (left.flags == 0) & np.isfinite(seen) & np.isfinite(model) & np.isfinite(left.weight)
    weight = np.where(good, left.weight, 0).astype(float)
    path = paths_to(target, left)
    if path is not None:
        turn = np.exp(-2j * np.pi / LIGHT_SPEED * path[..., None] * left.frequency)[..., None]
        seen, model = seen * turn, model * turn
    model[~good] = 0
    whole = weight * np.abs(model) ** 2
    total = weight.sum(axis=1, keepdims=True)
    for values in (seen, model):
        values[~good] = 0
        values -= np.divide((weight * values).sum(axis=1, keepdims=True), total,
                            out=np.zeros_like(values[:, :1]), where=total > 0)
    axes = (0, 2, 3)
    made = np.zeros((left.antennas.max() + 1,) * 2 + (3,))
    np.add.at(made, tuple(left.antennas.T), np.stack([
        np.sum(weight * (seen * model.conj()).real, axis=axes),
        np.sum(weight * np.abs(model) ** 2, axis=axes), np.sum(whole, axis=axes)], axis=-1))
    return made


def _added(sums: Sequence[np.ndarray]) -> np.ndarray:
    antennas = max((len(part) for part in sums), default=0)
    total = np.zeros((antennas, antennas, 3))
    for part in sums:
        total[:len(part), :len(part)] += part
    return total


def _error(scale: float, clusters: np.ndarray) -> float:
    """Return the error of a scale from sums (C,3) over independent parts; 0 of one part."""
    used = clusters[clusters[:, 1] > 0]
    if len(used) < 2:
        return 0.0
    scatter = np.sum((used[:, 0] - scale * used[:, 1]) ** 2) * len(used) / (len(used) - 1)
    return math.sqrt(scatter) / float(used[:, 1].sum())
