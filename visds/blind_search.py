"""The search of all images of a program for sources, as work of the farm.

Images wait in a folder of their own, for a snapshot is held against the mean of all others.
"""

import math
import pickle
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from visds.core.catalogue import Catalogue
from visds.core.errors import ImagingError
from visds.core.farm import Farm
from visds.core.files import whole_file
from visds.core.log import logger
from visds.core.plural import counted
from visds.core.progress import Progress
from visds.core.sky import Direction, separation
from visds.crossmatch.settings import MatchSettings
from visds.crossmatch.several import match_detections
from visds.imaging.find import FoundSource, Search, beam_pixels, find_in, sources_at
from visds.imaging.found_table import (
    found_rows,
    found_table,
    light_curve_rows,
    without_echoes,
)
from visds.imaging.image import Image
from visds.imaging.local_noise import local_noise
from visds.imaging.snapshot_difference import (
    MeanImage,
    less_constant,
    less_the_others,
    mean_image,
    weight_of,
)

STRONG = 20.0
"""Signal to noise of a change whose source is taken out of the visibilities for the search."""
MOST_CHANGING = 8
_CYCLES = 4
_BRIGHT = 0.5
_LOST_BEAMS = 1.5  # about a source that is taken out nothing else can be seen


@dataclass(frozen=True)
class WaitingImage:
    """An image that waits in a file to be searched; those of one `kind` are of the same sky.

    `beam` is its FWHM, deg.
    """

    path: Path
    name: str
    kind: tuple[str, float, float]
    weight: float
    middle: float
    beam: float

    def read(self) -> Image:
        """Return the image."""
        return pickle.loads(self.path.read_bytes())


Without = Callable[[tuple[Direction, ...]], list[WaitingImage]]
"""Makes the waiting snapshots once more, without the sources at places."""


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
                        weight_of(image), content.middle,
                        math.nan if image.beam is None else image.beam.major)


