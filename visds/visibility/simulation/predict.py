"""Visibilities of points on the sky, exactly, in double precision."""

import numpy as np

SPEED_OF_LIGHT = 299792458.0


def fringes(delay: np.ndarray, first: np.ndarray, step: float, channels: int) -> np.ndarray:
    """Return exp(+2 pi i nu tau) for evenly spaced frequencies.

    The phase is split into a coarse and a fine grid of channels, whose product is exact: the cost
    is one multiplication, not one exponential, per sample.

    Parameters
    ----------
    delay : ndarray (N)
        (u l + v m + w (n - 1)) / c, s.
    first : ndarray (N)
        Frequency of the first channel, Hz.
    step : float
        From a channel to the next, Hz, of either sign.
    channels : int

    Returns
    -------
    ndarray (N, F) complex128
    """
    fine = max(1, int(np.sqrt(channels)))
    coarse = -(-channels // fine)
    turn = 2j * np.pi * delay[:, np.newaxis]
    grid = np.exp(turn * (first[:, np.newaxis] + step * fine * np.arange(coarse)))
    grid = grid[:, :, np.newaxis] * np.exp(turn * step * np.arange(fine))[:, np.newaxis, :]
    return grid.reshape(delay.size, coarse * fine)[:, :channels]


def delays(uvw: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    """Return delays in s (N) of a direction (l, m, n - 1) on baselines uvw (N, 3) in m."""
    return uvw @ cosines / SPEED_OF_LIGHT


def turn_to_feed(stokes: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Return Stokes parameters as feeds turned by an angle see them.

    Q_feed = Q cos 2a + U sin 2a, U_feed = U cos 2a - Q sin 2a, a the position angle of the first
    receptor on the sky, north through east. I and V stay.

    Parameters
    ----------
    stokes : ndarray (T, F, 4)
        I, Q, U, V.
    angle : ndarray (T)
        Radians.

    Returns
    -------
    ndarray (T, F, 4)
    """
    cosine, sine = (f(2 * angle)[:, np.newaxis] for f in (np.cos, np.sin))
    intensity, q, u, v = np.moveaxis(stokes, -1, 0)
    return np.stack([intensity, q * cosine + u * sine, u * cosine - q * sine, v], axis=-1)


def swap_dipoles(stokes: np.ndarray) -> np.ndarray:
    """Return Stokes parameters (..., 4) as recorded where the X and Y dipoles are exchanged.

    Q and V change sign, U does not, whether the correlations are made linear or circular (Das et
    al. 2020, arXiv:2004.08542): RR and LL change places, RL becomes -LR.
    """
    return stokes * np.array([1.0, -1.0, 1.0, -1.0])


def correlations_of_stokes(stokes: np.ndarray, correlations: tuple[str, ...]) -> np.ndarray:
    """Return visibilities (..., P) of a point at the phase centre from its I, Q, U, V (..., 4).

    RR = I+V, LL = I-V, RL = Q+iU, LR = Q-iU; XX = I+Q, YY = I-Q, XY = U+iV, YX = U-iV (IAU/IEEE
    sign of V; Hamaker & Bregman 1996).
    """
    intensity, q, u, v = np.moveaxis(stokes, -1, 0)
    products = {"RR": intensity + v, "LL": intensity - v, "RL": q + 1j * u, "LR": q - 1j * u,
                "XX": intensity + q, "YY": intensity - q, "XY": u + 1j * v, "YX": u - 1j * v}
    return np.stack([products[name].astype(complex) for name in correlations], axis=-1)
