"""What is done to every chunk: a worker's share of the recipe."""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from visds.core.ahead import ahead
from visds.core.arrays import stored_key
from visds.core.errors import FormatError
from visds.core.log import logger
from visds.core.provenance import key
from visds.core.sky import Direction
from visds.core.track import Track
from visds.dynspec.block import make_blocks
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.flag import clip
from visds.dynspec.flag_settings import FlagSettings
from visds.dynspec.flagging.counts import FlagCounts, add_counts, count_flags
from visds.dynspec.flagging.interference import describe_flagger
from visds.dynspec.spectra_file import read_spectrum, write_spectra
from visds.flag_and_weigh import flag_and_weigh
from visds.target_models import TargetModels
from visds.visibility.amplitude import correct_smearing
from visds.visibility.chunk import VisibilityChunk, join
from visds.visibility.chunk_file import read_slabs, write_slabs
from visds.visibility.flagged_chunk import FlaggedChunk, path_of_flags, with_flags
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.plan import ChunkTask
from visds.visibility.read import SLAB_BYTES, Buffers, ChunkReader
from visds.visibility.sky_model.model_file import read_model
from visds.visibility.sky_model.predict import Method, subtracted

_BUFFERS = Buffers()  # of this rank, for one chunk after the other


@dataclass(frozen=True, eq=False)
class SubtractedData:
    """The visibilities of chunks with the sky model subtracted, wherever they come from.

    Chunk files in `folder` are used where their key is right, and the measurement set elsewhere.
    `model_file` holds the parts of the sky model (None: there is none), `columns` those that are
    subtracted on reading; `model_key` stands for all that is subtracted and how. `at_targets` is
    what of the model lies at the targets, subtracted in the files and not from what is read here.
    """

    folder: Path
    source_key: str
    model_file: Path | None
    columns: tuple[str, ...]
    model_key: str
    method: Method
    at_targets: TargetModels | None = None

    def key(self, task: ChunkTask) -> str:
        """Return the key of a chunk's visibilities, wherever the measurement set was moved."""
        anywhere = dataclasses.replace(task, source=dataclasses.replace(task.source, path=""))
        return key(self.source_key, anywhere, self.model_key)

    def path(self, task: ChunkTask) -> Path:
        """Return the name of a chunk's visibility file."""
        return self.folder / f"{task.name}.visibility.h5"

    def is_on_file(self, task: ChunkTask) -> bool:
        """Whether a chunk file of these very visibilities is there."""
        return stored_key(self.path(task), VisibilityChunk) == self.key(task)

    def slabs(self, task: ChunkTask, begin: int = 0, end: int | None = None,
              target: int | None = None) -> Iterator[VisibilityChunk]:
        """Yield the slabs of a chunk, of its integrations from `begin` to before `end`.

        From its file where that is there, and from where that is damaged on from the measurement
        set. With what the chunk's block has in flags and weights, and with the sources at targets,
        or at the `target` of a number alone, as in its spectrum.
        """
        for slab in with_flags(self._unflagged(task, begin, end), self.path(task), begin):
            if self.at_targets is None:
                yield slab
            elif target is None:
                yield self.at_targets.put_back(slab)
            else:
                yield self.at_targets.put_back_at(slab, target) or slab

    def _unflagged(self, task: ChunkTask, begin: int, end: int | None) -> Iterator[VisibilityChunk]:
        """Yield the slabs as they are in the chunk file or the measurement set."""
        if self.is_on_file(task):
            try:
                for slab in read_slabs(self.path(task), SLAB_BYTES, begin, end):
                    yield slab
                    begin += len(slab.time)
                return
            except FormatError as error:
                logger.warning("%s: what it holds is read from the measurement set again", error)
        # Slabs may still be worked on when the next chunk is begun: each has memory of its own.
        with self.read(task, Buffers(), begin=begin, end=end) as slabs:
            yield from slabs

    @contextlib.contextmanager
    def read(self, task: ChunkTask, buffers: Buffers, stages: int = 1, begin: int = 0,
             end: int | None = None) -> Iterator[Iterator[VisibilityChunk]]:
        """Yield the slabs of a chunk, of some integrations, out of the measurement set.

        `stages` is how many stages of `ahead` work on them (`ChunkReader.slabs`). All that reads
        is closed at the end, also where a slab cannot be used.
        """
        with MeasurementSet(task.source.path) as measurement_set:
            reader = ChunkReader(measurement_set, task, self.columns)
            slabs = reader.slabs(buffers, stages, begin, end)
            if self.model_file is not None:
                model = read_model(self.model_file, self.model_key)
                slabs = subtracted(slabs, reader.uvw[begin:end], model, self.method)
            yield slabs


