"""Smearing: what averaging over an integration and a channel leaves of a point source.

During an integration the Earth's rotation changes the path difference u l + v m + w (n - 1) of a
source off the phase centre; over a channel the phase changes with frequency. Averages of the
turning phase are sinc(x) = sin(pi x) / (pi x) of its turns x over the integration and the channel
(Bridle & Schwab 1999, ASP Conf. 180, 371; Thompson, Moran & Swenson 2017, sec. 6.4).
"""

import numpy as np

from visds.core.sky import LIGHT_SPEED

EARTH_RATE = 7.292115147e-5
"""Rotation of the Earth against the ICRS in rad/s."""

TURNS = 0.25
"""Turns of the phase over an integration beyond which it is sampled: sinc(0.25) is 0.9."""


def smearing_factor(uvw: np.ndarray, cosines: np.ndarray, frequency: np.ndarray,
                    channel_width: np.ndarray, integration: np.ndarray,
                    declination: float) -> np.ndarray:
    """Return what is left of a source's visibilities after averaging, of either sign: (T,B,F).

    sinc(dnu tau) sinc(f dt), with the delay tau = (u l + v m + w (n - 1)) / c and the fringe rate
    f = (nu / c) omega [(w cos d - v sin d) l + u sin d m - u cos d (n - 1)]. At the phase centre it
    is 1. The path is taken to change linearly during the integration: the factor errs by less than
    (pi / 12) omega dt x, where x = omega dt |uvw| |(l, m, n - 1)| nu / c are the turns of the phase
    at most. The pole of the frame of `uvw` stands for that of date, which in 25 years moves by 0.14
    degrees: the factor errs by less than 0.004 x.

    Parameters
    ----------
    uvw : (T,B,3) m
        At the middle of each integration.
    cosines : (3)
        l, m and n - 1 of the source about the phase centre.
    frequency, channel_width : (F) Hz
        A channel is taken to weigh all its frequencies alike.
    integration : (T) s
    declination : float
        Of the phase centre, in the frame of uvw, deg.
    """
    cosines = np.asarray(cosines, float)
    path = uvw @ cosines / LIGHT_SPEED
    rate = EARTH_RATE / LIGHT_SPEED * (hour_angle_derivative(uvw, declination) @ cosines)
    turns = (rate * np.asarray(integration)[:, np.newaxis])[..., np.newaxis] * frequency
    return np.sinc(path[..., np.newaxis] * channel_width) * np.sinc(turns)


def hour_angle_derivative(uvw: np.ndarray, declination: float) -> np.ndarray:
    """Return the derivative (...,3) of uvw (...,3) by the hour angle in radians.

    (w cos d - v sin d, u sin d, -u cos d), d the declination of the phase centre in deg (Thompson,
    Moran & Swenson 2017, eq. 4.1).
    """
    sine, cosine = np.sin(np.radians(declination)), np.cos(np.radians(declination))
    u, v, w = np.moveaxis(np.asarray(uvw), -1, 0)
    return np.stack([w * cosine - v * sine, u * sine, -u * cosine], axis=-1)
