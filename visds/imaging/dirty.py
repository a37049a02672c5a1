"""Dirty images: weighted sums of visibilities over all of the sky that an image shows.

A pixel at direction cosines (l, m) from the image's centre holds
sum of w Re(V exp(-2 pi i (nu/c) (u l + v m + w (n - 1)))) / sum of w: a point source of S Jy
anywhere in the field has a peak of S, without a correction by n, for visibilities are taken as
S exp(+2 pi i ...) (docs/conventions.md). The sum is made by ducc0's w-gridder (Arras et al. 2021,
A&A 646, A58).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import ducc0
import numpy as np

from visds.imaging.geometry import Geometry
from visds.imaging.image import Content, Image
from visds.imaging.restoring_beam import fit_beam
from visds.imaging.stokes_visibility import StokesVisibilities
from visds.imaging.weighting import (
    NATURAL,
    Weighting,
    imaging_weights,
    measure_density,
    needs_density,
)

EPSILON = 1e-4
"""Accuracy of the gridder, relative to the brightest."""
RESPONSE_SIZE = 128
_SINGLE = 1.1e-5  # below it ducc0 wants double precision


@dataclass(frozen=True)
class Gridding:
    """How images are made: weighting, accuracy, and how much of the response is wanted too.

    `whole_response` as large as the image; `wide_response` twice as wide, so that it reaches from
    any place of the image to any other: without w, for it stands for all places.
    """

    weighting: Weighting = NATURAL
    epsilon: float = EPSILON
    whole_response: bool = False
    wide_response: bool = False


def make_dirty(groups: Callable[[], Iterator[StokesVisibilities]], geometry: Geometry,
               content: Content, gridding: Gridding) -> list[Image]:
    """Return the dirty images of visibilities, one for each Stokes parameter.

    Those without any weight are left out.

    Parameters
    ----------
    groups : callable
        Gives the visibilities, group by group, about the image's centre; called twice where
        the weighting has to see them all first and they are more than one group.
    geometry, content, gridding : of the images
    """
    density, replay = None, groups
    if needs_density(gridding.weighting):
        seen: list[StokesVisibilities] = []

        def noted() -> Iterator[StokesVisibilities]:
            for group in groups():
                seen.append(group)
                yield group

        density = measure_density(noted(), gridding.weighting, geometry)
        if len(seen) == 1:
            replay = lambda: iter(seen)  # noqa: E731
    sums: _Sums | None = None
    for group in replay():
        if sums is None:
            sums = _Sums(group, geometry, gridding)
        sums.add(group, imaging_weights(group, gridding.weighting, density))
    return sums.images(content) if sums else []


class _Sums:
    """Images in the making: sums over visibilities that are not yet divided by their weights."""

    def __init__(self, group: StokesVisibilities, geometry: Geometry, gridding: Gridding):
        self._geometry, self._gridding = geometry, gridding
        self._stokes, self._weight_of = group.stokes, group.weight_of
        kinds = len(group.weight)
        self._size = min(RESPONSE_SIZE, geometry.size)
        if gridding.wide_response:
            self._size = 2 * geometry.size
        elif gridding.whole_response:
            self._size = geometry.size
        self._dirty = np.zeros((len(group.stokes), geometry.size, geometry.size), np.float32)
        self._response = np.zeros((kinds, self._size, self._size), np.float32)
        self._weights = np.zeros(kinds)
        self._natural = np.zeros(kinds)
        self._variance = np.zeros(kinds)

    def add(self, group: StokesVisibilities, weight: np.ndarray) -> None:
        """Add a group with its imaging weights (K,N,F)."""
        is_natural = weight is group.weight
        for k in range(len(weight)):
            total = float(weight[k].sum(dtype=np.float64))
            self._weights[k] += total
            self._natural[k] += total if is_natural else float(
                group.weight[k].sum(dtype=np.float64))
            self._variance[k] += total if is_natural else _noise(weight[k], group.weight[k])
            if not total:
                continue
            ones = np.broadcast_to(np.complex64(1), weight[k].shape)
            # Near the centre n is 1: there is nothing for the w-gridder to do.
            self._response[k] += self._grid(group, ones, weight[k], self._size,
                                            in_w=self._gridding.whole_response
                                            and not self._gridding.wide_response)
        for s, k in enumerate(self._weight_of):
            self._dirty[s] += self._grid(group, group.visibility[s], weight[k],
                                         self._geometry.size, in_w=True)

    def _grid(self, group, visibility, weight, size, *, in_w) -> np.ndarray:
        """Return the sum (X,Y) of w V exp(...) over a group, x growing to the west."""
        if self._gridding.epsilon < _SINGLE:
            visibility, weight = visibility.astype(np.complex128), weight.astype(np.float64)
        step = math.radians(self._geometry.cell)
        return ducc0.wgridder.vis2dirty(
            uvw=group.uvw, freq=group.frequency, vis=visibility, wgt=weight, npix_x=size,
            npix_y=size, pixsize_x=step, pixsize_y=step, epsilon=self._gridding.epsilon,
            do_wgridding=in_w, flip_v=True, divide_by_n=False, nthreads=1)

    def images(self, content: Content) -> list[Image]:
        """Return the images of the Stokes parameters that had any weight."""
        made = []
        for s, (stokes, k) in enumerate(zip(self._stokes, self._weight_of, strict=True)):
            total = self._weights[k]
            if not total > 0:
                continue
            response = (self._response[k] / total).T
            made.append(Image(
                values=(self._dirty[s] / total).T.astype(np.float32), geometry=self._geometry,
                stokes=stokes, content=content, beam=fit_beam(response, self._geometry.cell),
                response=response, weighting=str(self._gridding.weighting),
                sum_of_weights=total, expected_rms=math.sqrt(self._variance[k]) / total,
                natural_rms=1 / math.sqrt(self._natural[k])))
        return made


class WholeImage:
    """The image of all visibilities, in the making from natural ones of parts of them.

    Dirty images are weighted sums: the whole is the mean of the parts, weighted with theirs.
    The parts are of one geometry and Stokes parameter, and are not kept.
    """

    def __init__(self) -> None:
        self._first: Image | None = None
        self._values = self._response = np.zeros(0)
        self._weights = self._precision = 0.0

    def add(self, image: Image) -> None:
        """Take a part."""
        if self._first is None:
            self._first = image
            self._values = np.zeros(image.values.shape)
            self._response = np.zeros(image.response.shape)
        self._values += image.sum_of_weights * image.values
        self._response += image.sum_of_weights * image.response
        self._weights += image.sum_of_weights
        self._precision += image.natural_rms**-2

    def image(self, content: Content) -> Image:
        """Return the image of the parts that were added, one at least."""
        response = (self._response / self._weights).astype(np.float32)
        rms = 1 / math.sqrt(self._precision)
        return self._first.replace(
            values=(self._values / self._weights).astype(np.float32), response=response,
            content=content, sum_of_weights=self._weights,
            beam=fit_beam(response, self._first.geometry.cell), expected_rms=rms, natural_rms=rms)


def _noise(weight: np.ndarray, natural: np.ndarray) -> float:
    """Return the sum of w^2 / w0: the variance of the sum of w V where that of V is 1 / w0."""
    ratio = np.divide(weight, natural, out=np.zeros_like(weight), where=natural > 0)
    return float(np.einsum("nf,nf->", weight, ratio, dtype=np.float64))


def difference(on: Image, off: Image, name: str) -> Image:
    """Return the first image less the second, of one geometry and Stokes parameter.

    Of a source that did not change its peak vanishes; its sidelobes do as far as the two have the
    same response. That of the difference is the first's, and so is the beam: a source that was
    there during the first alone looks like it.
    """
    if on.geometry != off.geometry or on.stokes != off.stokes:
        raise ValueError("images of different geometry or Stokes parameter have no difference")
    content = Content(name, on.content.start, on.content.stop, on.content.middle,
                      on.content.exposure, on.content.band_low, on.content.band_high,
                      on.content.frame)
    return on.replace(values=on.values - off.values, kind="difference", content=content,
                      sum_of_weights=math.nan,
                      expected_rms=math.hypot(on.expected_rms, off.expected_rms),
                      natural_rms=math.hypot(on.natural_rms, off.natural_rms))
