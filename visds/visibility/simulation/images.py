"""Background sources as Taylor-term images in Jy/pixel, written through casatools."""

import os
from collections.abc import Sequence

import numpy as np

from visds.core.casa import load_casatools
from visds.visibility.simulation.background import Background

_BORDER = 8  # pixels around the outermost source


def taylor_coefficients(flux_density: np.ndarray, spectral_index: np.ndarray,
                        terms: int) -> np.ndarray:
    """Return Taylor coefficients (terms, K) in Jy of power laws about the reference frequency.

    S(nu) = sum over k of c_k ((nu - nu0) / nu0)^k with c_k = S0 alpha (alpha - 1) ...
    (alpha - k + 1) / k!, the convention of CASA's multi-term images (Rau & Cornwell 2011, eq. 1).
    """
    coefficients = [np.asarray(flux_density, dtype=float)]
    for k in range(1, terms):
        coefficients.append(coefficients[-1] * (spectral_index - (k - 1)) / k)
    return np.array(coefficients[:terms])


def write_taylor_images(background: Background, phase_centre: tuple[float, float],
                        names: Sequence[str], folder: str | os.PathLike) -> None:
    """Write the Taylor-term images of the background into a folder, under a name for each term.

    SIN projection with the phase centre on a pixel centre, so that every source fills exactly the
    pixel that holds it.
    """
    coefficients = taylor_coefficients(background.flux_density, background.spectral_index,
                                       len(names))
    reach = int(np.abs(background.pixels).max(initial=0)) + _BORDER
    size = 2 * _good_half(reach)
    for k, name in enumerate(names):
        pixels = np.zeros((size, size, 1, 1))
        east, north = background.pixels.T
        pixels[size // 2 - east, size // 2 + north, 0, 0] = coefficients[k]
        _write_image(os.path.join(folder, name), pixels, background, phase_centre)


def _good_half(reach: int) -> int:
    """Return half an image size that is quick to Fourier transform, at least `reach`."""
    half = 1
    while half < reach:
        half *= 2
    return half * 3 // 4 if half * 3 // 4 >= reach else half


def _write_image(path: str, pixels: np.ndarray, background: Background,
                 phase_centre: tuple[float, float]) -> None:
    tools = load_casatools()
    coordinates, image = tools.coordsys(), tools.image()
    system = coordinates.newcoordsys(direction=True, spectral=True, stokes=["I"])
    try:
        system.setprojection("SIN")
        system.setunits(["rad", "rad", "", "Hz"])
        ra, dec = np.radians(phase_centre)
        centre = pixels.shape[0] // 2
        step = np.sin(np.radians(background.cell))
        system.setreferencecode("J2000", "direction", adjust=False)
        system.setreferencevalue([ra, dec], "direction")
        system.setreferencepixel([centre, centre], "direction")
        system.setincrement([-step, step], "direction")
        system.setreferencecode("TOPO", "spectral", adjust=False)
        system.setreferencevalue(background.reference_frequency, "spectral")
        system.setreferencepixel(0, "spectral")
        system.setincrement(0.1 * background.reference_frequency, "spectral")
        system.setrestfrequency(background.reference_frequency)
        image.fromarray(path, pixels=pixels, csys=system.torecord(), overwrite=False)
        image.setbrightnessunit("Jy/pixel")
    finally:
        image.close()
        system.done()
        coordinates.done()
