"""Images that wait in files to be searched: a snapshot is held against the mean of all others."""

import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from visds.core.files import whole_file
from visds.imaging.image import Image
from visds.imaging.snapshot_difference import weight_of


@dataclass(frozen=True)
class WaitingImage:
    """An image that waits in a file to be searched; those of one `kind` are of the same sky.

    `beam` is its FWHM, deg; `taken_out` the flux densities (Jy) of the sources that it is without.
    """

    path: Path
    name: str
    kind: tuple[str, float, float]
    weight: float
    middle: float
    beam: float
    taken_out: tuple[float, ...] = ()

    def read(self) -> Image:
        """Return the image."""
        return pickle.loads(self.path.read_bytes())


def keep_image(image: Image, folder: Path, taken_out: tuple[float, ...] = ()) -> WaitingImage:
    """Write an image for the search into a folder; of what was taken out, the flux densities, Jy.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    content = image.content
    path = folder / f"{content.name}_{image.stokes}.image"
    with whole_file(path) as part:
        part.write_bytes(pickle.dumps(image, protocol=pickle.HIGHEST_PROTOCOL))
    return WaitingImage(path, content.name, (image.stokes, content.band_low, content.band_high),
                        weight_of(image), content.middle,
                        math.nan if image.beam is None else image.beam.major, taken_out)


def snapshots_by_kind(waiting: Sequence[WaitingImage]) -> dict[tuple, list[WaitingImage]]:
    """Return the snapshots in order of time by kind, where there is more than one."""
    groups: dict[tuple, list[WaitingImage]] = {}
    for image in waiting:
        groups.setdefault(image.kind, []).append(image)
    return {kind: sorted(images, key=lambda image: (image.middle, image.name))
            for kind, images in groups.items() if len(images) > 1}
