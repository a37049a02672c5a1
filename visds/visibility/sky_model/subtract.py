"""The sky model taken out of the visibilities."""

from visds.visibility.chunk import VisibilityChunk
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.direct import add_components


def subtract(chunk: VisibilityChunk, model: ComponentModel) -> VisibilityChunk:
    """Return the chunk with the model's visibilities subtracted, in place.

    `chunk.visibility` is modified, and so takes no second copy in memory; the chunk returned is
    the one given. Flagged visibilities are subtracted from like all others, flags and weights
    stay as they are, and rows that the measurement set does not hold (flag ABSENT) stay zero.

    Raises
    ------
    ValueError
        If the visibilities cannot be written, as those of a file opened for reading.
    """
    if not chunk.visibility.flags.writeable:
        raise ValueError("the visibilities of the chunk are read-only; subtract works in place")
    add_components(chunk.visibility, -1.0, chunk, model)
    return chunk
