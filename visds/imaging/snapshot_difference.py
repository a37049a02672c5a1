"""A snapshot less the mean of all the others of its band: what did not change has gone.

The mean of images D_t with weights w_t = 1 / sigma_t^2 is M, and that of all but one
(W M - w_t D_t) / (W - w_t), W the sum of weights: it needs each image once. A constant source
vanishes at its peak, but not in its sidelobes, for a snapshot's response R_t is not that of the
others. So what is found in the mean is taken out with R_t less the mean response of the others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from visds.core.sky import Direction
from visds.imaging.dirty import difference
from visds.imaging.find import DOUBT, beam_pixels, find_in
from visds.imaging.image import Image
from visds.imaging.restoring_beam import fit_beam
from visds.imaging.source_fit import flux_density_at
from visds.imaging.spread_response import SpreadResponse

FADING = 0.5
"""Part of what a source has lost that is left of it in the mean: of one that is mostly there."""


@dataclass(frozen=True, eq=False)
class MeanImage:
    """The mean of snapshots of one band and Stokes parameter, weighted with 1/sigma^2.

    `image` with the mean response; `total` the sum of weights, Jy-2; `constant` (3,N) the peaks
    (Jy/beam) and pixels x, y of its sources.
    """

    image: Image
    total: float
    constant: np.ndarray

    def has(self, ra: float, dec: float, flux_density: float) -> bool:
        """Return whether one of its sources at a place (deg) may have lost a flux density."""
        x, y = self.image.geometry.pixel(Direction(ra, dec))
        return bool((self._near(x, y) & (self.constant[0] > FADING * flux_density)).any())

    def flux_densities(self, snapshot: Image, places: Sequence[Direction]) -> np.ndarray:
        """Return those at places (N,) in a snapshot, Jy, without the mean's sources elsewhere."""
        found = np.array([flux_density_at(snapshot, place) for place in places])
        if not self.constant.size:
            return found
        x, y = np.array([snapshot.geometry.pixel(place) for place in places]).T[..., None]
        peak, column, row = self.constant
        unit = SpreadResponse(snapshot).between(x - column, y - row)
        return found - np.where(self._near(x, y), 0.0, unit) @ peak

    def _near(self, x: float | np.ndarray, y: float | np.ndarray) -> np.ndarray:
        """Return which of its sources are at a pixel: within half a beam."""
        _, column, row = self.constant
        return np.hypot(column - x, row - y) < 0.5 * beam_pixels(self.image)


def weight_of(image: Image) -> float:
    """Return the weight of a snapshot in the mean, Jy-2."""
    return image.expected_rms**-2


def mean_image(images: Iterable[Image], threshold: float) -> MeanImage:
    """Return the mean of images of one geometry, and what is in it above a signal to noise.

    Raises
    ------
    ValueError
        If there are no images.
    """
    values = response = None
    total = 0.0
    for image in images:
        weight = weight_of(image)
        if values is None:
            values, response = (np.zeros(array.shape) for array in (image.values, image.response))
        values += weight * image.values
        response += weight * image.response
        total += weight
    if values is None:
        raise ValueError("there are no images to take the mean of")
    response = (response / total).astype(np.float32)
    mean = image.replace(values=(values / total).astype(np.float32), response=response,
                         beam=fit_beam(response, image.geometry.cell), expected_rms=total**-0.5)
    sources = find_in(mean, threshold, both_signs=mean.stokes != "I").sources
    places = [(source.fit.peak, *mean.geometry.pixel(Direction(source.fit.ra, source.fit.dec)))
              for source in sources]
    return MeanImage(mean, total, np.array(places, float).reshape(-1, 3).T)


def less_the_others(image: Image, mean: MeanImage, taken_out: np.ndarray | None = None
                    ) -> tuple[Image, np.ndarray]:
    """Return a snapshot less the mean of all others, and by how much that may be wrong (Y,X).

    Without others it is the snapshot itself. `taken_out` (3,N) are flux densities (Jy) and pixels
    x, y of constant sources that the visibilities are without already: of these too a part may be
    left, where calibration is not that of a constant source.
    """
    weight = weight_of(image)
    rest = mean.total - weight
    if rest <= 1e-6 * mean.total:
        return image, np.zeros(image.values.shape)
    others = mean.image.replace(
        values=((mean.total * mean.image.values - weight * image.values) / rest),
        response=(mean.total * mean.image.response - weight * image.response) / rest,
        expected_rms=rest**-0.5)
    # Their difference is that of a constant source: nothing at its middle.
    unlike = SpreadResponse(image.replace(response=image.response - others.response))
    sidelobes = unlike.sum_over(*mean.constant)
    doubted = sidelobes if taken_out is None else sidelobes + unlike.sum_over(*taken_out)
    made = difference(image, others, image.content.name + "_difference")
    beam = 5 if image.beam is None else round(image.beam.major / image.geometry.cell)
    doubt = DOUBT * ndimage.maximum_filter(np.abs(doubted), size=2 * beam + 1)
    return made.replace(values=(made.values - sidelobes).astype(np.float32)), doubt

