"""Places that cover a disc evenly, over which areas of any shape are counted."""

import numpy as np


def vogel_spiral(count: int) -> np.ndarray:
    """Return places (2, count) in the unit disc, each for an equal part of its area.

    Vogel (1979, Math. Biosci. 44, 179).
    """
    place = np.arange(count)
    angle = place * np.pi * (3 - np.sqrt(5))
    return np.sqrt((place + 0.5) / count) * np.stack([np.cos(angle), np.sin(angle)])
