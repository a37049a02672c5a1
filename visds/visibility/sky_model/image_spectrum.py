"""Spectra of the pixels of an image: sums over basis functions."""

import numpy as np


def spectral_basis(frequency: np.ndarray, terms: int, reference_frequency: float,
                   plane_frequency: np.ndarray) -> np.ndarray:
    """Return the basis functions b_k (K,F) at frequencies (F) in Hz.

    Of Taylor terms ((nu - nu0) / nu0)^k (Rau & Cornwell 2011, eq. 1); of the planes of a cube,
    whose frequencies (K) ascend, hat functions: a plane holds at its frequency and is interpolated
    linearly between two, and the outermost hold beyond.
    """
    frequency = np.asarray(frequency, float)
    if len(plane_frequency):
        return np.array([np.interp(frequency, plane_frequency, hat)
                         for hat in np.eye(len(plane_frequency))])
    x = (frequency - reference_frequency) / reference_frequency
    return x ** np.arange(terms)[:, np.newaxis]
