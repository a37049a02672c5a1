"""The search of all images of a program for sources, as work of the farm."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from visds.core.catalogue import Catalogue
from visds.core.farm import Farm
from visds.core.log import logger
from visds.core.plural import counted
from visds.core.progress import Progress
from visds.core.sky import Direction
from visds.crossmatch.settings import MatchSettings
from visds.crossmatch.several import match_detections
from visds.imaging.changing_source import KnownSources
from visds.imaging.find import Search, crosstalk, find_in
from visds.imaging.found_table import (
    SAME_BEAMS,
    candidates,
    found_rows,
    found_table,
    light_curve_rows,
    without_echoes,
)
from visds.quiet_images import (
    QuietImages,
    Without,
    changes_at,
    is_near,
    less_the_other_snapshots,
    means_of,
    refuse_failed,
    without_strong,
)
from visds.waiting_image import WaitingImage, snapshots_by_kind


def search_images(waiting: Sequence[WaitingImage], threshold: float, farm: Farm, *,
                  snapshots: bool, epoch: float, without: Without | None = None) -> Table:
    """Return the table of the sources in images (`visds.imaging.found_table.COLUMNS`).

    Snapshots are searched less the mean of all others of their band and Stokes parameter, all
    other images as they are. Sources that change by 20 times the noise or more, and constant ones
    of as much, are found first: what they did is told by their light curves, and all others are
    looked for in images `without` them. `epoch` is the Julian year of the observation.

    Raises
    ------
    ImagingError
        If an image cannot be searched.
    """
    groups = snapshots_by_kind(waiting) if snapshots else {}
    quiet = QuietImages(list(waiting), means_of(groups, threshold, farm), KnownSources())
    if groups and without:
        quiet = without_strong(quiet, threshold, farm, without)
    whole = {(image.name, image.kind): image for image in waiting}
    tasks = [(image if image.kind in quiet.means else whole[image.name, image.kind], change)
             for image, change in quiet.with_changes()]
    rows, curves, beams = [], [], dict.fromkeys("IQUV", 0.0)
    with Progress("searched images", len(tasks)) as progress:
        for outcome in farm.run(_SearchJob(threshold, quiet.means, quiet.sources.places), tasks):
            refuse_failed(outcome)
            progress.advance()
            rows += outcome.result.rows
            beams[outcome.task[0].kind[0]] += outcome.result.beams
            curves += outcome.result.curves
    if groups:
        found = candidates(rows)
        rows = light_curve_rows(curves, threshold) + without_echoes(
            found, changes_at([Direction(one["ra"], one["dec"]) for one, *_ in found],
                               quiet, farm), threshold)
    table = found_table(rows, beams, threshold)
    table.meta |= {"epoch_jyear": epoch, "position": "measured: a fit in an image"}
    logger.info("%s in %s searched, %d independent beams: %.2g expected of noise alone above %g "
                "sigma", counted(table.meta["candidates"], "source"),
                counted(len(waiting), "image"), table.meta["independent_beams"],
                table.meta["expected_false"], threshold)
    if table.meta["beside_another"]:
        logger.warning("%s within 2 beams of a stronger one in the same image: a source that is "
                       "extended comes apart into several, of a small false alarm probability each",
                       counted(table.meta["beside_another"], "source"))
    if table.meta["negative_in_I"]:
        logger.warning("%s in Stokes I: positive ones of no higher signal to noise may be "
                       "sidelobes too, of sources that are extended, outside the images or "
                       "changing; a sky model, --clean or a larger --size help", counted(
                           table.meta["negative_in_I"], "negative source"))
    return table


def match_found(found: Table, catalogues: dict[str, Catalogue],
                settings: MatchSettings) -> Table:
    """Return the matches of the candidates, each at its brightest, with catalogues."""
    return match_detections(found[found["brightest"]], catalogues, settings,
                            found.meta["epoch_jyear"])


@dataclass(frozen=True)
class _Searched:
    """What is found in an image, the beams searched, and the light curves' rows of a snapshot."""

    rows: list[dict]
    beams: float
    curves: list[dict]


@dataclass(frozen=True)
class _SearchJob:
    """`means` are files of mean images, by kind, without the sources at `places`."""

    threshold: float
    means: dict[tuple, Path]
    places: tuple[Direction, ...]

    def __call__(self, task: tuple[WaitingImage, np.ndarray]) -> _Searched:
        waiting, change = task
        if waiting.kind not in self.means:
            image = waiting.read()
            found = find_in(image, self.threshold, both_signs=True)
            return _Searched(found_rows(image, found, waiting.name, waiting.weight),
                             2 * found.beams, [])
        seen = less_the_other_snapshots(waiting, change, self.means, self.places)
        found = find_in(seen.image, self.threshold, both_signs=True, doubt=seen.doubt)
        rows = found_rows(seen.image, found, waiting.name, waiting.weight)
        for row in rows:
            row["is_sidelobe"] &= not seen.mean.has(row["ra"], row["dec"], -row["flux_density"])
        curves = []
        if self.places:
            level = np.array(waiting.taken_out) - crosstalk(seen.whole, self.places,
                                                            seen.mean.constant)
            curves = [row | {"peak": float(flux), "place": place, "kept": True,
                             "is_sidelobe": False} for row, flux, place in zip(found_rows(
                                 seen.image, Search(seen.known, 0.0, True, math.nan),
                                 waiting.name, waiting.weight), level, self.places, strict=True)]
        return _Searched([row for row in rows if not is_near(
            Direction(row["ra"], row["dec"]), self.places, SAME_BEAMS * row["beam"])],
            2 * found.beams, curves)
