"""A sky model: everything that is subtracted, whatever form it came in."""

from dataclasses import dataclass

from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.image_pixels import ImagePixels
from visds.visibility.sky_model.images import ImageModel


@dataclass(frozen=True, eq=False)
class Part:
    """One of the sources of a sky model.

    `origin` is what the user named. `is_intrinsic` says whether its flux densities are those of
    the sky, to be multiplied with the primary beam, or apparent, as seen through it; `scale_reason`
    in words how that is known. An image whose pixels are summed directly is `ImagePixels`.
    """

    content: ComponentModel | ImageModel | ImagePixels
    origin: str
    is_intrinsic: bool
    scale_reason: str


@dataclass(frozen=True, eq=False)
class SkyModel:
    """Parts to predict, and columns of the measurement set that hold predicted visibilities."""

    parts: tuple[Part, ...] = ()
    columns: tuple[str, ...] = ()

    def __bool__(self):
        return bool(self.parts or self.columns)
