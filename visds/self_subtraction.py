"""Whether a constant star was subtracted from itself: the classic silent loss."""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visds.core.flux_text import flux_text, flux_with_error
from visds.core.sky import Direction
from visds.core.told_once import told_once
from visds.dynspec.block import make_block
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.variability.indices import weighted_mean
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.plan import Plan
from visds.visibility.read import ChunkReader

_THE_TARGET = "the target"
_SAMPLED_CHUNKS = 12
_NOTABLE = 3.0
"""Errors of the target's mean beyond which a flux density that was subtracted is told as doubt."""


@dataclass(frozen=True)
class SelfSubtraction:
    """What of the target the sky model took; apparent flux densities of Stokes I in Jy.

    `target` is its name, empty of the only one; `removed` was taken out of the model around it,
    `left` is what components and images still hold there, `column` what the columns of predicted
    visibilities hold in the direction of the target, NaN where there is none; `mean` and
    `mean_error` are those of the target's light curve, as in the table of variability.
    `is_apparent` is whether the products have other flux densities, corrected for the beam.
    """

    radius_arcsec: float
    removed: float
    left: float
    column: float
    mean: float
    mean_error: float
    is_apparent: bool = False
    target: str = ""

    @property
    def subtracted(self) -> float:
        """Flux density in Jy that was subtracted at the target."""
        return self.left + (0.0 if math.isnan(self.column) else self.column)

    @property
    def held_something(self) -> bool:
        """Whether there was anything of the sky model at the target."""
        return bool(self.removed or self.left) or math.isfinite(self.column)

    def summary(self) -> str:
        """Return the check in one line."""
        text = (f"model flux density within {self.radius_arcsec:.3g} arcsec of "
                f"{self.target or _THE_TARGET}: "
                f"{flux_text(self.left)} subtracted, {flux_text(self.removed)} taken out of the "
                "model before")
        if math.isfinite(self.column):
            text += f", {flux_text(self.column)} in the columns in its direction"
        text += (f"; mean of the light curve of {self.target or _THE_TARGET} "
                 f"{flux_with_error(self.mean, self.mean_error)}")
        return text + (" (apparent, not corrected for the primary beam)" if self.is_apparent
                       else "")

    def warning(self) -> str:
        """Return what to doubt, empty if nothing."""
        if not self.subtracted or abs(self.subtracted) <= _NOTABLE * self.mean_error:
            return ""
        star = f"if that too is the star's, beside the {flux_text(self.removed)} that were taken " \
            "out of the model before, it" if self.removed else \
            "if that is the star itself, its constant flux density"
        return (f"{flux_text(self.subtracted)} of the sky model were subtracted at "
                f"{self.target or _THE_TARGET}, "
                f"the mean of whose light curve is {flux_with_error(self.mean, self.mean_error)}: "
                f"{star} is lost")


def summaries(checks: Sequence[SelfSubtraction]) -> list[str]:
    """Return the checks in few lines: first of targets of which the model held something."""
    told = []
    for holds in (True, False):
        told += told_once([(check.target or _THE_TARGET, check.summary()) for check in checks
                           if holds == check.held_something])
    return told


def doubts_of_checks(checks: Sequence[SelfSubtraction]) -> list[str]:
    """Return what to doubt, in few lines."""
    return told_once([(check.target or _THE_TARGET, check.warning()) for check in checks
                      if check.warning()])


def check_self_subtraction(spectrum: DynamicSpectrum, *, radius_deg: float, removed: float,
                           left: float, column: float,
                           is_apparent: bool = False, target: str = "") -> SelfSubtraction:
    """Return the check of a spectrum from which a model was subtracted; see `SelfSubtraction`."""
    curve = spectrum.light_curve()
    values, sigma = (part[:, curve.index("I")] for part in (curve.flux_density, curve.sigma))
    good = np.isfinite(values) & (sigma > 0)
    mean, error = weighted_mean(values[good], sigma[good]) if good.any() else (math.nan, math.nan)
    return SelfSubtraction(3600 * radius_deg, removed, left, column, float(mean), float(error),
                           is_apparent, target)


def flux_density_in_columns(plan: Plan, columns: Sequence[str], target: Direction) -> float:
    """Return the mean Stokes I (Jy) of columns of predicted visibilities, turned to a target.

    Of the first slab of some chunks, spread over the observation. It holds the sidelobes of all
    other sources too.
    """
    if not columns:
        return math.nan
    step = -(-len(plan.tasks) // _SAMPLED_CHUNKS)
    total = weight = 0.0
    with MeasurementSet(plan.description.path) as measurement_set:
        for column, task in itertools.product(columns, plan.tasks[::step]):
            task = dataclasses.replace(task, source=dataclasses.replace(task.source,
                                                                        column=column))
            slab = next(ChunkReader(measurement_set, task).slabs())
            block = make_block([slab], target, plan.stokes, task.source.correlations)
            place = block.index("I")
            total += block.sum_wv[..., place].real.sum()
            # Columns add up: the weights of one of them are those of the mean.
            weight += block.sum_w[..., place].sum() / len(columns)
    return total / weight if weight else math.nan
