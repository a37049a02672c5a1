"""One component as a list has it, and the model of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visds.core.sky import ICRS_NAMES
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.readers.to_icrs import to_icrs


@dataclass(frozen=True)
class Component:
    """What `ComponentModel` holds of one component; its position and angle are in `frame`."""

    ra: float
    dec: float
    frame: str
    stokes: Sequence[float]
    reference_frequency: float
    spectral_terms: Sequence[float]
    is_logarithmic: bool
    is_polarization_constant: bool
    shape: tuple[float, float, float] = (0.0, 0.0, 0.0)


def component_model(components: Sequence[Component]) -> ComponentModel:
    """Return the model of components (at least one), in the ICRS, their spectra of one length."""
    ra, dec = (np.array([getattr(one, name) for one in components]) for name in ("ra", "dec"))
    shape = np.array([one.shape for one in components])
    frames = np.array([one.frame for one in components])
    for frame in set(frames.tolist()) - set(ICRS_NAMES):
        its = frames == frame
        ra[its], dec[its], shape[its] = to_icrs(ra[its], dec[its], shape[its], frame)
    terms = np.zeros((len(components), max(1, *(len(one.spectral_terms) for one in components))))
    for row, one in enumerate(components):
        terms[row, :len(one.spectral_terms)] = one.spectral_terms
    return ComponentModel(
        ra=ra % 360, dec=dec, stokes=np.array([one.stokes for one in components]),
        reference_frequency=np.array([one.reference_frequency for one in components]),
        spectral_terms=terms, shape=shape,
        is_logarithmic=np.array([one.is_logarithmic for one in components]),
        is_polarization_constant=np.array([one.is_polarization_constant for one in components]))
