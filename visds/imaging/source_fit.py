"""What an image says of a source: flux density at a place, and a fit of a source near it.

Errors are those of noise that is correlated as an image's is: the covariance of two pixels is the
variance times the response of a point source between them. Where p are the fitted numbers and J
their derivatives, cov p = (J'J)^-1 J' C J (J'J)^-1, which is what Condon (1997, PASP 109, 166)
approximates: for a source of the beam's shape the error of its flux density is about the noise,
and that of its position FWHM / (sqrt(8 ln 2) S/N).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.optimize import least_squares

from visds.core.sky import Direction
from visds.imaging.geometry import Geometry
from visds.imaging.image import Beam, Image

_ORDER = 5  # of the splines between pixels
_NOISE_BEAMS = 30
_SOURCE_BEAMS = 3
_FEWEST = 50
_SMALLEST_BOX = 32


@dataclass(frozen=True)
class SourceFit:
    """A fitted source: integrated and peak flux density (Jy, Jy/beam) and position, with errors.

    `ra_error`, `dec_error` in arcsec, on the sky. `shape` is the fitted Gaussian, the beam
    included; None of a point source. All are NaN where nothing could be fitted.
    """

    flux_density: float = math.nan
    flux_density_error: float = math.nan
    peak: float = math.nan
    peak_error: float = math.nan
    ra: float = math.nan
    dec: float = math.nan
    ra_error: float = math.nan
    dec_error: float = math.nan
    shape: Beam | None = None


def noise_around(image: Image, x: float, y: float) -> float:
    """Return the noise (Jy/beam) around a pixel: 1.4826 times the median modulus off the median.

    Of the pixels within 30 beams on both axes, those within 3 beams of the place left out; of the
    whole image where those are fewer than 50. NaN is left out.
    """
    beam = _pixels_a_beam(image)
    reach = max(_NOISE_BEAMS * beam, _SMALLEST_BOX)
    rows, columns = (np.arange(image.geometry.size),) * 2
    near_y, near_x = np.abs(rows - y) <= reach, np.abs(columns - x) <= reach
    values = image.values[np.ix_(near_y, near_x)]
    distance = np.hypot(rows[near_y][:, None] - y, columns[near_x] - x)
    kept = values[(distance > _SOURCE_BEAMS * beam) & np.isfinite(values)]
    if kept.size < _FEWEST:
        kept = image.values[np.isfinite(image.values)]
    return float(1.4826 * np.median(np.abs(kept - np.median(kept))))


def without(image: Image, fit: SourceFit) -> Image:
    """Return the part of an image that a fitted point source's response covers, without it.

    The sidelobes of a bright source are no noise, and they reach far beyond the beam. Pixels that
    the response does not cover are NaN.
    """
    if image.response is None or not math.isfinite(fit.flux_density):
        return image
    x, y = image.geometry.pixel(Direction(fit.ra, fit.dec))
    half = image.response.shape[0] // 2 - 2
    _, x0, y0 = _cutout(image.values, x, y, half)
    values = np.full_like(image.values, np.nan)
    rows, columns = np.indices(_cutout(image.values, x, y, half)[0].shape)
    rows, columns = rows + y0, columns + x0
    values[rows, columns] = image.values[rows, columns] - fit.peak * _Response(image)(
        columns - x, rows - y)
    return image.replace(values=values)


def flux_density_at(image: Image, target: Direction) -> float:
    """Return the flux density (Jy/beam) at a position, between pixels by a spline; NaN outside.

    At a point source that stands alone it is its flux density, and of natural weights the best
    estimate there is; its error is the noise.
    """
    if not image.geometry.holds(target):
        return math.nan
    x, y = image.geometry.pixel(target)
    cut, x0, y0 = _cutout(image.values, x, y, 16)
    return float(ndimage.map_coordinates(cut, [[y - y0], [x - x0]], order=_ORDER,
                                         mode="nearest")[0])


def fit_point(image: Image, near: Direction, within: float, noise: float) -> SourceFit:
    """Return the point source whose response fits best about the brightest pixel near a place.

    The shape is the image's response, which of a dirty image is not quite a Gaussian, or the beam.

    Parameters
    ----------
    image : Image
    near : Direction
        Where to look.
    within : float
        How far from there, deg.
    noise : float
        Of a pixel, Jy/beam.
    """
    found = _brightest(image, near, within)
    if found is None or image.beam is None:
        return SourceFit()
    values, x, y = _region(image, *found, 1.0)
    profile = _Response(image)

    def model(p):
        return p[0] * profile(x - p[1], y - p[2])

    def derivatives(p):
        h = 0.05
        along_x = (profile(x - p[1] - h, y - p[2]) - profile(x - p[1] + h, y - p[2])) / (2 * h)
        along_y = (profile(x - p[1], y - p[2] - h) - profile(x - p[1], y - p[2] + h)) / (2 * h)
        return np.stack([profile(x - p[1], y - p[2]), p[0] * along_x, p[0] * along_y], axis=1)

    start = np.array([image.values[found[1], found[0]], *found], float)
    solved = _solved(model, derivatives, start, values)
    if solved is None or np.hypot(*(solved[1:3] - found)) > max(_pixels_a_beam(image), 2):
        return SourceFit()
    errors = _root(np.diag(_covariance(derivatives(solved), profile, x, y, noise)))
    return _described(image.geometry, solved[0], errors[0], solved[0], errors[0], solved[1:3],
                      errors[1:3], None)


def fit_gaussian(image: Image, near: Direction, within: float, noise: float) -> SourceFit:
    """Return the elliptical Gaussian of free shape that fits best; arguments as `fit_point`.

    The flux density is the peak times the area of the Gaussian over that of the beam.
    """
    found = _brightest(image, near, within)
    if found is None or image.beam is None:
        return SourceFit()
    cell = image.geometry.cell
    values, x, y = _region(image, *found, 1.0)
    profile = _Response(image)
    start = np.array([image.values[found[1], found[0]], *found,
                      *(np.array(image.beam.quadratic()) * cell**2)], float)

    def parts(p):
        dx, dy = p[1] - x, y - p[2]  # to the east and to the north
        return dx, dy, np.exp(-(p[3] * dx**2 + p[4] * dx * dy + p[5] * dy**2))

    def model(p):
        return p[0] * parts(p)[2]

    def derivatives(p):
        dx, dy, gauss = parts(p)
        full = p[0] * gauss
        return np.stack([gauss, -full * (2 * p[3] * dx + p[4] * dy),
                         full * (2 * p[5] * dy + p[4] * dx), -full * dx**2, -full * dx * dy,
                         -full * dy**2], axis=1)

    solved = _solved(model, derivatives, start, values)
    if solved is None:
        return SourceFit()
    shape, area = _shape(solved[3:], cell)
    if shape is None:
        return SourceFit()
    covariance = _covariance(derivatives(solved), profile, x, y, noise)
    errors = _root(np.diag(covariance))
    ratio = area / image.beam.area
    # Area is pi / sqrt(a c - b^2/4).
    a, b, c = solved[3:]
    determinant = a * c - b * b / 4
    gradient = np.array([ratio, 0, 0, *(-solved[0] * ratio / (2 * determinant)
                                        * np.array([c, -b / 2, a]))])
    total_error = float(_root(gradient @ covariance @ gradient))
    return _described(image.geometry, solved[0] * ratio, total_error, solved[0], errors[0],
                      solved[1:3], errors[1:3], shape)


class _Response:
    """The response to a point source of 1 Jy at offsets in pixels, x to the west."""

    def __init__(self, image: Image):
        self._response = image.response
        if image.response is not None:
            self._middle = image.response.shape[0] // 2
            self._spline = ndimage.spline_filter(image.response.astype(float), order=_ORDER)
        else:
            self._shape = np.array(image.beam.quadratic()) * image.geometry.cell**2

    def __call__(self, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
        if self._response is None:
            a, b, c = self._shape
            return np.exp(-(a * dx**2 - b * dx * dy + c * dy**2))
        places = np.stack([np.ravel(dy), np.ravel(dx)]) + self._middle
        return ndimage.map_coordinates(self._spline, places, order=_ORDER, prefilter=False,
                                       mode="constant").reshape(np.shape(dx))


def _pixels_a_beam(image: Image) -> float:
    """Return the geometric mean of the beam's axes in pixels, at least 2."""
    if image.beam is None:
        return 5.0
    return max(math.sqrt(image.beam.major * image.beam.minor) / image.geometry.cell, 2.0)


