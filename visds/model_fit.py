"""How much of the sky model the data hold: one, if it is theirs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visds.chunk_job import SubtractedData
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.plan import ChunkTask
from visds.visibility.read import ChunkReader

_SAMPLED_CHUNKS = 4
_NOTABLE = 0.2
_SIGNIFICANT = 5.0


@dataclass(frozen=True)
class ModelFit:
    """The factor by which the model fits the data best, and its standard error."""

    scale: float
    error: float

    def __str__(self):
        return f"the data hold {self.scale:.3f} +- {self.error:.2g} of the sky model"

    def warning(self) -> str:
        """Return what to doubt, empty if nothing."""
        if not abs(self.scale - 1) > max(_NOTABLE, _SIGNIFICANT * self.error):
            return ""
        return (f"{self}: its unit or scale is wrong, it was given twice, it is of another epoch, "
                "or the calibration is not that of the data")


def fit_model(data: SubtractedData, tasks: Sequence[ChunkTask]) -> ModelFit:
    """Return how well the model fits the visibilities from which it was subtracted.

    Of the first slab of some chunks, with V the visibilities, M what was subtracted and w the
    weights, the scale is sum w Re(V M*) / sum w |M|^2: the least-squares factor of M. It is 1 of a
    model that is right, whatever else is in the field, 0.5 of one that was given twice, and near 0
    of one that has nothing to do with the data. NaN where nothing was subtracted.
    """
    cross = power = total = 0.0
    count = 0
    step = -(-len(tasks) // _SAMPLED_CHUNKS)
    for task in tasks[::step]:
        left = next(iter(data.slabs(task)))
        with MeasurementSet(task.source.path) as measurement_set:
            whole = next(ChunkReader(measurement_set, task).slabs())
        T = min(len(left.time), len(whole.time))
        seen = whole.visibility[:T].astype(np.complex128)
        model = seen - left.visibility[:T]
        weight = np.where((left.flags[:T] == 0) & np.isfinite(seen), left.weight[:T], 0)
        good = np.isfinite(weight) & (weight > 0)
        w, v, m = np.broadcast_to(weight, seen.shape)[good], seen[good], model[good]
        cross += float(np.sum(w * (v * m.conj()).real))
        power += float(np.sum(w * np.abs(m) ** 2))
        total += float(np.sum(w * np.abs(v) ** 2))
        count += len(v)
    if not power:
        return ModelFit(math.nan, math.nan)
    scale = cross / power
    # The scatter of what is left, per component, in units of the weights.
    variance = max(total - scale * cross, 0.0) / (2 * count)
    return ModelFit(scale, math.sqrt(variance / power))
