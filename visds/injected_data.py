"""The data that flares are put into: those of a run, in directions of their own."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visds.core.sky import Direction, direction_cosines
from visds.dynspec.block import make_block, make_blocks
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.flag import clip
from visds.dynspec.primary_beam import correct_primary_beam
from visds.dynspec.spectra_file import read_spectrum, write_spectra
from visds.dynspec.stitch import Axes, stitch
from visds.finished_run import FinishedRun
from visds.flag_and_weigh import flag_and_weigh
from visds.injection.flare import Flare
from visds.injection.visibilities import with_flares
from visds.visibility.amplitude import correct_smearing, target_power
from visds.visibility.chunk import VisibilityChunk, join
from visds.visibility.chunk_file import read_slabs
from visds.visibility.flagged_chunk import with_flags
from visds.visibility.primary_beam.beam import PrimaryBeam
from visds.visibility.read import SLAB_BYTES
from visds.visibility.sky_model.smearing import smearing_factor

TARGET, FIELD = "target", "field"


@dataclass(frozen=True)
class Place:
    """A direction in which flares are put, with its name; `kind` is target or field."""

    name: str
    direction: Direction
    kind: str = FIELD


@dataclass(frozen=True, eq=False)
class InjectedData:
    """The chunk files of a run, and the places that are looked at.

    Flux densities are divided by the power of `beam`, if there is one, about `pointing`. `scratch`
    holds blocks and spectra without flares while a program runs; nothing of the run is written.
    """

    run: FinishedRun
    places: tuple[Place, ...]
    scratch: Path
    beam: PrimaryBeam | None
    pointing: Direction
    smearing_corrected: bool

    def make_blocks(self, number: int) -> tuple:
        """Make the blocks of a chunk file in all directions; return its piece of the axes."""
        slabs = (clip(slab, self.run.flags) for slab in with_flags(
            read_slabs(self.run.files[number], SLAB_BYTES), self.run.files[number]))
        first = next(slabs)
        blocks = make_blocks(
            itertools.chain([first], slabs), [place.direction for place in self.places],
            self.run.stokes, self._correlations(first), self.scratch,
            self._own if self.smearing_corrected else None)
        block = next(blocks)
        write_spectra(self._block(number), itertools.chain([block], blocks))
        return (block.time, block.integration, int(block.scan[0]), block.frequency,
                block.channel_width, int(block.spectral_window[0]))

    def write_spectra(self, axes: Axes) -> None:
        """Write the spectra of all places without flares, from the blocks of all chunks."""
        write_spectra(self.spectra, (self.stitched(place, axes)
                                     for place in range(len(self.places))))

    @property
    def spectra(self) -> Path:
        """The file of the spectra without flares."""
        return self.scratch / "spectra.h5"

    def stitched(self, place: int, axes: Axes,
                 blocks: Mapping[int, DynamicSpectrum] | None = None) -> DynamicSpectrum:
        """Return the spectrum at a place, some blocks in the place of those without flares."""
        blocks = blocks or {}
        made = (blocks[number] if number in blocks else read_spectrum(self._block(number), place)
                for number in range(len(self.run.files)))
        spectrum = stitch(made, axes, self.run.meta | self._meta(place))
        if self.beam is None:
            return spectrum
        return correct_primary_beam(spectrum, self._power(place, spectrum.frequency))

    def through_visibilities(self, place: int, flares: Sequence[Flare], axes: Axes,
                             pieces: Sequence[tuple]) -> DynamicSpectrum:
        """Return the spectrum at a place of visibilities with flares, flagged, weighed and summed.

        The place is protected from the flagger as the targets are. `pieces` are those of the axes;
        chunks that no flare reaches are as they are without.
        """
        made = {}
        for number, (time, integration, _, frequency, *_) in enumerate(pieces):
            if any(len(flare.reach(time, integration, frequency)) for flare in flares):
                made[number] = self._block_with(number, place, flares, len(time))
        return self.stitched(place, axes, made)

    def _block_with(self, number: int, place: int, flares: Sequence[Flare],
                    integrations: int) -> DynamicSpectrum:
        direction = self.places[place].direction
        slabs = self._flared(number, place, flares)
        measured = self.run.meta["weights"] == "measured"
        if measured or self.run.flags.flagger != "none":
            protected = tuple(dict.fromkeys((*self.run.targets(), direction)))
            slabs = iter([flag_and_weigh(join(slabs, integrations), protected, self.run.flags,
                                         measured)])
        first = next(slabs)
        slabs = itertools.chain([first], slabs)
        if self.smearing_corrected:
            slabs = (correct_smearing(slab, direction) for slab in slabs)
        return make_block(slabs, direction, self.run.stokes, self._correlations(first))

    def _flared(self, number: int, place: int,
                flares: Sequence[Flare]) -> Iterator[VisibilityChunk]:
        """Yield the slabs of a chunk file with flares as they arrive, clipped."""
        direction = self.places[place].direction
        for slab in read_slabs(self.run.files[number], SLAB_BYTES):
            factor = np.ones(1)
            if self.beam is not None:
                factor = self._power(place, slab.frequency)
            if self.smearing_corrected:
                centre = Direction(*slab.phase_centre, slab.frame)
                there = direction.to(slab.frame)
                factor = factor * smearing_factor(
                    slab.uvw, direction_cosines(there.ra, there.dec, centre), slab.frequency,
                    slab.channel_width, slab.integration, centre.dec)
            yield clip(with_flares(slab, direction, flares, factor), self.run.flags)

    def _power(self, place: int, frequency: np.ndarray) -> np.ndarray:
        return target_power(self.beam, self.pointing, self.places[place].direction, frequency)

    def _own(self, slab: VisibilityChunk, place: int) -> VisibilityChunk:
        return correct_smearing(slab, self.places[place].direction)

    def _correlations(self, chunk: VisibilityChunk) -> tuple[str, ...]:
        wanted = self.run.correlations or chunk.correlations
        return tuple(label for label in chunk.correlations if label in wanted)

    def _block(self, number: int) -> Path:
        return self.scratch / f"{number:06d}.block.h5"

    def _meta(self, place: int) -> dict:
        there = self.places[place]
        return {"target": there.name, "role": there.kind, "ra_deg": there.direction.ra,
                "dec_deg": there.direction.dec}

