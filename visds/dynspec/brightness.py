"""Brightness temperature and radio luminosity of a star, from its radius and distance."""

import numpy as np

BOLTZMANN = 1.380649e-23  # J/K, exact (SI 2019)
SPEED_OF_LIGHT = 299792458.0  # m/s, exact
SOLAR_RADIUS = 6.957e8  # m, nominal (IAU 2015 Resolution B3)
PARSEC = 3.0856775814913673e16  # m, exact (IAU 2015 Resolution B2)
JANSKY = 1e-26  # W m-2 Hz-1
ERG = 1e-7  # J


def brightness_temperature(flux_density: np.ndarray | float, frequency: np.ndarray | float, *,
                           radius_solar: float, distance_pc: float) -> np.ndarray | float:
    """Return the brightness temperature in K of a disc that emits `flux_density` (Jy).

    T_B = S c^2 d^2 / (2 k nu^2 pi R^2): the Rayleigh-Jeans law S = 2 k T_B nu^2 Omega / c^2 with
    the solid angle Omega = pi R^2 / d^2 of the whole stellar disc. A source smaller than the disc
    is hotter, one larger is cooler. A negative flux density (Stokes V, noise) gives a negative
    temperature, NaN stays NaN.

    Parameters
    ----------
    flux_density : array
        In Jy, any shape that broadcasts with `frequency`.
    frequency : array
        In Hz.
    radius_solar : float
        Radius R of the emitting disc in nominal solar radii.
    distance_pc : float
        Distance d in pc.

    Raises
    ------
    ValueError
        If radius or distance is not positive.
    """
    if not (radius_solar > 0 and distance_pc > 0):
        raise ValueError(f"radius and distance must be positive, not {radius_solar} solar radii "
                         f"and {distance_pc} pc")
    solid_angle = np.pi * (radius_solar * SOLAR_RADIUS / (distance_pc * PARSEC)) ** 2
    return (flux_density * JANSKY * SPEED_OF_LIGHT**2
            / (2 * BOLTZMANN * np.asarray(frequency) ** 2 * solid_angle))


def radio_luminosity(flux_density: np.ndarray | float, *, distance_pc: float
                     ) -> np.ndarray | float:
    """Return L_nu = 4 pi d^2 S in erg / (s Hz): as if the star shone evenly into all directions.

    What is beamed into a solid angle W has W / 4 pi of it. NaN stays NaN.

    Parameters
    ----------
    flux_density : array
        In Jy, any shape.
    distance_pc : float
        Distance d in pc.

    Raises
    ------
    ValueError
        If the distance is not positive.
    """
    if not distance_pc > 0:
        raise ValueError(f"the distance must be positive, not {distance_pc} pc")
    return 4 * np.pi * (distance_pc * PARSEC) ** 2 * flux_density * JANSKY / ERG
