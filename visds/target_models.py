"""Sources of the sky model at the targets, put back in the spectra of their own targets alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from visds.visibility.chunk import VisibilityChunk
from visds.visibility.sky_model.direct import add_components
from visds.visibility.sky_model.model import SkyModel


@dataclass(frozen=True, eq=False)
class TargetModels:
    """What of the sky model lies around the targets, as components and points.

    `every` holds all of it once, `own` what lies around each target, which may be shared by two.
    `smeared` says whether averaging is predicted, of intrinsic parts and of apparent ones; `beam`
    is that of intrinsic parts, as in `predict.Method`.
    """

    every: SkyModel
    own: tuple[SkyModel, ...]
    smeared: dict[bool, bool]
    beam: Callable[[np.ndarray, np.ndarray], np.ndarray] | None

    def put_back(self, slab: VisibilityChunk) -> VisibilityChunk:
        """Return a slab without the sky model with all sources at targets, in its own memory."""
        return self._added(slab, self.every)

    def put_back_at(self, slab: VisibilityChunk, number: int) -> VisibilityChunk | None:
        """Return a slab without the sky model with the sources of one target; None if it has none.

        Directions beyond the last target have none.
        """
        if number >= len(self.own) or not self.own[number].parts:
            return None
        return self._added(slab, self.own[number])

    def _added(self, slab: VisibilityChunk, model: SkyModel) -> VisibilityChunk:
        slab = slab.replace(visibility=slab.visibility.copy())
        for part in model.parts:
            add_components(slab.visibility, 1.0, slab, part.content,
                           beam=self.beam if part.is_intrinsic else None,
                           smearing=self.smeared[part.is_intrinsic])
        return slab
