"""The search of all images of a program for sources, as work of the farm.

Images wait in a folder of their own, for a snapshot is held against the mean of all others.
"""

import pickle
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from astropy.table import Table

from visds.core.catalogue import Catalogue
from visds.core.errors import ImagingError
from visds.core.farm import Farm
from visds.core.files import whole_file
from visds.core.log import logger
from visds.core.plural import counted
from visds.core.progress import Progress
from visds.crossmatch.settings import MatchSettings
from visds.crossmatch.several import match_detections
from visds.imaging.find import find_in
from visds.imaging.found_table import found_rows, found_table, without_echoes
from visds.imaging.image import Image
from visds.imaging.snapshot_difference import (
    MeanImage,
    less_the_others,
    mean_image,
    weight_of,
)


@dataclass(frozen=True)
class WaitingImage:
    """An image that waits in a file to be searched; those of one `kind` are of the same sky."""

    path: Path
    name: str
    kind: tuple[str, float, float]
    weight: float
    middle: float

    def read(self) -> Image:
        """Return the image."""
        return pickle.loads(self.path.read_bytes())


def keep_image(image: Image, folder: Path) -> WaitingImage:
    """Write an image for the search into a folder.

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
                        weight_of(image), content.middle)


def search_images(waiting: Sequence[WaitingImage], threshold: float, farm: Farm, *,
                  snapshots: bool, epoch: float) -> Table:
    """Return the table of the sources in images (`visds.imaging.found_table.COLUMNS`).

    Snapshots are searched less the mean of all others of their band and Stokes parameter, all
    other images as they are. `epoch` is the Julian year of the observation.

    Raises
    ------
    ImagingError
        If an image cannot be searched.
    """
    means: dict[tuple, Path] = {}
    kinds: dict[tuple, list[WaitingImage]] = {}
    if snapshots:
        for image in waiting:
            kinds.setdefault(image.kind, []).append(image)
        kinds = {kind: sorted(images, key=lambda image: (image.middle, image.name))
                 for kind, images in kinds.items() if len(images) > 1}
        for outcome in farm.run(_MeanJob(threshold), list(kinds.values()), cost=len):
            _refuse(outcome)
            means[outcome.task[0].kind] = outcome.result
    job = _SearchJob(threshold, means)
    rows, beams = [], 0.0
    with Progress("searched images", len(waiting)) as progress:
        for outcome in farm.run(job, waiting):
            _refuse(outcome)
            progress.advance()
            rows += outcome.result[0]
            beams += outcome.result[1]
    if means:
        rows = without_echoes(rows, {
            kind: sum(image.weight for image in images) for kind, images in kinds.items()},
            threshold)
    table = found_table(rows, beams, threshold)
    table.meta |= {"epoch_jyear": epoch, "position": "measured: a fit in an image"}
    logger.info("%s in %s searched, %d independent beams: %.2g expected of noise alone above %g "
                "sigma", counted(table.meta["candidates"], "source"),
                counted(len(waiting), "image"), table.meta["independent_beams"],
                table.meta["expected_false"], threshold)
    if table.meta["negative_in_I"]:
        logger.warning("%s in Stokes I: positive ones of no higher signal to noise may be "
                       "sidelobes too, of sources outside the images or changing; a sky model, "
                       "--clean or a larger --size help", counted(
                           table.meta["negative_in_I"], "negative source"))
    return table


def match_found(found: Table, catalogues: dict[str, Catalogue],
                settings: MatchSettings) -> Table:
    """Return the matches of the candidates, each at its brightest, with catalogues."""
    return match_detections(found[found["brightest"]], catalogues, settings,
                            found.meta["epoch_jyear"])


@dataclass(frozen=True)
class _MeanJob:
    threshold: float

    def __call__(self, images: list[WaitingImage]) -> Path:
        def read() -> Iterable[Image]:
            return (image.read() for image in images)

        mean = mean_image(read(), self.threshold)
        path = images[0].path.with_suffix(".mean")
        with whole_file(path) as part:
            part.write_bytes(pickle.dumps(mean, protocol=pickle.HIGHEST_PROTOCOL))
        return path


@dataclass(frozen=True)
class _SearchJob:
    """`means` are files of mean images, by the kind of image."""

    threshold: float
    means: dict[tuple, Path]

    def __call__(self, waiting: WaitingImage) -> tuple[list[dict], float]:
        """Return the rows of what is found in an image, and the beams that were searched."""
        image, doubt = waiting.read(), None
        if waiting.kind in self.means:
            mean: MeanImage = pickle.loads(self.means[waiting.kind].read_bytes())
            image, doubt = less_the_others(image, mean)
        found = find_in(image, self.threshold, both_signs=True, doubt=doubt)
        return found_rows(image, found, waiting.name, waiting.weight), 2 * found.beams


def _refuse(outcome) -> None:
    if outcome.error:
        raise ImagingError(f"the search for sources failed: {outcome.error}")