def search_images(waiting: Sequence[WaitingImage], threshold: float, farm: Farm, *,
                  snapshots: bool, epoch: float, without: Without | None = None) -> Table:
    """Return the table of the sources in images (`visds.imaging.found_table.COLUMNS`).

    Snapshots are searched less the mean of all others of their band and Stokes parameter, all
    other images as they are. Sources that change by 20 times the noise or more are found first:
    what they did is told by their light curves, and all others are looked for in images `without`
    them. `epoch` is the Julian year of the observation.

    Raises
    ------
    ImagingError
        If an image cannot be searched.
    """
    groups = _snapshots(waiting) if snapshots else {}
    means = _means(groups, threshold, farm)
    quiet, quiet_means, places = list(waiting), means, []
    for _ in range(_CYCLES if means and without else 0):
        new = _strong_places(quiet, quiet_means, places, farm)
        if not new:
            break
        places += new
        logger.info("%s of more than %g sigma: snapshots are imaged again without %s",
                    counted(len(new), "changing source"), STRONG,
                    "it" if len(new) == 1 else "them")
        quiet = without(tuple(places))
        quiet_means = _means(_snapshots(quiet), threshold, farm)
    before = {(image.name, image.kind): image for image in waiting}
    job = _SearchJob(threshold, quiet_means, tuple(places))
    rows, curves, beams = [], [], 0.0
    with Progress("searched images", len(quiet)) as progress:
        for outcome in farm.run(job, [(image, before[image.name, image.kind])
                                      for image in quiet]):
            _refuse(outcome)
            progress.advance()
            rows += outcome.result.rows
            beams += outcome.result.beams
            curves += outcome.result.curves
    if means:
        rows = light_curve_rows(curves, threshold) + without_echoes(rows, {
            kind: sum(image.weight for image in images) for kind, images in groups.items()},
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
class _StrongJob:
    """What changes most in a snapshot: the place and S/N of its brightest sources."""

    means: dict[tuple, Path]

    def __call__(self, waiting: WaitingImage) -> list[FoundSource]:
        if waiting.kind not in self.means:
            return []
        image, doubt = less_the_others(waiting.read(), _read_mean(self.means[waiting.kind]))
        # Its own sidelobes are noise until it is taken out.
        found = find_in(image, both_signs=True, doubt=doubt, most=1).sources
        return [source for source in found if source.snr >= STRONG]


@dataclass(frozen=True)
class _Searched:
    """What is found in an image, the beams searched, and the light curves' rows of a snapshot."""

    rows: list[dict]
    beams: float
    curves: list[dict]


@dataclass(frozen=True)
class _SearchJob:
    """`means` are files of mean images, by kind, without the changing sources at `places`."""

    threshold: float
    means: dict[tuple, Path]
    places: tuple[Direction, ...]

    def __call__(self, pair: tuple[WaitingImage, WaitingImage]) -> _Searched:
        quiet, whole = pair
        if quiet.kind not in self.means:
            image = whole.read()
            found = find_in(image, self.threshold, both_signs=True)
            return _Searched(found_rows(image, found, whole.name, whole.weight), 2 * found.beams,
                             [])
        mean, snapshot = _read_mean(self.means[quiet.kind]), quiet.read()
        image, doubt = less_the_others(snapshot, mean)
        curves: list[dict] = []
        if self.places:
            sources, left = sources_at(less_constant(whole.read(), mean), self.places,
                                       local_noise(image.values, beam_pixels(image)))
            doubt = np.maximum(doubt, left)
            found = Search(tuple(sources), 0.0, True, math.nan)
            curves = [row | {"peak": source.peak, "place": place, "kept": True} for
                      row, source, place in zip(found_rows(image, found, whole.name, whole.weight),
                                                sources, self.places, strict=True)]
        found = find_in(image, self.threshold, both_signs=True, doubt=doubt)
        rows = [row for row in found_rows(image, found, quiet.name, quiet.weight)
                if all(separation(Direction(row["ra"], row["dec"]), place)
                       > _LOST_BEAMS * row["beam"] for place in self.places)]
        return _Searched(rows, 2 * found.beams, curves)


def _snapshots(waiting: Sequence[WaitingImage]) -> dict[tuple, list[WaitingImage]]:
    """Return the snapshots in order of time by kind, where there is more than one."""
    groups: dict[tuple, list[WaitingImage]] = {}
    for image in waiting:
        groups.setdefault(image.kind, []).append(image)
    return {kind: sorted(images, key=lambda image: (image.middle, image.name))
            for kind, images in groups.items() if len(images) > 1}


def _means(groups: dict[tuple, list[WaitingImage]], threshold: float, farm: Farm
           ) -> dict[tuple, Path]:
    means: dict[tuple, Path] = {}
    for outcome in farm.run(_MeanJob(threshold), list(groups.values()), cost=len):
        _refuse(outcome)
        means[outcome.task[0].kind] = outcome.result
    return means


def _strong_places(waiting: Sequence[WaitingImage], means: dict[tuple, Path],
                   known: Sequence[Direction], farm: Farm) -> list[Direction]:
    """Return the places, not known yet, of sources that change most, the strongest first.

    Of each image the brightest counts, where it is half as bright as the brightest of all: what is
    fainter may be a sidelobe.
    """
    found: list[tuple[float, float, Direction]] = []
    with Progress("images searched for what changes", len(waiting)) as progress:
        for outcome in farm.run(_StrongJob(means), list(waiting)):
            _refuse(outcome)
            progress.advance()
            found += [(source.snr, outcome.task.beam, Direction(source.fit.ra, source.fit.dec))
                      for source in outcome.result]
    found.sort(key=lambda one: (-one[0], one[2].ra, one[2].dec))
    places: list[Direction] = []
    for snr, beam, place in found:
        if snr < _BRIGHT * found[0][0] or len(known) + len(places) >= MOST_CHANGING:
            break
        if all(separation(place, other) > beam for other in (*known, *places)):
            places.append(place)
    return places


def _read_mean(path: Path) -> MeanImage:
    return pickle.loads(path.read_bytes())


def _refuse(outcome) -> None:
    if outcome.error:
        raise ImagingError(f"the search for sources failed: {outcome.error}")
