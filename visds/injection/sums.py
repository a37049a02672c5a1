"""Flares added to the sums of a dynamic spectrum, as if they had been in the visibilities."""

from collections.abc import Sequence

import numpy as np

from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.injection.flare import Flare

_CHANGED = ("sum_wv", "sum_w2v", "sum_w2v2", "sum_w2_cross")


def add_flares(spectrum: DynamicSpectrum, flares: Sequence[Flare]) -> DynamicSpectrum:
    """Return the spectrum of the same visibilities with flares in its direction.

    A point source of flux density S is S in every visibility that is turned to its direction: with
    the weights and flags as they are, the sums over w (V + S) follow from those over w V, up to
    rounding. What flags and weights would have been with the flare is not in it; nor is what
    averaging over channels and integrations takes of a source far from the phase centre.
    """
    made = {name: getattr(spectrum, name).copy() for name in _CHANGED}
    for flare in flares:
        times = flare.reach(spectrum.time, spectrum.integration, spectrum.frequency)
        profile = flare.profile(spectrum.time[times], spectrum.integration[times],
                                spectrum.frequency, spectrum.channel_width)
        before = _without_cross(spectrum, made, times)
        for p, label in enumerate(spectrum.polarizations):
            added = flare.of(label) * profile
            cells = times, slice(None), p
            w, w2 = spectrum.sum_w[cells], spectrum.sum_w2[cells]
            made["sum_w2v2"][cells] += added * (2 * made["sum_w2v"][cells].real + w2 * added)
            made["sum_w2v"][cells] += w2 * added
            made["sum_wv"][cells] += w * added
        made["sum_w2_cross"][times] += _without_cross(spectrum, made, times) - before
    return spectrum.replace(**made)


def _without_cross(spectrum: DynamicSpectrum, made: dict[str, np.ndarray],
                   times: np.ndarray) -> np.ndarray | float:
    """Return what the empirical covariance of the parallel hands takes off `sum_w2_cross`.

    A constant leaves the covariance as it is, so the one changes with the other.
    """
    if not spectrum.has_parallel_pair:
        return 0.0
    i = spectrum.index("I")
    p = spectrum.index("V" if "RR" in spectrum.parallel_hands else "Q")
    mean_i, mean_p = (
        made["sum_wv"][times][..., k] / np.where(spectrum.sum_w[times][..., k] > 0,
                                                 spectrum.sum_w[times][..., k], 1) for k in (i, p))
    return ((mean_i.conj() * made["sum_w2v"][times][..., p]).real
            + (mean_p.conj() * made["sum_w2v"][times][..., i]).real
            - (mean_i.conj() * mean_p).real * spectrum.sum_w2[times][..., i])