@dataclass(frozen=True, eq=False)
class SubtractedChunk:
    """Integrations of a chunk, from `begin` to before `end`, to be read when they are needed.

    With the sources of the sky model at the first target, as in its spectrum.
    """

    data: SubtractedData
    task: ChunkTask
    begin: int = 0
    end: int | None = None

    def select_times(self, begin: int, end: int) -> "SubtractedChunk":
        """Return those of these integrations from `begin` to before `end`."""
        return SubtractedChunk(self.data, self.task, self.begin + begin, self.begin + end)

    def slabs(self) -> Iterator[VisibilityChunk]:
        """Yield the slabs, the sky model subtracted."""
        return self.data.slabs(self.task, self.begin, self.end, target=0)


@dataclass(frozen=True, eq=False)
class ChunkJob:
    """Makes one chunk's block, and its visibility file unless streaming.

    Of the `directions` the first `targets` are those whose bursts a flagger must leave alone.
    """

    data: SubtractedData
    directions: tuple[Direction | Track, ...]
    targets: int
    stokes: tuple[str, ...]
    correlations: tuple[str, ...]
    flags: FlagSettings
    stream: bool
    smearing_corrected: bool

    def __call__(self, task: ChunkTask) -> str:
        """Make one chunk and say what was done.

        The measurement set is not read if the visibilities are on file from an earlier run, and
        nothing is done if the block is. Files that are damaged are made again.
        """
        visibility_key = self.data.key(task)
        block_key = key(visibility_key, self.directions, self.targets, self.stokes,
                        self.correlations, self.flags, describe_flagger(self.flags),
                        self.smearing_corrected, self.data.at_targets)
        block_path = self.data.folder / f"{task.name}.block.h5"
        if stored_key(block_path, DynamicSpectrum) == block_key:
            with contextlib.suppress(FormatError):
                FlagCounts.read(path_of_counts(block_path))
                for number in range(len(self.directions)):
                    read_spectrum(block_path, number)
                return "reused"
        path = self.data.path(task)
        if self.data.is_on_file(task):
            with contextlib.suppress(FormatError):
                self._average(task, read_slabs(path, SLAB_BYTES), block_path, block_key)
                return "averaged again"
        with contextlib.ExitStack() as stack:
            slabs = stack.enter_context(self.data.read(task, _BUFFERS,
                                                       1 if self.stream else 2))
            if not self.stream:
                slabs = stack.enter_context(contextlib.closing(
                    write_slabs(path, slabs, len(task.time), visibility_key)))
            self._average(task, slabs, block_path, block_key)
        return "made"

    def _average(self, task: ChunkTask, slabs: Iterator[VisibilityChunk], path: Path,
                 block_key: str) -> None:
        """Write the block of a chunk, the dynamic spectra in all directions."""
        flagged = (clip(slab, self.flags) for slab in slabs)
        if self.flags.flagger != "none" or task.source.weights == "measured":
            flagged = self._flagged_and_weighed(task, flagged)
        else:
            path_of_flags(self.data.path(task)).unlink(missing_ok=True)
        counts: list[FlagCounts] = []
        own = self._own if self.data.at_targets is not None or self.smearing_corrected else None
        with contextlib.closing(ahead(_counted(flagged, counts))) as made:
            blocks = make_blocks(made, self.directions, self.stokes, self.correlations,
                                 self.data.folder, own)
            first = next(blocks)
            add_counts(counts).write(path_of_counts(path), block_key)
            write_spectra(path, itertools.chain([first], blocks), block_key)

    def _own(self, slab: VisibilityChunk, number: int) -> VisibilityChunk | None:
        """Return the slab that is averaged in a direction, None for the slab itself."""
        at_targets = self.data.at_targets
        own = None if at_targets is None else at_targets.put_back_at(slab, number)
        if self.smearing_corrected:
            return correct_smearing(slab if own is None else own, self.directions[number])
        return own

    def _flagged_and_weighed(self, task: ChunkTask, slabs: Iterator[VisibilityChunk],
                             ) -> Iterator[VisibilityChunk]:
        """Yield the slabs of a chunk after the stages that look at all of it at once.

        What they found is written beside the chunk file before, for its images.
        """
        length = 0

        def noted() -> Iterator[VisibilityChunk]:
            nonlocal length
            for slab in slabs:
                length = length or len(slab.time)
                yield slab

        is_weighed = task.source.weights == "measured"
        whole = flag_and_weigh(join(noted(), len(task.time)), self.directions[:self.targets],
                               self.flags, is_weighed)
        FlaggedChunk.of(whole, is_weighed).write(path_of_flags(self.data.path(task)))
        for begin in range(0, len(task.time), length):
            yield whole.select_times(begin, begin + length)


def path_of_counts(block_file: Path) -> Path:
    """Return the name of the file of flag counts beside a block."""
    return Path(str(block_file).replace(".block.h5", ".counts.h5"))


def _counted(slabs: Iterator[VisibilityChunk],
             counts: list[FlagCounts]) -> Iterator[VisibilityChunk]:
    """Yield slabs and note how many visibilities of each carry which flags."""
    for slab in slabs:
        counts.append(count_flags(slab))
        yield slab
