"""The components of a model image, as the table that sky models are read from."""

import numpy as np
from astropy.table import QTable
from astropy.units import Hz, Jy, deg
from scipy import ndimage

from visds.imaging.geometry import Geometry


def component_table(terms: np.ndarray, geometry: Geometry, reference_frequency: float, *,
                    merge: bool = False) -> QTable:
    """Return the pixels of a model that are not zero as components, the brightest first.

    Columns: ra, dec (deg), I (Jy) at reference_frequency (Hz) and the other Taylor terms of I,
    taylor_1 and so on (Jy): I(nu) = I + taylor_1 (nu/nu0 - 1) + ... A spectral index would be
    tt1 / tt0 (Rau & Cornwell 2011, eq. 38), which pixels of noise have of some hundred.

    Parameters
    ----------
    terms : (K,Y,X) Jy/pixel
        Taylor terms.
    geometry : Geometry
    reference_frequency : float
        Hz.
    merge : bool
        Sum pixels that touch each other, corners included, at the mean position that their flux
        densities give. Groups without a positive sum stay as they are.
    """
    y, x = np.nonzero(terms.any(axis=0))
    values = terms[:, y, x].astype(float)
    place = np.stack([x, y]).astype(float)
    if merge and len(x):
        values, place = _merged(values, place, ndimage.label(terms.any(axis=0), np.ones((3, 3)))[0])
    order = np.argsort(-values[0], kind="stable")
    values, place = values[:, order], place[:, order]
    positions = [geometry.direction(*pixel) for pixel in place.T]
    table = QTable({
        "ra": np.array([position.ra for position in positions]) * deg,
        "dec": np.array([position.dec for position in positions]) * deg,
        "I": values[0] * Jy,
        "reference_frequency": np.full(len(positions), reference_frequency) * Hz}
        | {f"taylor_{k}": values[k] * Jy for k in range(1, len(values))})
    table.meta["description"] = ("components of a model cleaned by tclean; apparent flux "
                                 "densities, not corrected for the primary beam")
    return table


def _merged(values: np.ndarray, place: np.ndarray,
            labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values (K,N) and places (2,N) with those of one label, where positive, as one."""
    group = labels[place[1].astype(int), place[0].astype(int)]
    total = np.bincount(group, values[0])
    keeps = (total <= 0)[group]
    joined = np.unique(group[~keeps])
    sums = np.array([np.bincount(group, row)[joined] for row in values])
    means = np.array([np.bincount(group, row * values[0])[joined] for row in place]) / sums[0]
    # A pixel of negative flux density can pull the mean out of its group.
    low, high = (np.array([extremum(row, group, joined) for row in place])
                 for extremum in (ndimage.minimum, ndimage.maximum))
    means = np.clip(means, low, high)
    return (np.concatenate([values[:, keeps], sums], axis=1),
            np.concatenate([place[:, keeps], means], axis=1))