def _brightest(image: Image, near: Direction, within: float) -> tuple[int, int] | None:
    """Return x and y of the largest modulus within a distance (deg), None if off the image."""
    if not image.geometry.holds(near, 2):
        return None
    x, y = image.geometry.pixel(near)
    reach = max(within / image.geometry.cell, 1.0)
    cut, x0, y0 = _cutout(image.values, x, y, math.ceil(reach) + 1)
    rows, columns = np.indices(cut.shape)
    inside = np.hypot(rows + y0 - y, columns + x0 - x) <= reach
    best = np.argmax(np.where(inside, np.abs(cut), -1))
    row, column = np.unravel_index(best, cut.shape)
    return int(column) + x0, int(row) + y0


def _cutout(values: np.ndarray, x: float, y: float, half: int) -> tuple[np.ndarray, int, int]:
    """Return the pixels about a place, and the first column and row of them."""
    x0, y0 = max(round(x) - half, 0), max(round(y) - half, 0)
    return values[y0:round(y) + half + 1, x0:round(x) + half + 1], x0, y0


def _region(image: Image, x: int, y: int, beams: float
            ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return value, x and y of the pixels of the beam's ellipse, so many half-widths wide."""
    a, b, c = np.array(image.beam.quadratic()) * image.geometry.cell**2
    half = math.ceil(max(beams * image.beam.major / image.geometry.cell / 2, 1.5))
    # Where the response is cut off, the correlation of two pixels is not known.
    side = image.geometry.size if image.response is None else image.response.shape[0]
    cut, x0, y0 = _cutout(image.values, x, y, min(half, side // 4 - 1))
    rows, columns = np.indices(cut.shape)
    dx, dy = x - (columns + x0), rows + y0 - y
    inside = (a * dx**2 + b * dx * dy + c * dy**2 <= math.log(2) * beams**2) | (
        np.maximum(np.abs(dx), np.abs(dy)) <= 1)
    return cut[inside].astype(float), (columns + x0)[inside], (rows + y0)[inside]


def _solved(model, derivatives, start: np.ndarray, values: np.ndarray) -> np.ndarray | None:
    """Return the parameters of least squares, None where there are none."""
    scale = np.abs(values).max()
    if not scale > 0 or not np.all(np.isfinite(values)) or len(values) < len(start):
        return None
    result = least_squares(lambda p: (model(p) - values) / scale, start, x_scale="jac",
                           jac=lambda p: derivatives(p) / scale, max_nfev=100)
    return result.x if result.success and np.all(np.isfinite(result.x)) else None


def _covariance(jacobian: np.ndarray, profile: _Response, x: np.ndarray, y: np.ndarray,
                noise: float) -> np.ndarray:
    correlation = profile(x[:, None] - x, y[:, None] - y)
    inverse = np.linalg.pinv(jacobian)
    return noise**2 * inverse @ correlation @ inverse.T


def _root(variance: np.ndarray) -> np.ndarray:
    """Return the root, NaN where there is no variance: the response is cut off at its edges."""
    return np.sqrt(np.where(variance > 0, variance, np.nan))


def _shape(quadratic: np.ndarray, cell: float) -> tuple[Beam | None, float]:
    """Return the ellipse of a, b, c (pixel-2), and its area in square degrees."""
    a, b, c = quadratic
    inverse, axes = np.linalg.eigh([[a, b / 2], [b / 2, c]])
    if inverse[0] <= 0:
        return None, math.nan
    major, minor = np.sqrt(4 * math.log(2) / inverse) * cell
    angle = math.degrees(math.atan2(axes[0, 0], axes[1, 0])) % 180
    shape = Beam(float(major), float(minor), angle)
    return shape, shape.area


def _described(geometry: Geometry, total, total_error, peak, peak_error, place, place_error,
               shape) -> SourceFit:
    try:
        direction = geometry.direction(*place)
    except ValueError:
        return SourceFit()
    arcsec = 3600 * geometry.cell
    return SourceFit(float(total), float(total_error), float(peak), float(peak_error),
                     direction.ra, direction.dec, float(place_error[0] * arcsec),
                     float(place_error[1] * arcsec), shape)
