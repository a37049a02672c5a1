"""The noise of an image from place to place, and how many independent places it has."""

import math

import numpy as np
from scipy import ndimage

BOX_BEAMS = 25
_SMALLEST_BOX = 32
_FEWEST = 50
_SLOPE = np.array([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]) / 60


def local_noise(values: np.ndarray, beam: float) -> np.ndarray:
    """Return the noise (Y,X) of an image: 1.4826 times the median modulus off the median.

    Of boxes 25 beams wide whose middles are half a box apart, linear between these and constant
    beyond the outermost. A source fills little of a box and raises its median modulus by as much
    only. NaN is left out; where a box holds fewer than 50 numbers its noise is that of all.

    Parameters
    ----------
    values : (Y,X)
    beam : float
        Width of the beam in pixels.
    """
    boxes = _Boxes(len(values), beam)
    spread = np.array([[_scatter(values[boxes.part(y), boxes.part(x)]) for x in boxes.starts]
                       for y in boxes.starts])
    spread[np.isnan(spread)] = _scatter(values)
    return boxes.between.T @ spread @ boxes.between


def noise_at(values: np.ndarray, beam: float, column: int, row: int) -> float:
    """Return what `local_noise` is at one pixel, of the boxes about it alone."""
    boxes = _Boxes(len(values), beam)
    noise = 0.0
    for y, part_y in zip(boxes.starts, boxes.between[:, row], strict=True):
        for x, part_x in zip(boxes.starts, boxes.between[:, column], strict=True):
            if part_y * part_x > 0:
                spread = _scatter(values[boxes.part(y), boxes.part(x)])
                noise += part_y * part_x * (
                    _scatter(values) if math.isnan(spread) else spread)
    return noise


def noise_reach(size: int, beam: float) -> int:
    """Return how far from a pixel, on both axes, values tell of the noise there."""
    return _Boxes(size, beam).width


class _Boxes:
    """Boxes of `width` pixels on either axis, and (box, pixel) what each counts for a pixel."""

    def __init__(self, size: int, beam: float):
        self.width = min(max(round(BOX_BEAMS * beam), _SMALLEST_BOX), size)
        count = 2 * max(round(size / self.width), 1) - 1
        self.starts = np.round(np.linspace(0, size - self.width, count)).astype(int)
        self._every = max(1, int(beam // 2))  # pixels nearer than that say the same
        self.between = np.array([np.interp(
            np.arange(size), self.starts + (self.width - 1) / 2, row) for row in np.eye(count)])

    def part(self, start: int) -> slice:
        return slice(start, start + self.width, self._every)


def _scatter(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    if known.size < _FEWEST:
        return math.nan
    return 1.4826 * float(np.median(np.abs(known - np.median(known))))


def independent_beams(snr: np.ndarray) -> float:
    """Return the number of independent places: area over squared FWHM of the noise's correlation.

    The FWHM is that of the Gaussian with the curvature of the correlation at its top, which the
    scatter of the slopes of S/N (Y,X) tells, whatever the weights: Lambda = cov(grad S/N), of a
    Gaussian of FWHM theta 8 ln 2 / theta^2 on both axes.
    """
    along_x, along_y = (ndimage.correlate1d(snr, _SLOPE, axis=axis)[3:-3, 3:-3]
                        for axis in (1, 0))
    known = np.isfinite(along_x) & np.isfinite(along_y)
    if known.sum() < _FEWEST:
        return 0.0
    xx, yy, both, across = (_scatter(part[known]) ** 2 for part in (
        along_x, along_y, along_x + along_y, along_x - along_y))
    determinant = xx * yy - ((both - across) / 4) ** 2
    return float(np.isfinite(snr).sum() * math.sqrt(max(determinant, 0.0)) / (8 * math.log(2)))


def expected_peaks(beams: float, snr: float | np.ndarray, *, both_signs: bool) -> np.ndarray:
    """Return how many peaks of noise above a signal to noise are expected in so many beams.

    The expected Euler characteristic of what exceeds u in a smooth Gaussian field,
    A sqrt(det Lambda) (2 pi)^(-3/2) u exp(-u^2 / 2) (Adler 1981, The Geometry of Random Fields;
    Worsley 1992, J. Cereb. Blood Flow Metab. 12, 900), which is the number of its peaks where
    that is small.
    """
    level = np.asarray(snr, float)
    density = 8 * math.log(2) * (2 * math.pi) ** -1.5 * level * np.exp(-level**2 / 2)
    return (2 if both_signs else 1) * beams * density
