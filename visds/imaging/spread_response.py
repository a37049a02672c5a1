"""The response to point sources over a whole image, exact between pixels."""

import math

import numpy as np
from scipy import fft, ndimage
from scipy.interpolate import BSpline

from visds.imaging.image import Image

_ORDER = 5
_EDGE = 4  # pixels in which the spline is not that of an endless response
_GAUSSIAN_BEAMS = 4
_TAPS = np.arange(-3, 4)
_basis = BSpline.basis_element(np.arange(-3.0, 4.0), extrapolate=False)


class SpreadResponse:
    """What a point source of 1 Jy looks like anywhere in an image.

    It is the image's own response, taken to be the same everywhere, or the beam where it has none.
    `coverage` is how far it reaches on both axes, in pixels; `sidelobe` the largest modulus
    outside the main lobe, and `outer` that in the outer half of what is covered, which stands for
    what is beyond; both 0 of a beam.
    """

    def __init__(self, image: Image):
        self._size = image.geometry.size
        response = image.response
        if response is None:
            response = _gaussian(image)
        self._coefficients = ndimage.spline_filter(response.astype(np.float32), order=_ORDER,
                                                   output=np.float32)
        self._middle = len(response) // 2
        self.coverage = self._middle - _EDGE
        self.sidelobe = self.outer = 0.0
        if image.response is not None:
            self.sidelobe = _outside(response, image)
            self.outer = _largest_beyond(response, self._middle // 2)

    def window(self, x: float, y: float, half: int | None = None) -> tuple[slice, slice]:
        """Return rows and columns of the image that are covered, `half` pixels about a place."""
        reach = self.coverage if half is None else min(half, self.coverage)
        return tuple(slice(max(round(c) - reach, 0), min(round(c) + reach + 1, self._size))
                     for c in (y, x))

    def at(self, x: float, y: float, half: int | None = None) -> np.ndarray:
        """Return the response to a source at a place, on the pixels of `window`."""
        rows, columns = self.window(x, y, half)
        values = self._coefficients
        for axis, (place, pixels) in enumerate(((y, rows), (x, columns))):
            nearest = round(place)
            # The spline needs three more to both sides; the middle is at `place`.
            first = pixels.start - nearest + self._middle
            part = slice(first - 3, first + pixels.stop - pixels.start + 3)
            values = values[part] if axis == 0 else values[:, part]
            weights = np.nan_to_num(_basis(place - nearest + _TAPS))
            values = ndimage.correlate1d(values, weights, axis=axis, mode="constant")
            values = values[3:-3] if axis == 0 else values[:, 3:-3]
        return values

    def between(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the response at offsets from a source, pixels; 0 beyond what is covered."""
        places = [self._middle + np.asarray(y), self._middle + np.asarray(x)]
        return ndimage.map_coordinates(self._coefficients, places, order=_ORDER, prefilter=False,
                                       mode="constant")

    def subtract(self, values: np.ndarray, flux_density: float, x: float, y: float) -> None:
        """Subtract a source from an image, in place, as far as the response is known."""
        values[self.window(x, y)] -= (flux_density * self.at(x, y)).astype(values.dtype)

    def sum_over(self, flux_density: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the image (Y,X) of many sources; 0 beyond what is covered of each."""
        sources = np.zeros((self._size + 6, self._size + 6))
        for flux, column, row in zip(flux_density, x, y, strict=True):
            i, j = round(row), round(column)
            across = np.outer(np.nan_to_num(_basis(row - i - _TAPS)),
                              np.nan_to_num(_basis(column - j - _TAPS)))
            sources[i:i + 7, j:j + 7] += flux * across
        first = self._middle + 3
        last = first + self._size
        # What wraps around ends before the first pixel that is wanted.
        length = fft.next_fast_len(last + 5, real=True)
        both = [fft.rfft2(part, (length, length)) for part in (sources, self._coefficients)]
        return fft.irfft2(both[0] * both[1], (length, length))[first:last, first:last]


def _gaussian(image: Image) -> np.ndarray:
    """Return the beam, wide enough that nothing of it is left."""
    half = math.ceil(_GAUSSIAN_BEAMS * image.beam.major / image.geometry.cell) + _EDGE
    north, west = np.indices((2 * half, 2 * half)) - half
    a, b, c = np.array(image.beam.quadratic()) * image.geometry.cell**2
    return np.exp(-(a * west**2 - b * west * north + c * north**2))


def _outside(response: np.ndarray, image: Image) -> float:
    """Return the largest modulus outside the main lobe: what is connected above 0, in 2 beams."""
    middle = len(response) // 2
    half = middle
    if image.beam is not None:
        half = min(math.ceil(2 * image.beam.major / image.geometry.cell), middle)
    near = response[middle - half:middle + half, middle - half:middle + half]
    lobes, _ = ndimage.label(near > 0)
    side = np.abs(near[lobes != lobes[half, half]]).max(initial=0.0)
    return max(float(side), _largest_beyond(response, half))


def _largest_beyond(response: np.ndarray, half: int) -> float:
    """Return the largest modulus further than `half` pixels from the middle on an axis."""
    inner = slice(len(response) // 2 - half, len(response) // 2 + half)
    beyond = np.abs(response)
    beyond[inner, inner] = 0
    return float(beyond.max())
