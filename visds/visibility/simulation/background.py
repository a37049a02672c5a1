"""Background sources: drawn, predicted, and written as a table of components."""

import os
from dataclasses import dataclass

import numpy as np
from astropy import units
from astropy.table import Table

from visds.core.errors import SettingsError
from visds.core.files import whole_file
from visds.visibility.simulation.settings import FieldSettings
from visds.visibility.simulation.sky_geometry import direction_cosines, position_of_cosines

_CLEAR_OF_TARGET = 4  # pixels


@dataclass(frozen=True)
class Background:
    """Constant unpolarized sources on pixel centres of an image about the phase centre.

    Attributes
    ----------
    ra, dec : ndarray (K)
        Degrees.
    pixels : ndarray (K, 2)
        Whole pixels east and north of the phase centre.
    flux_density : ndarray (K)
        Stokes I at the reference frequency, Jy.
    spectral_index : ndarray (K)
    reference_frequency : float
        Hz.
    cell : float
        Pixel, degrees.
    """

    ra: np.ndarray
    dec: np.ndarray
    pixels: np.ndarray
    flux_density: np.ndarray
    spectral_index: np.ndarray
    reference_frequency: float
    cell: float

    def spectrum(self, frequency: np.ndarray) -> np.ndarray:
        """Return Stokes I in Jy (K, F) at frequencies (F) in Hz: power laws."""
        relative = np.asarray(frequency) / self.reference_frequency
        return self.flux_density[:, np.newaxis] * relative**self.spectral_index[:, np.newaxis]


def draw_background(settings: FieldSettings, phase_centre: tuple[float, float],
                    target: tuple[float, float], reference_frequency: float,
                    random: np.random.Generator) -> Background:
    """Return sources drawn from a power law of flux densities over a disc on the sky.

    The brightest has exactly the flux density asked for. Sources keep clear of the target by four
    pixels, and no two share a pixel.

    Raises
    ------
    SettingsError
        If the flux densities or the radius leave no room for the sources.
    """
    if settings.cell <= 0 or not 0 < settings.radius < 60:
        raise SettingsError("--cell and --radius must be positive, and --radius below 60 deg")
    if settings.sources and not 0 < settings.faintest <= settings.brightest:
        raise SettingsError(f"--faintest {settings.faintest:g} Jy must be positive and at most "
                            f"--brightest {settings.brightest:g} Jy")
    pixels = _draw_pixels(settings, phase_centre, target, random)
    cosines = np.sin(np.radians(settings.cell)) * pixels
    ra, dec = position_of_cosines(cosines[:, 0], cosines[:, 1], phase_centre)
    flux_density = _draw_flux_densities(settings, random)
    index = random.normal(settings.spectral_index, settings.spectral_index_scatter,
                          settings.sources)
    return Background(ra, dec, pixels, flux_density, index, reference_frequency, settings.cell)


def _draw_pixels(settings: FieldSettings, phase_centre: tuple[float, float],
                 target: tuple[float, float], random: np.random.Generator) -> np.ndarray:
    step = np.sin(np.radians(settings.cell))
    radius = np.sin(np.radians(settings.radius)) / step
    forbidden = direction_cosines(*target, phase_centre)[0, :2] / step
    taken: dict[tuple[int, int], None] = {}
    for _ in range(100 * settings.sources):
        if len(taken) == settings.sources:
            break
        distance, angle = radius * np.sqrt(random.random()), 2 * np.pi * random.random()
        pixel = np.round(distance * np.array([np.sin(angle), np.cos(angle)])).astype(int)
        if np.hypot(*(pixel - forbidden)) >= _CLEAR_OF_TARGET:
            taken[tuple(pixel.tolist())] = None
    if len(taken) < settings.sources:
        raise SettingsError(f"--sources: {settings.sources} do not fit within "
                            f"--radius {settings.radius * 60:g} arcmin at --cell "
                            f"{settings.cell * 3600:g} arcsec")
    return np.array(list(taken), dtype=int).reshape(-1, 2)


def _draw_flux_densities(settings: FieldSettings, random: np.random.Generator) -> np.ndarray:
    uniform = random.random(settings.sources)
    low, high = settings.faintest, settings.brightest
    power = 1 - settings.slope
    if settings.sources == 0:
        return uniform
    if abs(power) < 1e-6:
        drawn = low * (high / low)**uniform
    else:
        drawn = (low**power + uniform * (high**power - low**power))**(1 / power)
    drawn = np.sort(drawn)[::-1]
    drawn[0] = high
    return drawn


def write_components(background: Background, path: str | os.PathLike) -> None:
    """Write the sources as a component table: ra, dec, I, reference_frequency, spectral_index."""
    table = Table({
        "ra": background.ra * units.deg, "dec": background.dec * units.deg,
        "I": background.flux_density * units.Jy,
        "reference_frequency": np.full(background.ra.size,
                                       background.reference_frequency) * units.Hz,
        "spectral_index": background.spectral_index,
    })
    with whole_file(path) as part:
        table.write(part, format="ascii.ecsv", overwrite=True)
