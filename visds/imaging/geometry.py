"""Where an image is on the sky: its centre, pixels and size, and the axes of its uv plane."""

import math
from dataclasses import dataclass

import ducc0
import numpy as np

from visds.core.sky import LIGHT_SPEED, Direction, direction_cosines

PIXELS_A_BEAM = 5
LARGEST_AUTOMATIC = 2048
SMALLEST_AUTOMATIC = 256
_SMALLEST = 32  # that ducc0 takes


@dataclass(frozen=True)
class Geometry:
    """A square SIN image: `size` pixels of `cell` degrees a side, about `centre` (ICRS).

    Axes are (Y,X): the declination grows with y, the right ascension falls with x. The centre is
    pixel size/2 of both axes, counted from zero.
    """

    centre: Direction
    cell: float
    size: int

    @property
    def width(self) -> float:
        """Width of the image in degrees, in the projection."""
        return self.cell * self.size

    def pixel(self, direction: Direction) -> tuple[float, float]:
        """Return x and y of a position; NaN where it is in the other half of the sky."""
        place = direction.to("ICRS")
        l, m, n_minus_1 = direction_cosines(place.ra, place.dec, self.centre)  # noqa: E741
        if n_minus_1 <= -1:
            return math.nan, math.nan
        step = math.radians(self.cell)
        return float(self.size / 2 - l / step), float(self.size / 2 + m / step)

    def direction(self, x: float, y: float) -> Direction:
        """Return the position of a pixel.

        Raises
        ------
        ValueError
            If the pixel is off the sky.
        """
        step = math.radians(self.cell)
        l, m = (self.size / 2 - x) * step, (y - self.size / 2) * step  # noqa: E741
        if np.hypot(l, m) > 1:
            raise ValueError(f"pixel {x}, {y} is off the sky")
        n = math.sqrt(1 - l * l - m * m)
        ra0, dec0 = math.radians(self.centre.ra), math.radians(self.centre.dec)
        height = n * math.cos(dec0) - m * math.sin(dec0)
        z = m * math.cos(dec0) + n * math.sin(dec0)
        return Direction(math.degrees(ra0 + math.atan2(l, height)) % 360,
                         math.degrees(math.atan2(z, math.hypot(l, height))))

    def holds(self, direction: Direction, margin: float = 0.0) -> bool:
        """Whether a position is in the image, `margin` pixels or more from its edges."""
        place = np.array(self.pixel(direction))
        return bool(np.all((place >= margin) & (place <= self.size - 1 - margin)))


def automatic_cell(uvw: np.ndarray, frequency: float) -> float:
    """Return a pixel (deg) of a fifth of wavelength over the longest projected baseline.

    Parameters
    ----------
    uvw : (N,3) m
    frequency : the highest, Hz
    """
    longest = float(np.hypot(uvw[:, 0], uvw[:, 1]).max(initial=0.0))
    return math.degrees(LIGHT_SPEED / frequency / max(longest, 1.0)) / PIXELS_A_BEAM


def automatic_size(cell: float, field: float) -> int:
    """Return the number of pixels that cover `field` (deg), within limits, good for the FFT."""
    wanted = min(max(math.ceil(field / cell), SMALLEST_AUTOMATIC), LARGEST_AUTOMATIC)
    return good_size(wanted)


def good_size(pixels: int) -> int:
    """Return the next even size that is quick to transform, and that can be gridded."""
    return 2 * ducc0.fft.good_size(-(-max(pixels, _SMALLEST) // 2))


@dataclass(frozen=True, eq=False)
class Turn:
    """From the frame of uvw to the image's centre: new uvw are `axes` @ uvw.

    `offset` (3) are l, m, n - 1 of the image's centre in the frame of uvw: a visibility is
    multiplied with exp(-2 pi i (nu/c) uvw @ offset). Both are exact.
    """

    axes: np.ndarray
    offset: np.ndarray


def turn_to(centre: Direction, phase_centre: Direction) -> Turn:
    """Return what turns uvw and visibilities of a phase centre to an image's centre (ICRS).

    uvw are components along the east, the north and the direction of the phase centre, in its
    frame; those of the image are along the same in the ICRS.
    """
    old, new = _axes(phase_centre), _axes(centre)
    if centre == phase_centre.to("ICRS"):
        offset = np.zeros(3)
    else:
        place = centre.to(phase_centre.frame)
        offset = direction_cosines(place.ra, place.dec, phase_centre)
    return Turn(new @ old.T, offset)


def _axes(direction: Direction) -> np.ndarray:
    """Return the unit vectors (3,3), in the ICRS, to east, north and the position itself.

    The north of another frame is that of two of its positions, 0.01 degrees apart.
    """
    if direction.to("ICRS") == Direction(direction.ra, direction.dec):
        ra, dec = math.radians(direction.ra), math.radians(direction.dec)
        return np.array([[-math.sin(ra), math.cos(ra), 0.0],
                         [-math.sin(dec) * math.cos(ra), -math.sin(dec) * math.sin(ra),
                          math.cos(dec)],
                         [math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra),
                          math.sin(dec)]])
    step = 0.01 if direction.dec < 0 else -0.01
    here = _vector(direction.to("ICRS"))
    there = _vector(Direction(direction.ra, direction.dec + step, direction.frame).to("ICRS"))
    north = np.sign(step) * (there - here * (there @ here))
    north /= np.linalg.norm(north)
    return np.stack([np.cross(north, here), north, here])


def _vector(direction: Direction) -> np.ndarray:
    return _axes(direction)[2]
