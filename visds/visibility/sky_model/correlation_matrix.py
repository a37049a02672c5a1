"""From Stokes parameters on the sky to correlations as feeds see them."""

import numpy as np

from visds.core.polarization import stokes_of_correlation


def correlation_matrix(correlations: tuple[str, ...], feed_angle: np.ndarray) -> np.ndarray:
    """Return what makes correlations of I, Q, U, V on the sky: (T,P,4) complex.

    Feeds at the angle a see Q cos 2a + U sin 2a and U cos 2a - Q sin 2a.
    """
    cosine, sine = np.cos(2 * feed_angle), np.sin(2 * feed_angle)
    matrix = np.zeros((len(feed_angle), len(correlations), 4), complex)
    for p, label in enumerate(correlations):
        factor = {name: 0 for name in "IQUV"} | stokes_of_correlation(label)
        matrix[:, p, 0], matrix[:, p, 3] = factor["I"], factor["V"]
        matrix[:, p, 1] = factor["Q"] * cosine - factor["U"] * sine
        matrix[:, p, 2] = factor["Q"] * sine + factor["U"] * cosine
    return matrix
