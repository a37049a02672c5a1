"""Rotation measure synthesis: how much polarized flux density there is at each Faraday depth.

The direct sum of Brentjens & de Bruyn (2005, A&A 441, 1217) over channels of weight w = 1/sigma^2,
F(phi) = sum w (Q + iU) exp(-2i phi (lambda^2 - lambda_0^2)) / sum w, with lambda_0^2 the weighted
mean of lambda^2. Position angles are north through east and turn by RM lambda^2, so RM is positive
where the magnetic field comes towards the observer. What the ionosphere adds, up to some rad/m2,
is not taken off; polarization that leaks from I stands at a depth of zero.
"""

from dataclasses import dataclass

import numpy as np
from scipy import constants, optimize

from visds.dynspec.polarimetry.stokes_spectrum import StokesSpectrum

SEARCH_BIAS = 2.3
"""What the square of the highest of many |F| has too much, in sigma^2 (George et al. 2012)."""
_LEAST_CHANNELS = 3
_LOBES = 4


@dataclass(frozen=True, eq=False)
class FaradaySpectrum:
    """The Faraday dispersion function of a Stokes spectrum, and its highest peak.

    Attributes
    ----------
    phi : (N) array
        Faraday depth in rad/m2, evenly spaced about zero.
    dispersion : (N) complex array
        F(phi) in Jy; its argument is twice the position angle at `wavelength_squared`.
    rmtf_phi, rmtf : (2N+1) arrays
        Depths, and the response to a source at depth zero: 1 in the middle.
    wavelength_squared : float
        lambda_0^2 in m2, the weighted mean of the channels.
    noise : float
        Standard error of the real and of the imaginary part of F, in Jy.
    resolution, largest_scale, largest_depth : float
        Full width at half maximum of |rmtf|; scale in depth, pi / least lambda^2, beyond which
        sources are resolved out; depth at which the widest channel loses half (sqrt 3 / its width
        in lambda^2); in rad/m2.
    rm, rm_error : float
        Depth of the highest |F| and its standard error 1 / (2 S/N spread of lambda^2), in rad/m2.
    snr : float
        |F| there over `noise`.
    probability : float
        That noise alone has a peak of that `snr` anywhere on the axis `phi`.
    spread : float
        Root of the weighted variance of lambda^2 of the channels, in m2.
    flux_density : float
        L there in Jy, freed of the bias of a highest peak; its error is `noise`.
    angle, angle_error : float
        Position angle at `wavelength_squared`, in radians, -pi/2 to pi/2.
    intrinsic_angle, intrinsic_angle_error : float
        Position angle at wavelength zero, in radians, -pi/2 to pi/2.
    """

    phi: np.ndarray
    dispersion: np.ndarray
    rmtf_phi: np.ndarray
    rmtf: np.ndarray
    wavelength_squared: float
    noise: float
    resolution: float
    largest_scale: float
    largest_depth: float
    rm: float
    rm_error: float
    snr: float
    probability: float
    spread: float
    flux_density: float
    angle: float
    angle_error: float
    intrinsic_angle: float
    intrinsic_angle_error: float

    def snr_of(self, probability: float) -> float:
        """Return the signal to noise that noise alone reaches on the axis with a probability."""
        length = float(np.ptp(self.phi)) * self.spread
        return float(optimize.brentq(
            lambda snr: np.log(_noise_probability(snr, length) / probability), 0, 30))


