"""Visibilities of a sky model taken out of the slabs of a chunk, whatever its form.

Components are summed slab by slab. Images are predicted for many integrations at once: a Fourier
transform of an image costs the same for one integration as for a hundred.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from visds.core.flags import Flag
from visds.core.sky import Direction
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.correlation_matrix import correlation_matrix
from visds.visibility.sky_model.direct import add_components
from visds.visibility.sky_model.gridded import image_visibilities
from visds.visibility.sky_model.images import ImageModel
from visds.visibility.sky_model.model import SkyModel

BATCH_BYTES = 128e6
"""Memory of the visibilities of images that are predicted at once."""


@dataclass(frozen=True, eq=False)
class Method:
    """How the parts of a sky model are predicted; axis-like tuples have an entry for each part.

    `engines` are 'direct', 'gridded' or 'gpu'; `smeared` says whether averaging over channels and
    integrations is predicted; `beam` is the power attenuation of the primary beam at direction
    cosines about `pointing`, for parts with intrinsic flux densities, or None.
    """

    engines: tuple[str, ...]
    smeared: tuple[bool, ...]
    epsilon: float
    beam: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None


def subtracted(slabs: Iterator[VisibilityChunk], uvw: np.ndarray, model: SkyModel,
               method: Method) -> Iterator[VisibilityChunk]:
    """Yield the slabs of a chunk with the model's visibilities subtracted, in place.

    Flagged visibilities are subtracted from like all others, flags and weights stay as they are,
    and rows that the measurement set does not hold (flag ABSENT) stay zero.

    Parameters
    ----------
    slabs : iterator of VisibilityChunk
        In the order of time, all but the last of one length.
    uvw : (T,B,3) float64, m
        Of the whole chunk.
    model : SkyModel
        Its columns are not looked at: they are subtracted on reading.
    method : Method
    """
    parts = list(zip(model.parts, method.engines, method.smeared, strict=True))
    images = [(part.content, method.beam if part.is_intrinsic else None)
              for part, engine, _ in parts if engine == "gridded"]
    batches = _Batches(uvw, images, method.epsilon)
    begin = 0
    for slab in slabs:
        for part, engine, smeared in parts:
            if engine != "gridded":
                _add_components(slab, part.content, engine, smearing=smeared,
                                beam=method.beam if part.is_intrinsic else None)
        if images:
            batches.subtract_from(slab, begin)
        begin += len(slab.time)
        yield slab


def predict(chunk: VisibilityChunk, model: ComponentModel) -> np.ndarray:
    """Return the visibilities (T,B,F,P; complex64, Jy) of components on the grid of a chunk.

    They are zero where the chunk has no visibility (flag ABSENT).
    """
    visibility = np.zeros_like(chunk.visibility)
    add_components(visibility, 1.0, chunk, model)
    return visibility


def _add_components(slab: VisibilityChunk, model: ComponentModel, engine: str, *, beam,
                    smearing: bool) -> None:
    if not slab.visibility.flags.writeable:
        raise ValueError("the visibilities of the slab are read-only; the model is subtracted in "
                         "place")
    if engine == "gpu":
        from visds.visibility.sky_model.gpu import add_components as add
    else:
        add = add_components
    add(slab.visibility, -1.0, slab, model, beam=beam, smearing=smearing)


class _Batches:
    """Predicted visibilities of images for some integrations of a chunk at a time."""

    def __init__(self, uvw: np.ndarray, images: list[tuple[ImageModel, Callable | None]],
                 epsilon: float):
        self._uvw = uvw
        self._images = images
        self._epsilon = epsilon
        self._begin = self._end = 0
        self._stokes: dict[str, np.ndarray] = {}

    def subtract_from(self, slab: VisibilityChunk, begin: int) -> None:
        """Subtract the images from a slab whose first integration is number `begin`."""
        end = begin + len(slab.time)
        if not self._begin <= begin < end <= self._end:
            self._predict(slab, begin)
        here = slice(begin - self._begin, end - self._begin)
        matrix = correlation_matrix(slab.correlations, slab.feed_angle)
        present = (slab.flags[:, :, :1, 0] & Flag.ABSENT) == 0
        for place, name in enumerate("IQUV"):
            if name not in self._stokes:
                continue
            values = np.where(present, self._stokes[name][here], 0)
            for p in range(len(slab.correlations)):
                factor = matrix[:, p, place].astype(np.complex64)
                if factor.any():
                    slab.visibility[..., p] -= factor[:, np.newaxis, np.newaxis] * values

    def _predict(self, slab: VisibilityChunk, begin: int) -> None:
        B, F = slab.visibility.shape[1:3]
        number = len({name for image, _ in self._images for name in image.polarizations})
        slabs = max(1, int(BATCH_BYTES // (8 * number * len(slab.time) * B * F)))
        self._begin, self._end = begin, min(begin + slabs * len(slab.time), len(self._uvw))
        uvw = self._uvw[self._begin:self._end]
        centre = Direction(*slab.phase_centre, frame=slab.frame)
        self._stokes = {}
        for image, beam in self._images:
            values = image_visibilities(uvw.reshape(-1, 3), slab.frequency, centre, image,
                                        epsilon=self._epsilon, beam=beam)
            for name, part in zip(image.polarizations, values, strict=True):
                part = part.reshape(*uvw.shape[:2], F)
                self._stokes[name] = self._stokes[name] + part if name in self._stokes else part
