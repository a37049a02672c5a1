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

from visds.core.catalogue import Catalogue, position_names
from visds.core.errors import ImagingError
from visds.core.farm import Farm
from visds.core.files import whole_file
from visds.core.log import logger
from visds.core.plural import counted
from visds.core.progress import Progress
from visds.core.sky import Direction, separation
from visds.crossmatch.settings import MatchSettings
from visds.crossmatch.several import match_detections
from visds.imaging.changing_source import KnownSources
from visds.imaging.find import (
    FoundSource,
    Search,
    beam_pixels,
    crosstalk,
    find_in,
    put_back,
)
from visds.imaging.found_table import (
    SAME_BEAMS,
    candidates,
    found_rows,
    found_table,
    light_curve_rows,
    without_echoes,
)
from visds.imaging.image import Image
from visds.imaging.local_noise import local_noise
from visds.imaging.quiet_level import changes
from visds.imaging.snapshot_difference import (
    MeanImage,
    less_the_others,
    mean_image,
    weight_of,
)

STRONG = 20.0
"""Signal to noise in a snapshot of a source that is taken out of the visibilities."""
MOST_CHANGING = 8
MOST_CONSTANT = 12  # each takes about one part in as many as there are baselines of all others
_CYCLES = 4
_BRIGHT = 0.5


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


