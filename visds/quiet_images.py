"""Images without what strong sources do to them, as work of the farm."""

import math
import pickle
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visds.core.catalogue import position_names
from visds.core.errors import ImagingError
from visds.core.farm import Farm, Outcome
from visds.core.files import whole_file
from visds.core.log import logger
from visds.core.plural import counted
from visds.core.progress import Progress
from visds.core.sky import Direction, separation
from visds.imaging.changing_source import KnownSources
from visds.imaging.find import FoundSource, beam_pixels, find_in, put_back
from visds.imaging.found_table import SAME_BEAMS
from visds.imaging.image import Image
from visds.imaging.local_noise import local_noise
from visds.imaging.quiet_level import changes
from visds.imaging.snapshot_difference import MeanImage, less_the_others, mean_image
from visds.waiting_image import WaitingImage, snapshots_by_kind

STRONG = 20.0
"""Signal to noise in a snapshot of a source that is taken out of the visibilities."""
MOST_CHANGING = 8
MOST_CONSTANT = 12  # each takes about one part in as many as there are baselines of all others
_CYCLES = 4
_BRIGHT = 0.5

Without = Callable[[KnownSources], list[WaitingImage]]
"""Makes the waiting snapshots once more, without sources."""


@dataclass(frozen=True)
class QuietImages:
    """Images, the files of their means by kind, and the sources that they are without."""

    images: list[WaitingImage]
    means: dict[tuple, Path]
    sources: KnownSources

    def with_changes(self) -> list[tuple[WaitingImage, np.ndarray]]:
        """Return each image with what its sources had above what they mostly have, Jy."""
        levels = {(image.name, image.kind): np.array(image.taken_out)
                  for images in snapshots_by_kind(self.images).values() for image in images}
        above = _changes(levels)
        return [(image, above.get((image.name, image.kind), np.zeros(0)))
                for image in self.images]


@dataclass(frozen=True, eq=False)
class LessTheOthers:
    """A snapshot, less the mean of the others, by how much that may be wrong; known sources."""

    whole: Image
    mean: MeanImage
    image: Image
    doubt: np.ndarray
    known: tuple[FoundSource, ...]


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
    """What changes most in a snapshot: its brightest source, if strong, and the median noise."""

    means: dict[tuple, Path]
    places: tuple[Direction, ...]

    def __call__(self, task: tuple[WaitingImage, np.ndarray]
                 ) -> tuple[tuple[FoundSource, ...], float]:
        waiting, change = task
        if waiting.kind not in self.means:
            return (), math.nan
        seen = less_the_other_snapshots(waiting, change, self.means, self.places)
        # Its own sidelobes are noise until it is taken out.
        found = find_in(seen.image, both_signs=True, doubt=seen.doubt, most=1)
        return tuple(source for source in found.sources if source.snr >= STRONG), found.noise


@dataclass(frozen=True)
class _LevelJob:
    """Flux densities at places in a snapshot itself, Jy (N,)."""

    means: dict[tuple, Path]
    places: list[Direction]

    def __call__(self, waiting: WaitingImage) -> np.ndarray:
        mean: MeanImage = pickle.loads(self.means[waiting.kind].read_bytes())
        return mean.flux_densities(waiting.read(), self.places)


def means_of(groups: dict[tuple, list[WaitingImage]], threshold: float, farm: Farm
             ) -> dict[tuple, Path]:
    """Return files of the mean images (`MeanImage`) of snapshots, by kind.

    Raises
    ------
    ImagingError
        If a mean cannot be made.
    """
    means: dict[tuple, Path] = {}
    for outcome in farm.run(_MeanJob(threshold), list(groups.values()), cost=len):
        refuse_failed(outcome)
        means[outcome.task[0].kind] = outcome.result
    return means


def less_the_other_snapshots(waiting: WaitingImage, change: np.ndarray, means: dict[tuple, Path],
                             places: tuple[Direction, ...]) -> LessTheOthers:
    """Return a snapshot less the mean of all others of its kind.

    `change` (N,) is what the sources at `places`, which all images are without, had in it above
    what they mostly have, Jy.
    """
    whole, mean = waiting.read(), pickle.loads(means[waiting.kind].read_bytes())
    if not places:
        return LessTheOthers(whole, mean, *less_the_others(whole, mean), ())
    pixels = np.array([whole.geometry.pixel(place) for place in places]).T
    image, doubt = less_the_others(whole, mean, np.array([waiting.taken_out - change, *pixels]))
    known, left = put_back(image, places, change, local_noise(image.values, beam_pixels(image)))
    return LessTheOthers(whole, mean, image, np.maximum(doubt, left), tuple(known))


def changes_at(places: list[Direction], quiet: QuietImages, farm: Farm) -> list[dict[tuple, float]]:
    """Return what is at places above what is there in quiet snapshots: Jy by kind and image."""
    if not places:
        return []
    images = [image for image in quiet.images if image.kind in quiet.means]
    levels = {}
    for outcome in farm.run(_LevelJob(quiet.means, places), images):
        refuse_failed(outcome)
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


def without_strong(quiet: QuietImages, threshold: float, farm: Farm,
                   without: Without) -> QuietImages:
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
        quiet = QuietImages(images, means_of(snapshots_by_kind(images), threshold, farm), sources)
    return quiet


def _strong_changes(quiet: QuietImages, farm: Farm) -> tuple[list[Direction], dict[tuple, float]]:
    """Return the places, not known yet, of sources that change most, the strongest first.

    Of each image the brightest counts, where it is half as bright as the brightest of all: what is
    fainter may be a sidelobe. And the median noise of images by kind, Jy/beam.
    """
    found: list[tuple[float, float, Direction]] = []
    noise: dict[tuple, list[float]] = {}
    tasks = quiet.with_changes()
    with Progress("images searched for what changes", len(tasks)) as progress:
        for outcome in farm.run(_StrongJob(quiet.means, quiet.sources.places), tasks):
            refuse_failed(outcome)
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


def _strong_constants(quiet: QuietImages, changing: Sequence[Direction], noise: dict[tuple, float]
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
        if not is_near(place, (*known, *places), SAME_BEAMS * beam):
            places.append(place)
    return places


def is_near(place: Direction, others: Iterable[Direction], within: float) -> bool:
    """Return whether a place is within so many degrees of any of the others."""
    return any(separation(place, other) < within for other in others)


def refuse_failed(outcome: Outcome) -> None:
    """Raise ImagingError where a job of the search has failed."""
    if outcome.error:
        raise ImagingError(f"the search for sources failed: {outcome.error}")
