"""Sources in an image, wherever they are: a blind search.

A dirty image of natural weights is itself the matched filter for a point source: each pixel is the
best estimate of the flux density of a source there, and with the local noise its signal to noise.
The highest peak is fitted and taken out with its response over the whole image before what is
below it is looked at, as in CLEAN, or its sidelobes would be sources too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from visds.core.sky import Direction
from visds.imaging.image import Image
from visds.imaging.local_noise import independent_beams, local_noise, noise_at, noise_reach
from visds.imaging.source_fit import SourceFit, fit_point
from visds.imaging.spread_response import SpreadResponse

THRESHOLD = 5.5
"""Signal to noise of a source: by noise one in 20 images of 1024 x 1024 pixels reaches it.

Of either sign, with the smallest beam there is on pixels of a fifth of the fringe of the longest
baseline, FWHM 5 pixels: 42 000 independent beams (`local_noise.expected_peaks`).
"""
DOUBT = 0.1
"""Part of a response by which it may be wrong."""
BEYOND_DOUBT = 3.0
"""Signal to noise by which a source has to exceed what sidelobes that are not known may reach."""
MOST = 1000
NEAR_BEAMS = 1.5
"""Where a position that is a little wrong leaves more of a source than its sidelobes."""
_NEAR_DOUBT = 0.3
_NEGLIGIBLE = 0.1
_BETWEEN_PIXELS = 0.85
_GROWN = 1.5
_SAME_PEAK = 0.3
_BRIGHT = 0.5  # of the brightest, or more where sidelobes are high: what is fitted at once
_NOISE_PEAK = 6.0
"""Signal to noise that noise alone may reach; what a source has beyond that is its own."""
_LOOKED_AT = 0.9
"""Part of the threshold from which a peak is taken out: in the noise then is all of itself."""
_EDGE = 3
_FIT_HALF = 64
_FINE = np.linspace(-1, 1, 21)


@dataclass(frozen=True)
class FoundSource:
    """A source: its fit, the highest value between pixels (Jy/beam), its noise and their ratio."""

    fit: SourceFit
    peak: float
    noise: float

    @property
    def snr(self) -> float:
        """Signal to noise, positive of negative sources too."""
        return abs(self.peak) / self.noise


@dataclass(frozen=True, eq=False)
class Search:
    """What a search has found, the highest signal to noise first.

    `beams` is the number of independent beams searched, `both_signs` whether negative sources were
    looked for; `noise` the median noise, Jy/beam.
    """

    sources: tuple[FoundSource, ...]
    beams: float
    both_signs: bool
    noise: float


def find_in(image: Image, threshold: float = THRESHOLD, *, both_signs: bool | None = None,
            doubt: np.ndarray | None = None, most: int = MOST) -> Search:
    """Return the point sources in an image above a signal to noise.

    Parameters
    ----------
    image : Image
        Its response is best known twice as wide as the image; beyond what is known of it sources
        weaker than its outer sidelobes are not believed.
    threshold : float
        Of the highest value between pixels over the local noise.
    both_signs : bool, optional
        Look for negative sources too; by default in all but images of Stokes I that are no
        difference.
    doubt : (Y,X), optional
        Jy/beam by which the image may be wrong; sources have to exceed it by 3 times the noise.
    most : int
        Sources, the brightest first.

    Returns
    -------
    Search
        At most so many sources; those until what is left grows, where an image is not one of point
        sources with this response. Nothing where the image has no beam.
    """
    if both_signs is None:
        both_signs = image.stokes != "I" or image.content.name.endswith("difference")
    if image.beam is None:
        return Search((), 0.0, both_signs, math.nan)
    peeling = _Peeling(image, threshold, both_signs, doubt, most)
    while len(peeling.places) < most and peeling.take_brightest():
        pass
    return peeling.search()


class _Peeling:
    """An image from which sources are taken one after the other."""

    def __init__(self, image: Image, threshold: float, both_signs: bool,
                 doubt: np.ndarray | None, most: int):
        self._most = most
        self._image, self._threshold, self._both_signs = image, threshold, both_signs
        self._on_sky = _on_sky(image)
        self._values = np.where(self._on_sky, image.values, np.nan)
        self._response = SpreadResponse(image)
        self._beam = beam_pixels(image)
        self._doubt = np.zeros(image.values.shape) if doubt is None else doubt.copy()
        self._refused = ~self._on_sky
        for axis in (0, 1):
            edge = np.moveaxis(self._refused, axis, 0)
            edge[:_EDGE] = edge[-_EDGE:] = True
        self._lowest = math.inf
        self.places: list[tuple[float, float, float]] = []  # peak, x, y
        self._noise = local_noise(self._values, self._beam)

    def take_brightest(self) -> bool:
        """Take out the brightest sources; False if none is left."""
        height = np.abs(self._values) if self._both_signs else self._values
        high = (height > _BETWEEN_PIXELS * self._least(slice(None))) & ~self._refused & (
            self._noise > 0)
        if not high.any():
            return False
        height = np.where(high, height, 0)
        if height.max() > _GROWN * self._lowest:
            return False
        self._lowest = min(self._lowest, height.max())
        is_peak = high & (height == ndimage.maximum_filter(
            height, size=2 * max(1, round(self._beam / 2)) + 1))
        y, x = np.nonzero(is_peak)
        order = np.argsort(-height[y, x])
        bright = max(_BRIGHT, min(1.5 * self._response.sidelobe, 1.0)) * height.max()
        for row, column in zip(y[order], x[order], strict=True):
            if height[row, column] < bright or len(self.places) >= self._most:
                break
            self._take(int(column), int(row))
        self._noise = local_noise(self._values, self._beam)
        return True

    def _take(self, column: int, row: int) -> None:
        """Take out the source at a pixel, if there is one."""
        peak = _highest(self._values, column, row)
        if abs(peak) < self._least((row, column)):
            self._refuse(column, row)
            return
        fit = self._fit(self._values, column, row, self._noise[row, column])
        x, y = float(column), float(row)
        if abs(fit.peak - peak) < _SAME_PEAK * abs(peak):
            x, y = self._image.geometry.pixel(Direction(fit.ra, fit.dec))
            peak = fit.peak
        self.places.append((peak, x, y))
        self._response.subtract(self._values, peak, x, y)
        left = np.full(self._doubt.shape, self._response.outer)
        left[self._response.window(x, y)] = _doubted(self._response, x, y, self._beam)
        np.maximum(self._doubt, abs(peak) * left, out=self._doubt)

    def _least(self, where) -> np.ndarray:
        """Return what a source has to reach to be taken out, Jy/beam."""
        noise = self._noise[where]
        return np.maximum(_LOOKED_AT * self._threshold * noise,
                          BEYOND_DOUBT * noise + self._doubt[where])

    def _refuse(self, column: int, row: int) -> None:
        self._refused[max(row - 1, 0):row + 2, max(column - 1, 0):column + 2] = True

    def _fit(self, values: np.ndarray, column: float, row: float, noise: float) -> SourceFit:
        image = self._image.replace(values=values, response=cropped_response(self._image))
        within = 1.5 * self._image.geometry.cell
        return fit_point(image, self._image.geometry.direction(column, row), within, noise)

    def _put_back(self, values: np.ndarray, peak: float, x: float, y: float, half: int) -> None:
        half = min(half, self._response.coverage)
        values[self._response.window(x, y, half)] += peak * self._response.at(x, y, half)

    def _noises(self) -> list[float]:
        """Return the noise at each source, by which noise has as many peaks as is expected.

        All that noise may have made, what is not above 6 sigma, is put back, for of few baselines a
        peak of noise with its sidelobes is a good part of all noise. Of n degrees of freedom that
        hold S beside a peak z, z^2 / S exceeds q with a probability of (1 + q)^(-n/2). That of
        z^2 n / (S + a z^2) > u^2 is exp(-u^2/2 - (a - 1/2) u^4 / 2n): Gaussian where half of its
        own square counts. So each has half of its power in its noise, or half of 6 sigma.
        """
        wide = noise_reach(len(self._values), self._beam)
        values = self._values.copy()
        limits = {}
        for place in sorted(self.places, key=lambda one: abs(one[0])):
            peak, x, y = place
            limits[place] = limit = _NOISE_PEAK * noise_at(values, self._beam, round(x), round(y))
            if abs(peak) <= limit:
                self._put_back(values, peak, x, y, len(values))
        noises = []
        for place in self.places:
            peak, x, y = place
            limit = limits[place]
            window = self._response.window(x, y, wide)
            kept = values[window].copy()
            own = math.copysign(limit, peak) * math.sqrt(0.5) if abs(peak) > limit else peak * (
                math.sqrt(0.5) - 1)
            self._put_back(values, own, x, y, wide)
            noises.append(noise_at(values, self._beam, round(x), round(y)))
            values[window] = kept
        return noises

    def search(self) -> Search:
        """Return the sources, each fitted again where all others are taken out."""
        found = []
        for (peak, x, y), noise in zip(self.places, self._noises(), strict=True):
            values = self._values.copy() if len(self.places) > 1 else self._values
            self._put_back(values, peak, x, y, _FIT_HALF)
            column, row = round(x), round(y)
            highest = _highest(values, column, row)
            if not abs(highest) >= self._threshold * noise or not (
                    self._both_signs or highest > 0):
                continue
            fit = self._fit(values, column, row, noise)
            if math.isfinite(fit.peak):
                found.append(FoundSource(fit, highest, noise))
        known = self._noise > 0
        beams = independent_beams(np.divide(
            self._values, self._noise, out=np.full_like(self._values, np.nan), where=known))
        return Search(tuple(sorted(found, key=lambda source: -source.snr)), beams,
                      self._both_signs, float(np.median(self._noise)))


def put_back(image: Image, places: Sequence[Direction], change: Sequence[float],
             noise: np.ndarray) -> tuple[list[FoundSource], np.ndarray]:
    """Return what was taken out of an image at places, and by how much that makes it wrong.

    Parameters
    ----------
    image : Image
        Nothing of the sources is left in it.
    places : ICRS, in the image
    change : Jy
        What of them would be in it.
    noise : (Y,X)
        Of the image, Jy/beam.

    Returns
    -------
    list of FoundSource
        Each fitted where it alone is put back; its peak is its change.
    doubt : (Y,X)
        A tenth of the response to them, three tenths within 1.5 beams, Jy/beam.
    """
    response = SpreadResponse(image)
    beam = beam_pixels(image)
    crop = cropped_response(image)
    doubt = np.zeros(image.values.shape)
    found = []
    for place, flux in zip(places, change, strict=True):
        x, y = image.geometry.pixel(place)
        own = float(noise[round(y), round(x)])
        values = image.values.copy()
        values[response.window(x, y, _FIT_HALF)] += flux * response.at(x, y, _FIT_HALF)
        fit = fit_point(image.replace(values=values, response=crop), place,
                        1.5 * image.geometry.cell, own)
        found.append(FoundSource(fit, flux, own))
        if DOUBT * abs(flux) < _NEGLIGIBLE * own:
            continue
        window = response.window(x, y)
        part = doubt[window]
        np.maximum(part, abs(flux) * _doubted(response, x, y, beam), out=part)
        rows, columns = np.ogrid[window]
        near = np.hypot(rows - y, columns - x) < NEAR_BEAMS * beam
        np.maximum(part, np.where(near, _NEAR_DOUBT * abs(flux), 0), out=part)
    return found, doubt


def crosstalk(image: Image, places: Sequence[Direction], constant: np.ndarray) -> np.ndarray:
    """Return by how much other sources change the flux densities solved for at places, Jy.

    Parameters
    ----------
    image : Image
        Its response is that of all.
    places : ICRS
    constant : (3,N)
        Flux densities (Jy) and pixels x, y of the others.
    """
    response = SpreadResponse(image)
    x, y = np.array([image.geometry.pixel(place) for place in places]).T
    flux, other_x, other_y = constant
    seen = response.between(x[:, None] - other_x, y[:, None] - other_y) @ flux
    unit = response.between(x[:, None] - x, y[:, None] - y)
    return np.linalg.pinv(unit, rcond=1e-6) @ seen


def beam_pixels(image: Image) -> float:
    """Return the width of the beam of an image in pixels, 2 or more."""
    return max(math.sqrt(image.beam.major * image.beam.minor) / image.geometry.cell, 2.0)


def cropped_response(image: Image, half: int = _FIT_HALF) -> np.ndarray | None:
    """Return the response of an image no further than `half` pixels about its peak."""
    if image.response is None:
        return None
    middle = len(image.response) // 2
    reach = min(half, middle)
    part = slice(middle - reach, middle + reach)
    return image.response[part, part]


def _doubted(response: SpreadResponse, x: float, y: float, beam: float) -> np.ndarray:
    """Return by how much of a source at a place its response may be wrong, on its window."""
    return DOUBT * ndimage.maximum_filter(np.abs(response.at(x, y)), size=2 * round(beam) + 1)


def _highest(values: np.ndarray, column: int, row: int) -> float:
    """Return the highest modulus between pixels within one of a place, with its sign."""
    y0, x0 = max(row - 8, 0), max(column - 8, 0)
    cut = np.nan_to_num(values[y0:row + 9, x0:column + 9].astype(float))
    grid = np.meshgrid(row - y0 + _FINE, column - x0 + _FINE, indexing="ij")
    sign = np.sign(values[row, column])
    return float(sign * (sign * ndimage.map_coordinates(cut, grid, order=5, mode="nearest")).max())


def _on_sky(image: Image) -> np.ndarray:
    offset = math.radians(image.geometry.cell) * (np.arange(image.geometry.size)
                                                  - image.geometry.size / 2)
    return np.isfinite(image.values) & (np.hypot(offset[:, None], offset) < 0.999)