Without = Callable[[KnownSources], list[WaitingImage]]
"""Makes the waiting snapshots once more, without sources."""


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
    groups = _snapshots(waiting) if snapshots else {}
    quiet = _Quiet(list(waiting), _means(groups, threshold, farm), KnownSources())
    if groups and without:
        quiet = _without_strong(quiet, threshold, farm, without)
    whole = {(image.name, image.kind): image for image in waiting}
    tasks = [(image if image.kind in quiet.means else whole[image.name, image.kind], change)
             for image, change in quiet.with_changes()]
    rows, curves, beams = [], [], dict.fromkeys("IQUV", 0.0)
    with Progress("searched images", len(tasks)) as progress:
        for outcome in farm.run(_SearchJob(threshold, quiet.means, quiet.sources.places), tasks):
            _refuse(outcome)
            progress.advance()
            rows += outcome.result.rows
            beams[outcome.task[0].kind[0]] += outcome.result.beams
            curves += outcome.result.curves
    if groups:
        found = candidates(rows)
        rows = light_curve_rows(curves, threshold) + without_echoes(
            found, _changes_at([Direction(one["ra"], one["dec"]) for one, *_ in found],
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
class _Quiet:
    """Images, the files of their means by kind, and the sources that they are without."""

    images: list[WaitingImage]
    means: dict[tuple, Path]
    sources: KnownSources

    def with_changes(self) -> list[tuple[WaitingImage, np.ndarray]]:
        """Return each image with what its sources had above what they mostly have, Jy."""
        levels = {(image.name, image.kind): np.array(image.taken_out)
                  for images in _snapshots(self.images).values() for image in images}
        above = _changes(levels)
        return [(image, above.get((image.name, image.kind), np.zeros(0)))
                for image in self.images]


@dataclass(frozen=True)
class _StrongJob:
    """What changes most in a snapshot: its brightest source, if strong, and the median noise."""

    means: dict[tuple, Path]
    places: tuple[Direction, ...]

    def __call__(self, task: tuple[WaitingImage, np.ndarray]
                 ) -> tuple[tuple[FoundSource, ...], float]:
        waiting, change = task
        if waiting.kind not in self.means:
            return (), math.nan
        seen = _less_the_others(waiting, change, self.means, self.places)
        # Its own sidelobes are noise until it is taken out.
        found = find_in(seen.image, both_signs=True, doubt=seen.doubt, most=1)
        return tuple(source for source in found.sources if source.snr >= STRONG), found.noise


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
        seen = _less_the_others(waiting, change, self.means, self.places)
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
        return _Searched([row for row in rows if not _is_near(
            Direction(row["ra"], row["dec"]), self.places, SAME_BEAMS * row["beam"])],
            2 * found.beams, curves)


@dataclass(frozen=True)
class _LevelJob:
    """Flux densities at places in a snapshot itself, Jy (N,)."""

    means: dict[tuple, Path]
    places: list[Direction]

    def __call__(self, waiting: WaitingImage) -> np.ndarray:
        mean: MeanImage = pickle.loads(self.means[waiting.kind].read_bytes())
        return mean.flux_densities(waiting.read(), self.places)


@dataclass(frozen=True, eq=False)
class _LessTheOthers:
    """A snapshot, less the mean of the others, by how much that may be wrong; known sources."""

    whole: Image
    mean: MeanImage
    image: Image
    doubt: np.ndarray
    known: tuple[FoundSource, ...]


def _less_the_others(waiting: WaitingImage, change: np.ndarray, means: dict[tuple, Path],
                     places: tuple[Direction, ...]) -> _LessTheOthers:
    whole, mean = waiting.read(), pickle.loads(means[waiting.kind].read_bytes())
    if not places:
        return _LessTheOthers(whole, mean, *less_the_others(whole, mean), ())
    pixels = np.array([whole.geometry.pixel(place) for place in places]).T
    image, doubt = less_the_others(whole, mean, np.array([waiting.taken_out - change, *pixels]))
    known, left = put_back(image, places, change, local_noise(image.values, beam_pixels(image)))
    return _LessTheOthers(whole, mean, image, np.maximum(doubt, left), tuple(known))


def _changes_at(places: list[Direction], quiet: _Quiet, farm: Farm) -> list[dict[tuple, float]]:
    """Return what is at places above what is there in quiet snapshots: Jy by kind and image."""
    if not places:
        return []
    images = [image for image in quiet.images if image.kind in quiet.means]
    levels = {}
    for outcome in farm.run(_LevelJob(quiet.means, places), images):
        _refuse(outcome)
        levels[outcome.task.name, outcome.task.kind] = outcome.result
    above = _changes(levels)
    return [{(*kind, name): float(change[number]) for (name, kind), change in above.items()
             if math.isfinite(change[number])} for number in range(len(places))]


def _changes(levels: dict[tuple, np.ndarray]) -> dict[tuple, np.ndarray]:
    """Return flux densities (N,), by image and kind, above those of quiet snapshots, Jy."""
    above = {key: np.zeros(len(level)) for key, level in levels.items()}
    bands: dict[tuple, dict[str, list[str]]] = {}
    for name, (stokes, *band) in levels:
        bands.setdefault(tuple(band), {}).setdefault(stokes, []).append(name)
    count = len(next(iter(levels.values()), ()))
    for band, names in bands.items():
        for number in range(count):
            change = changes({stokes: {name: float(levels[name, (stokes, *band)][number])
                                       for name in own} for stokes, own in names.items()})
            for stokes, curve in change.items():
                for name, flux in curve.items():
                    above[name, (stokes, *band)][number] = flux
    return above


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


def _without_strong(quiet: _Quiet, threshold: float, farm: Farm, without: Without) -> _Quiet:
    """Return images without the sources that are strong in a snapshot, which are found in them."""
    changed, noise = True, {}
    for _ in range(_CYCLES):
        known = quiet.sources
        changing: list[Direction] = []
        if changed:
            changing, noise = _strong_changes(quiet, farm)
        changed = bool(changing)
        constant = _strong_constants(quiet, changing, noise)
        if not changing and not constant:
            break
        for places, what in ((changing, "changing"), (constant, "constant")):
            if places:
                logger.info("%s of more than %g sigma of a snapshot, imaged again without: %s",
                            counted(len(places), f"{what} source"), STRONG, ", ".join(
                                position_names([place.ra for place in places],
                                               [place.dec for place in places])))
        sources = KnownSources((*known.changing, *changing), (*(
            place for place in known.constant if place not in changing), *constant))
        images = without(sources)
        quiet = _Quiet(images, _means(_snapshots(images), threshold, farm), sources)
    return quiet


def _strong_changes(quiet: _Quiet, farm: Farm) -> tuple[list[Direction], dict[tuple, float]]:
    """Return the places, not known yet, of sources that change most, the strongest first.

    Of each image the brightest counts, where it is half as bright as the brightest of all: what is
    fainter may be a sidelobe. And the median noise of images by kind, Jy/beam.
    """
    found: list[tuple[float, float, Direction]] = []
    noise: dict[tuple, list[float]] = {}
    tasks = quiet.with_changes()
    with Progress("images searched for what changes", len(tasks)) as progress:
        for outcome in farm.run(_StrongJob(quiet.means, quiet.sources.places), tasks):
            _refuse(outcome)
            progress.advance()
            image = outcome.task[0]
            sources, level = outcome.result
            noise.setdefault(image.kind, []).append(level)
            found += [(source.snr, image.beam, Direction(source.fit.ra, source.fit.dec))
                      for source in sources]
    brightest = max((one[0] for one in found), default=0.0)
    known = quiet.sources.changing
    places = _new_places([one for one in found if one[0] >= _BRIGHT * brightest], known,
                         MOST_CHANGING - len(known))
    return places, {kind: float(np.median(levels)) for kind, levels in noise.items()}


def _strong_constants(quiet: _Quiet, changing: Sequence[Direction], noise: dict[tuple, float]
                      ) -> list[Direction]:
    """Return the places, not known yet, of constant sources, the brightest in noise first."""
    found: list[tuple[float, float, Direction]] = []
    for kind, path in quiet.means.items():
        mean: MeanImage = pickle.loads(path.read_bytes())
        beam = 0.0 if mean.image.beam is None else mean.image.beam.major
        found += [(abs(peak) / noise[kind], beam, mean.image.geometry.direction(x, y))
                  for peak, x, y in mean.constant.T if abs(peak) >= STRONG * noise[kind]]
    return _new_places(found, (*quiet.sources.places, *changing),
                       MOST_CONSTANT - len(quiet.sources.constant))


def _new_places(found: Sequence[tuple[float, float, Direction]], known: Sequence[Direction],
                most: int) -> list[Direction]:
    """Return the places of those of S/N, beam (deg) and place that are not known, in order."""
    places: list[Direction] = []
    for _, beam, place in sorted(found, key=lambda one: (-one[0], one[2].ra, one[2].dec)):
        if len(places) >= most:
            break
        if not _is_near(place, (*known, *places), SAME_BEAMS * beam):
            places.append(place)
    return places


def _is_near(place: Direction, others: Iterable[Direction], within: float) -> bool:
    return any(separation(place, other) < within for other in others)


def _refuse(outcome) -> None:
    if outcome.error:
        raise ImagingError(f"the search for sources failed: {outcome.error}")
