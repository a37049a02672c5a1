"""What is done to the flags and weights of a chunk that is held whole."""

from collections.abc import Sequence

from visds.core.sky import Direction
from visds.core.track import Track
from visds.dynspec.flag_settings import FlagSettings
from visds.dynspec.flagging.interference import flag_interference
from visds.dynspec.flagging.protect import without_bursts
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.measured_weights import measure_weights


def flag_and_weigh(chunk: VisibilityChunk, protected: Sequence[Direction | Track],
                   flags: FlagSettings, measured: bool) -> VisibilityChunk:
    """Return the chunk with the flags of the flagger and, if `measured`, weights of its scatter.

    Bursts in the directions `protected` are neither flagged nor taken for noise.
    """
    chunk = flag_interference(chunk, protected, flags)
    if not measured:
        return chunk
    # A burst changes from one integration to the next as noise does.
    quiet = chunk.replace(visibility=without_bursts(
        chunk, protected, significant_only=True))
    return chunk.replace(weight=measure_weights(quiet).weight)
