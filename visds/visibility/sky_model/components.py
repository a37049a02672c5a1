"""Components of a sky model: points and Gaussians with spectra."""

from dataclasses import dataclass, field

import numpy as np

from visds.core.errors import SkyModelError
from visds.core.sky import Direction, convert_positions, direction_cosines

_CREDIBLE = 1000.0
_OCTAVE = 2.0


@dataclass(frozen=True, eq=False)
class ComponentModel:
    """Points and Gaussians; axis S counts them, K the terms of their spectra.

    Attributes
    ----------
    ra, dec : (S) float64
        ICRS position, deg.
    stokes : (S,4) float64
        I, Q, U, V at the reference frequency, Jy.
    reference_frequency : (S) float64
        Hz.
    spectral_terms : (S,K) float64
        Terms c of the spectrum of I. Where `is_logarithmic`
        S(nu) = S0 (nu / nu0)^(c0 + c1 log10(nu / nu0) + ...) for I, Q, U and V alike; elsewhere
        I(nu) = I0 + c0 (nu / nu0 - 1) + c1 (nu / nu0 - 1)^2 + ..., c in Jy, and Q, U and V keep
        their fraction of I (or their flux densities where I0 is 0). An array (S) is one term.
    is_logarithmic : (S) bool
        By default all.
    shape : (S,3) float64
        Full widths at half maximum along the major and minor axis, arcsec, and the position angle
        of the major axis, deg, north through east. Zeros are a point. By default all points.
    is_polarization_constant : (S) bool
        Whether Q, U and V are the same at all frequencies instead. By default none.
    """

    ra: np.ndarray
    dec: np.ndarray
    stokes: np.ndarray
    reference_frequency: np.ndarray
    spectral_terms: np.ndarray
    is_logarithmic: np.ndarray = field(default=None)
    shape: np.ndarray = field(default=None)
    is_polarization_constant: np.ndarray = field(default=None)

    def __post_init__(self):
        count = len(self.ra)
        terms = np.asarray(self.spectral_terms, float)
        object.__setattr__(self, "spectral_terms",
                           terms if terms.ndim == 2 else terms.reshape(count, 1))
        for name, default in (("is_logarithmic", np.ones(count, bool)),
                              ("shape", np.zeros((count, 3))),
                              ("is_polarization_constant", np.zeros(count, bool))):
            if getattr(self, name) is None:
                object.__setattr__(self, name, default)

    def __len__(self):
        return len(self.ra)

    def select(self, chosen: np.ndarray) -> "ComponentModel":
        """Return the components of an index or mask on axis S."""
        return ComponentModel(**{name: values[chosen] for name, values in vars(self).items()})

    def flux_density(self, frequency: np.ndarray) -> np.ndarray:
        """Return I, Q, U, V (4,S,F) in Jy at frequencies (F) in Hz."""
        ratio = np.asarray(frequency, float) / self.reference_frequency[:, np.newaxis]
        fraction = np.empty(ratio.shape)
        added = np.zeros(ratio.shape)
        logarithmic = self.is_logarithmic
        if logarithmic.any():
            fraction[logarithmic] = _power(ratio[logarithmic], self.spectral_terms[logarithmic])
        if not logarithmic.all():
            ordinary = ~logarithmic
            x = ratio[ordinary] - 1
            change = x * _polynomial(x, self.spectral_terms[ordinary])
            intensity = self.stokes[ordinary, :1]
            has_intensity = intensity != 0
            fraction[ordinary] = 1 + np.where(
                has_intensity, change / np.where(has_intensity, intensity, 1), 0)
            added[ordinary] = np.where(has_intensity, 0, change)
        flux = self.stokes.T[:, :, np.newaxis] * fraction
        flux[0] += added
        constant = self.is_polarization_constant
        flux[1:, constant] = self.stokes.T[1:, constant, np.newaxis]
        return flux

    def cosines(self, centre: Direction) -> np.ndarray:
        """Return l, m and n - 1 (S,3) about a phase centre, along the axes of its frame."""
        ra, dec = convert_positions(self.ra, self.dec, "ICRS", centre.frame)
        return direction_cosines(ra, dec, centre)


def check_spectra(model: ComponentModel, lowest: float, highest: float, origin: str = "") -> None:
    """Check that spectra are credible at the frequencies of the data, Hz.

    Raises
    ------
    SkyModelError
        If a component has there more than 1000 times its flux density at its reference frequency,
        by its logarithmic spectral terms; or if it has ordinary ones, which hold about the
        reference frequency only, and that is more than an octave off. `origin` is named.
    """
    band = f"data at {lowest / 1e6:.6g} to {highest / 1e6:.6g} MHz"
    reference = model.reference_frequency
    is_far = (~model.is_logarithmic & model.spectral_terms.any(axis=1)
              & ((lowest / reference > _OCTAVE) | (reference / highest > _OCTAVE)))
    if is_far.any():
        k = int(np.argmax(is_far))
        raise SkyModelError(
            f"sky model {origin}: component {k + 1} has a spectrum of Taylor terms about "
            f"{reference[k] / 1e6:.6g} MHz, more than an octave from {band}, where they mean "
            "nothing")
    with np.errstate(over="ignore", invalid="ignore"):
        flux = np.abs(model.flux_density(np.array([lowest, highest]))).max(axis=(0, 2))
    is_wrong = model.is_logarithmic & ~(flux <= _CREDIBLE * np.abs(model.stokes).max(axis=1))
    if is_wrong.any():
        k = int(np.argmax(is_wrong))
        raise SkyModelError(
            f"sky model {origin}: component {k + 1} has the spectral index "
            f"{model.spectral_terms[k, 0]:.6g} at {reference[k] / 1e6:.6g} MHz, more than "
            f"{_CREDIBLE:g} times its flux density at {band}")


def _power(ratio: np.ndarray, terms: np.ndarray) -> np.ndarray:
    """Return ratio^(c0 + c1 log10 ratio + ...) (S,F)."""
    if terms.shape[1] == 1:
        return ratio ** terms
    return ratio ** _polynomial(np.log10(ratio), terms)


def _polynomial(x: np.ndarray, terms: np.ndarray) -> np.ndarray:
    """Return c0 + c1 x + c2 x^2 + ... (S,F) of x (S,F) and terms (S,K)."""
    value = np.zeros_like(x)
    for term in terms.T[::-1]:
        value = value * x + term[:, np.newaxis]
    return value
