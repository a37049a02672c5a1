"""The types of the room: an image, its beam, what it was made of."""

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from visds.imaging.geometry import Geometry


@dataclass(frozen=True)
class Beam:
    """An elliptical Gaussian: FWHM of both axes and position angle (north through east), deg."""

    major: float
    minor: float
    position_angle: float

    def quadratic(self) -> tuple[float, float, float]:
        """Return a, b, c of exp(-(a l^2 + b l m + c m^2)), in deg-2; l to the east."""
        angle = np.radians(self.position_angle)
        along, across = 4 * np.log(2) / self.major**2, 4 * np.log(2) / self.minor**2
        sine, cosine = np.sin(angle), np.cos(angle)
        return (along * sine**2 + across * cosine**2,
                2 * (along - across) * sine * cosine,
                along * cosine**2 + across * sine**2)

    @property
    def area(self) -> float:
        """Integral of the Gaussian of unit peak, in square degrees."""
        return float(np.pi * self.major * self.minor / (4 * np.log(2)))


@dataclass(frozen=True)
class Content:
    """What an image is made of.

    `start`, `stop` MJD UTC of its first and last integration's edges, `middle` the mean time
    weighted with the lengths of the integrations, `exposure` their sum in s; `band_low`,
    `band_high` Hz, the edges of the channels; `frame` of the frequencies.
    """

    name: str
    start: float
    stop: float
    middle: float
    exposure: float
    band_low: float
    band_high: float
    frame: str = ""

    @property
    def frequency(self) -> float:
        """Middle of the band, Hz."""
        return (self.band_low + self.band_high) / 2


@dataclass(frozen=True, eq=False)
class Image:
    """An image of one Stokes parameter.

    `values` (Y,X) float32 Jy/beam. `kind` is what they are: dirty, cleaned, residual or model (of
    clean), difference (of dirty images) or response. `response` (Y,X), of another size, is what a
    point source of 1 Jy looks like, its peak in the middle, pixel size/2; None where that is the
    beam itself. `meta` are texts for the header; SUBTRACT names the sky model that was subtracted.
    `beam` is None where none could be fitted. `sum_of_weights` are those of the image's weighting,
    Jy-2 if natural; `expected_rms` Jy/beam the noise that the weights of the visibilities imply,
    and `natural_rms` that of natural weighting.
    """

    values: np.ndarray
    geometry: Geometry
    stokes: str
    content: Content
    beam: Beam | None
    response: np.ndarray | None
    weighting: str = ""
    sum_of_weights: float = float("nan")
    expected_rms: float = float("nan")
    natural_rms: float = float("nan")
    kind: str = "dirty"
    meta: dict[str, str] = field(default_factory=dict)

    def replace(self, **changes) -> "Image":
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)
