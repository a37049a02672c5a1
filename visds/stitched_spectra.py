"""The dynamic spectra of an observation in all its directions, stitched from the blocks."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from visds.core.ahead import ahead
from visds.core.errors import MeasurementSetError
from visds.core.sky import barycentric_time
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.primary_beam import correct_primary_beam
from visds.dynspec.robust_error import imaginary_inflation, off_source_inflation
from visds.dynspec.spectra_file import read_spectrum
from visds.dynspec.stitch import Axes, common_axes, stitch
from visds.observation import Observation
from visds.run_settings import AverageSettings
from visds.visibility.plan import ChunkTask

MOST_OFF_SOURCE = 16
"""Off-source directions from which the third error is measured."""


@dataclass(frozen=True, eq=False)
class StitchedSpectra:
    """The spectra of the blocks in a folder, each stitched when it is asked for.

    `tasks` are the chunks whose blocks are there; directions are counted as in the observation.
    """

    observation: Observation
    tasks: Sequence[ChunkTask]
    folder: Path
    _floors: dict[AverageSettings, np.ndarray | None] = field(default_factory=dict)

    def path(self, task: ChunkTask) -> Path:
        """Return the name of a chunk's block."""
        return self.folder / f"{task.name}.block.h5"

    def apparent(self, number: int) -> DynamicSpectrum:
        """Return the spectrum of a direction at full resolution, not corrected for the beam.

        Raises
        ------
        MeasurementSetError
            If every visibility is flagged.
        """
        blocks = (read_spectrum(self.path(task), number) for task in self.tasks)
        with contextlib.closing(ahead(blocks)) as read:
            spectrum = stitch(read, self._axes, self.observation.meta(number))
        if not spectrum.count.any():
            outside = spectrum.meta["flag_statistics"].get("uv_range", 0)
            raise MeasurementSetError(
                f"{self.observation.plan.description.path}: every visibility of this selection is "
                "flagged" + (f" ({outside:.0%} of them by --uv-min, --uv-max)" if outside else ""))
        spectrum = spectrum.replace(time_barycentre=barycentric_time(
            spectrum.time, self.observation.directions[number].direction,
            self.observation.plan.description.position))
        return self.observation.with_beam(spectrum)

    def product(self, apparent: DynamicSpectrum, number: int,
                average: AverageSettings) -> DynamicSpectrum:
        """Return the spectrum that a user wants: corrected for the beam if so, and in bins.

        What is off source is not corrected: it is there for its noise, which tells the third error
        of the targets.
        """
        spectrum = self._in_bins(apparent, number, average)
        inflation = imaginary_inflation(spectrum)
        if number < len(self.observation.targets) and (floor := self._floor(average)) is not None:
            inflation = np.maximum(inflation, floor)
        return spectrum.replace(inflation=inflation)

    def _floor(self, average: AverageSettings) -> np.ndarray | None:
        """Return the inflation (F,P) that the off-source directions ask for, None without any."""
        if average not in self._floors:
            first = len(self.observation.targets)
            numbers = range(first, len(self.observation.directions))[:MOST_OFF_SOURCE]
            self._floors[average] = off_source_inflation(
                self._in_bins(self.apparent(number), number, average) for number in numbers)
        return self._floors[average]

    def _in_bins(self, apparent: DynamicSpectrum, number: int,
                 average: AverageSettings) -> DynamicSpectrum:
        attenuation = self.observation.attenuation
        if attenuation is not None and number < len(self.observation.targets):
            power = attenuation.at(self.observation.directions[number].direction,
                                   apparent.frequency)
            apparent = correct_primary_beam(apparent, power)
        return apparent.rebin(time=average.time_bin, channel=average.channel_bin)

    def products(self, average: AverageSettings, first: int = 0) -> Iterator[DynamicSpectrum]:
        """Yield the spectra of the directions from `first` on as a user wants them."""
        for number in range(first, len(self.observation.directions)):
            yield self.product(self.apparent(number), number, average)

    @cached_property
    def _axes(self) -> Axes:
        return common_axes((task.time, task.integration, task.scan, task.source.frequency,
                            task.source.channel_width, task.source.spectral_window)
                           for task in self.observation.plan.tasks)