def faraday_spectrum(stokes: StokesSpectrum, *, largest_rm: float | None = None,
                     oversampling: int = 8) -> FaradaySpectrum:
    """Return the Faraday dispersion function of Q and U, and its highest peak.

    Parameters
    ----------
    stokes : StokesSpectrum
        Of a mean or a burst. A channel without Q, U or an error is left out.
    largest_rm : float, optional
        End of the axis of depths in rad/m2, which has four resolutions at least; usually the depth
        at which position angles turn by a right angle from edge to edge of the widest channel,
        for beyond it even channels without gaps are ambiguous.
    oversampling : int
        Points on the resolution.

    Raises
    ------
    ValueError
        If there are fewer than three channels with Q and U.
    """
    (q, sigma_q), (u, sigma_u) = stokes.values("Q"), stokes.values("U")
    variance = (sigma_q**2 + sigma_u**2) / 2
    good = np.isfinite(q + u + variance) & (variance > 0)
    if np.sum(good) < _LEAST_CHANNELS:
        raise ValueError(f"RM synthesis needs {_LEAST_CHANNELS} channels with Stokes Q and U; "
                         f"there are {np.sum(good)}")
    squared, width = wavelength_squared(stokes.frequency[good], stokes.channel_width[good])
    weight = 1 / variance[good]
    weight = weight / weight.sum()
    noise = float(np.sqrt(np.sum(weight**2 * variance[good])))
    middle = float(np.sum(weight * squared))
    x = squared - middle
    spread = float(np.sqrt(np.sum(weight * x**2)))
    values = weight * (q[good] + 1j * u[good])
    end = float(largest_rm or np.pi / 2 / width.max())
    step = 3.8 / (np.ptp(squared) + width.max()) / oversampling
    number = max(int(np.ceil(end / step)), _LOBES * oversampling)
    phi, rmtf_phi = (step * np.arange(-n, n + 1) for n in (number, 2 * number + 1))
    dispersion, rmtf = _sums(values, x, step, number), _sums(weight, x, step, 2 * number + 1)
    highest = phi[np.argmax(np.abs(dispersion))]
    found = optimize.minimize_scalar(
        lambda depth: -abs(_sum(values, x, depth)), method="bounded",
        bounds=(highest - step, highest + step), options={"xatol": 1e-7 * step})
    rm, peak = float(found.x), _sum(values, x, found.x)
    snr = abs(peak) / noise
    flux_density = float(np.sqrt(max(snr**2 - SEARCH_BIAS, 0)) * noise)
    error = np.inf if flux_density == 0 else noise / (2 * flux_density)
    rm_error = error / spread
    angle = float(np.angle(peak) / 2)
    return FaradaySpectrum(
        phi=phi, dispersion=dispersion, rmtf_phi=rmtf_phi, rmtf=rmtf, wavelength_squared=middle,
        noise=noise, resolution=_full_width(rmtf_phi, np.abs(rmtf)),
        largest_scale=float(np.pi / squared.min()), largest_depth=float(np.sqrt(3) / width.max()),
        rm=rm, rm_error=float(rm_error), snr=float(snr),
        probability=_noise_probability(snr, 2 * phi[-1] * spread), spread=spread,
        flux_density=flux_density, angle=angle, angle_error=float(error),
        intrinsic_angle=float(_half_turn(angle - rm * middle)),
        intrinsic_angle_error=float(np.hypot(error, middle * rm_error)))


def wavelength_squared(frequency: np.ndarray, channel_width: np.ndarray
                       ) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of lambda^2 over each channel and its range from edge to edge, in m2."""
    low, high = frequency - channel_width / 2, frequency + channel_width / 2
    # The mean of 1/nu^2 between two frequencies is 1 over their product.
    return (constants.c**2 / (low * high),
            constants.c**2 * (1 / low**2 - 1 / high**2))


def _sum(values: np.ndarray, x: np.ndarray, phi: float) -> complex:
    return complex(np.sum(values * np.exp(-2j * phi * x)))


def _sums(values: np.ndarray, x: np.ndarray, step: float, number: int) -> np.ndarray:
    """Return the sums at the depths -number to number times `step`.

    A depth is one of a coarse and one of a fine grid: two small tables and a matrix product take
    the place of an exponential for each depth and channel.
    """
    block = int(np.sqrt(2 * number + 1)) + 1
    fine = np.exp(-2j * step * np.outer(x, np.arange(block)))
    starts = np.arange(-number, number + 1, block)
    coarse = values * np.exp(-2j * step * np.outer(starts, x))
    return (coarse @ fine).ravel()[:2 * number + 1]


def _full_width(phi: np.ndarray, response: np.ndarray) -> float:
    """Return the full width at half maximum of a symmetric response about phi = 0."""
    middle = len(phi) // 2
    below = np.flatnonzero(response[middle:] < 0.5)
    if not len(below):
        return float(np.ptp(phi))
    n = middle + below[0]
    return float(2 * np.interp(-0.5, [-response[n - 1], -response[n]], [phi[n - 1], phi[n]]))


def _noise_probability(snr: float, length: float) -> float:
    """Return the chance that noise reaches `snr` on an axis of depths.

    By the expected number of times that |F|, a Rayleigh process, comes up through that level (Rice
    1945); `length` is that of the axis times the spread of lambda^2: the rms of dF/dphi is twice
    the spread times that of F.
    """
    expected = np.exp(-snr**2 / 2) * (1 + 2 * length * snr / np.sqrt(2 * np.pi))
    return float(-np.expm1(-expected))


def _half_turn(angle: float) -> float:
    """Return an angle of an axis, in radians, from -pi/2 to pi/2."""
    return (angle + np.pi / 2) % np.pi - np.pi / 2
