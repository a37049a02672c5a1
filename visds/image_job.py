"""What is done for each interval and band: its images made, cleaned, written and measured."""

import functools
from dataclasses import dataclass
from pathlib import Path

from visds.core.files import whole_file
from visds.core.log import logger
from visds.core.sky import Direction
from visds.imaging.changing_source import KnownSources, Removal
from visds.imaging.clean import Cleaned, clean_image
from visds.imaging.clean_settings import CleanSettings
from visds.imaging.dirty import Gridding, difference, make_dirty
from visds.imaging.find import cropped_response
from visds.imaging.fits_image import response_image, write_image
from visds.imaging.geometry import Geometry
from visds.imaging.image import Content, Image
from visds.imaging.imaged_data import read_pieces
from visds.imaging.intervals import Piece
from visds.imaging.measurement import measured
from visds.imaging.scratch_set import Observatory
from visds.imaging.stokes_visibility import UVRange, gather, group_bytes
from visds.waiting_image import WaitingImage, keep_image

QUIET = "quiet"
"""Folder of the images without strong sources, where images wait."""


@dataclass(frozen=True, eq=False)
class ImageTask:
    """The images of one interval and band; with `off`, also those of another and the difference."""

    name: str
    stokes: tuple[str, ...]
    on: tuple[Content, tuple[Piece, ...], tuple[float, float] | None]
    off: tuple[Content, tuple[Piece, ...], tuple[float, float] | None] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of visibilities that are read."""
        return sum(piece.nbytes for part in (self.on, self.off) if part for piece in part[1])


@dataclass(frozen=True, eq=False)
class Cleaning:
    """How images are cleaned, and what CASA is told of the array."""

    settings: CleanSettings
    observatory: Observatory


@dataclass(frozen=True)
class Waiting:
    """Where images wait for the search; of those that are cleaned, which of the two do."""

    folder: Path
    cleaned: bool


@dataclass(frozen=True, eq=False)
class ImageJob:
    """A worker's share of the recipe of images.

    With `cleaning` the images of intervals are cleaned, and their rows say how as `cleaned`;
    differences are those of dirty images. With `waiting` images are kept for the search: of a task
    with a difference that alone.
    """

    folder: Path
    geometry: Geometry
    gridding: Gridding
    uv_range: UVRange
    target: Direction
    headers: dict[str, str]
    pictures: bool
    psf: bool = False
    cleaning: Cleaning | None = None
    waiting: Waiting | None = None

    def __call__(self, task: ImageTask) -> tuple[list[dict], list[WaitingImage]]:
        """Make the images of a task; return their rows of the table and what is to be searched."""
        on = self._dirty(task.stokes, *task.on)
        searched = []
        shown = self._shown(on, task.on)
        rows = [self._written(image) for image in shown]
        if task.off is None:
            searched = shown if self.waiting and self.waiting.cleaned else on
        else:
            off = self._dirty(task.stokes, *task.off)
            rows += [self._written(image) for image in self._shown(off, task.off)]
            before = {image.stokes: image for image in off}
            name = task.name.replace("_on", "_difference")
            searched = [difference(image, before[image.stokes], name) for image in on
                        if image.stokes in before]
            rows += [self._written(image) for image in searched]
        kept = [keep_image(image, self.waiting.folder) for image in searched] \
            if self.waiting else []
        return rows, kept

    def without(self, task: ImageTask, sources: KnownSources) -> list[WaitingImage]:
        """Keep the images of a task once more, without sources; write nothing else."""
        made_of, parts, band = task.on
        removal = Removal(sources, self.geometry.centre)

        def groups():
            return removal.without(self._groups(task.stokes, parts, band))

        return [keep_image(image.replace(meta=self.headers), self.waiting.folder / QUIET,
                           removal.flux_densities(image.stokes))
                for image in make_dirty(groups, self.geometry, made_of, self.gridding)]

    def _groups(self, stokes: tuple[str, ...], parts: tuple[Piece, ...],
                band: tuple[float, float] | None):
        return gather(read_pieces(parts), stokes, self.geometry.centre, self.uv_range, band,
                      group_bytes(self.geometry.size))

    def _dirty(self, stokes: tuple[str, ...], made_of: Content, parts: tuple[Piece, ...],
               band: tuple[float, float] | None) -> list[Image]:
        return [image.replace(meta=self.headers) for image in make_dirty(
            lambda: self._groups(stokes, parts, band), self.geometry, made_of, self.gridding)]

    def _shown(self, dirty: list[Image], made_of: tuple) -> list[Image]:
        """Return the images that are products; write what only cleaned ones or responses have."""
        if self.psf:
            for image in dirty:
                write_image(response_image(image), self._path(image, "psf"))
        if self.cleaning is None:
            return dirty
        return [self._cleaned(image, *made_of[1:]) for image in dirty]

    def _cleaned(self, image: Image, parts: tuple[Piece, ...],
                 band: tuple[float, float] | None) -> Image:
        content = image.content
        made: Cleaned = clean_image(
            self._groups((image.stokes,), parts, band), self.geometry, self.gridding.weighting,
            self.cleaning.settings, observatory=self.cleaning.observatory, mjd=content.middle,
            frame=content.frame, scratch=self.folder,
            say=functools.partial(logger.info, "%s, Stokes %s: %s", content.name, image.stokes))
        meta = image.meta | {"CLEAN": made.summary}
        restored = image.replace(values=made.image, kind="cleaned", beam=made.beam, response=None,
                                 meta=meta)
        write_image(restored.replace(values=made.residual, kind="residual"),
                    self._path(image, "residual"))
        write_image(restored.replace(values=made.model, kind="model", beam=None,
                                     meta=meta | {"BUNIT": "Jy/pixel"}),
                    self._path(image, "model"))
        return restored

    def _written(self, image: Image) -> dict:
        path = self._path(image)
        write_image(image, path)
        # With or without all of the response the same is measured.
        row = measured(image.replace(response=cropped_response(image)), self.target, path.name)
        row["cleaned"] = image.meta.get("CLEAN", "")
        if self.pictures:
            from visds.imaging.plots import quick_look

            picture = quick_look(image, self.target, row["rms"])
            with whole_file(path.with_suffix(".png")) as part:
                part.write_bytes(picture)
        return row

    def _path(self, image: Image, kind: str = "") -> Path:
        name = f"{image.content.name}_{image.stokes}"
        return self.folder / (f"{name}.{kind}.fits" if kind else f"{name}.fits")


@dataclass(frozen=True, eq=False)
class QuietJob:
    """A worker's share of the images of snapshots without `sources`."""

    job: ImageJob
    sources: KnownSources

    def __call__(self, task: ImageTask) -> list[WaitingImage]:
        """Return the images of a task that are to be searched."""
        return self.job.without(task, self.sources)
