"""Visibilities of a sky model on the grid of a chunk."""

import numpy as np

from visds.visibility.chunk import VisibilityChunk
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.direct import add_components


def predict(chunk: VisibilityChunk, model: ComponentModel) -> np.ndarray:
    """Return the visibilities (T,B,F,P; complex64, Jy) of a model on the grid of a chunk.

    They are zero where the chunk has no visibility (flag ABSENT).
    """
    visibility = np.zeros_like(chunk.visibility)
    add_components(visibility, 1.0, chunk, model)
    return visibility
