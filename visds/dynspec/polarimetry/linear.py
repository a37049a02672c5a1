"""Linear polarization: flux density without the bias of noise, position angle, ellipticity.

L = sqrt(Q^2 + U^2) is never below zero, so noise raises it. To first order by the error b across
the direction of (Q, U) on their plane: <L> = L_true + b^2 / (2 L_true). Hence sqrt(L^2 - b^2)
(Wardle & Kronberg 1974, ApJ 194, 249), with the b of unequal errors of Q and U of Montier et al.
(2015, A&A 574, A136). The error of L is that along the direction, that of the angle comes from b.

What is left of the bias is below 0.04 sigma where L is above 2 sigma (Q and U of equal errors), but
noise alone still averages to 0.76 sigma. So flux densities of L are not to be averaged: average Q
and U, then make L.
"""

import numpy as np

LEAST_SNR = 3.0
"""Signal to noise of the polarized flux density below which no angle is given."""


def polarized_flux_density(q: np.ndarray, u: np.ndarray, sigma_q: np.ndarray, sigma_u: np.ndarray
                           ) -> tuple[np.ndarray, np.ndarray]:
    """Return L, freed of the noise's bias, and its standard error, in the unit of Q and U.

    Arrays of one shape. L is 0 where sqrt(Q^2 + U^2) is below the noise, and not NaN: what is left
    would be the upward fluctuations. NaN where Q, U or an error is. The errors of Q and U are taken
    to be independent.
    """
    raw = np.hypot(q, u)
    along, across = _variances(q, u, sigma_q, sigma_u)
    return np.sqrt(np.maximum(raw**2 - across, 0)), np.sqrt(along)


def polarization_angle(q: np.ndarray, u: np.ndarray, sigma_q: np.ndarray, sigma_u: np.ndarray,
                       least_snr: float = LEAST_SNR) -> tuple[np.ndarray, np.ndarray]:
    """Return the position angle (1/2) arg(Q + iU) and its standard error, in radians.

    North through east, above -pi/2 and up to pi/2. NaN where L is below `least_snr` times its
    error: there the angle has no Gaussian error.
    """
    flux_density, sigma = polarized_flux_density(q, u, sigma_q, sigma_u)
    _, across = _variances(q, u, sigma_q, sigma_u)
    seen = (flux_density > 0) & (flux_density >= least_snr * sigma)
    divisor = np.where(seen, flux_density, np.nan)
    return (np.where(seen, np.arctan2(u, q) / 2, np.nan), np.sqrt(across) / divisor / 2)


def ellipticity(q: np.ndarray, u: np.ndarray, v: np.ndarray, sigma_q: np.ndarray,
                sigma_u: np.ndarray, sigma_v: np.ndarray, least_snr: float = LEAST_SNR
                ) -> tuple[np.ndarray, np.ndarray]:
    """Return the angle of ellipticity (1/2) arctan(V / L) and its standard error, in radians.

    From -pi/4 to pi/4, with the sign of V; L is freed of its bias. NaN where the polarized flux
    density sqrt(L^2 + V^2) is below `least_snr` times its error.
    """
    return ellipticity_of(*polarized_flux_density(q, u, sigma_q, sigma_u), v, sigma_v, least_snr)


def ellipticity_of(linear: np.ndarray, sigma_l: np.ndarray, v: np.ndarray, sigma_v: np.ndarray,
                   least_snr: float = LEAST_SNR) -> tuple[np.ndarray, np.ndarray]:
    """Return what `ellipticity` does, of an L that is freed of its bias, and its error."""
    total = np.hypot(linear, v)
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.hypot(linear * sigma_l, v * sigma_v) / total
        error = np.hypot(linear * sigma_v, v * sigma_l) / total**2 / 2
    seen = (total > 0) & (total >= least_snr * sigma)
    return np.where(seen, np.arctan2(v, linear) / 2, np.nan), np.where(seen, error, np.nan)


def _variances(q: np.ndarray, u: np.ndarray, sigma_q: np.ndarray, sigma_u: np.ndarray
               ) -> tuple[np.ndarray, np.ndarray]:
    """Return the variances along and across the direction of (Q, U); their means at the origin."""
    squared = np.square(q) + np.square(u)
    share = np.divide(np.square(q), squared, out=np.full(np.shape(squared), 0.5),
                      where=squared > 0)
    var_q, var_u = np.square(sigma_q), np.square(sigma_u)
    # A NaN of Q or U is one of both, whatever its place.
    nan = 0 * squared
    return (share * var_q + (1 - share) * var_u + nan, (1 - share) * var_q + share * var_u + nan)
