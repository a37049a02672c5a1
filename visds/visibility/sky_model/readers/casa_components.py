"""Components out of a CASA component list, a casacore table such as NAME.cl."""

import math
import os

import numpy as np
from casacore import tables

from visds.core.errors import SkyModelError
from visds.core.polarization import stokes_of_correlation
from visds.core.sky import FRAMES
from visds.visibility.measurement_set import no_lock_files
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.readers.component import Component, component_model

_JANSKY = {"Jy": 1.0, "mJy": 1e-3, "uJy": 1e-6}
_BASES = {"stokes": None, "linear": ("XX", "XY", "YX", "YY"), "circular": ("RR", "RL", "LR", "LL")}
_SPECTRA = ("constant", "spectral index", "power logarithmic polynomial")
_COLUMNS = ("Flux", "Flux_Unit", "Flux_Polarisation", "Shape", "Reference_Direction",
            "Direction_Frame", "Shape_Parameters", "Spectrum_Shape", "Reference_Frequency",
            "Spectral_Parameters")


def read_casa_components(path: str | os.PathLike) -> ComponentModel:
    """Return the points and Gaussians of a CASA component list.

    Spectra are those that CASA predicts: a spectral index holds for I, Q, U and V alike; a power
    logarithmic polynomial, I(nu) = I0 (nu / nu0)^(c0 + c1 ln(nu / nu0) + ...), for I alone, Q, U
    and V being constant. The reference frequency is taken as it is, whatever its frame.

    Raises
    ------
    SkyModelError
        If it is not a component list, is empty, or has a component of another kind: which.
    """
    try:
        with no_lock_files(), tables.table(str(path), readonly=True, lockoptions="usernoread",
                                           ack=False) as table:
            rows = [{name: table.getcell(name, row) for name in (*_COLUMNS, *_optional(table))}
                    for row in range(table.nrows())]
    except RuntimeError as error:
        raise SkyModelError(f"sky model {path} cannot be read as a CASA component list: "
                            f"{str(error).splitlines()[0]}") from error
    if not rows:
        raise SkyModelError(f"sky model {path} has no components")
    return component_model([_component(row, f"sky model {path}: component {number}")
                            for number, row in enumerate(rows, 1)])


def _optional(table) -> tuple[str, ...]:
    return tuple({"Spectral_Record"} & set(table.colnames()))


def _component(row: dict, where: str) -> Component:
    shape, frame = row["Shape"].lower(), row["Direction_Frame"]
    if shape not in ("point", "gaussian"):
        raise SkyModelError(f"{where} is a {row['Shape']}, expected a Point or a Gaussian")
    if frame not in FRAMES:
        raise SkyModelError(f"{where} has its position in {frame}, expected one of "
                            f"{', '.join(FRAMES)}")
    frequency = float(row["Reference_Frequency"])
    stokes = _stokes(row, where)
    terms, is_constant = _spectrum(row, where)
    ra, dec = np.degrees(row["Reference_Direction"])
    widths = (0.0, 0.0, 0.0)
    if shape == "gaussian":
        major, minor, angle = map(float, row["Shape_Parameters"])
        widths = (3600 * math.degrees(major), 3600 * math.degrees(minor),
                  math.degrees(angle) % 180)
    numbers = [ra, dec, *stokes, frequency, *terms, *widths]
    if not np.all(np.isfinite(numbers)) or frequency <= 0 or min(widths) < 0:
        raise SkyModelError(f"{where} holds a number that is not finite, a reference frequency "
                            "that is not above 0, or a negative width")
    return Component(float(ra), float(dec), frame, stokes, frequency, terms, is_logarithmic=True,
                     is_polarization_constant=is_constant, shape=widths)


def _stokes(row: dict, where: str) -> np.ndarray:
    """Return I, Q, U, V in Jy."""
    unit, basis = row["Flux_Unit"], row["Flux_Polarisation"].lower()
    if unit not in _JANSKY:
        raise SkyModelError(f"{where} has the unit {unit}, expected one of {', '.join(_JANSKY)}")
    if basis not in _BASES:
        raise SkyModelError(f"{where} has its flux density as {row['Flux_Polarisation']}, expected "
                            "one of Stokes, Linear, Circular")
    flux = np.asarray(row["Flux"], complex)
    if _BASES[basis]:
        matrix = np.array([[stokes_of_correlation(label).get(name, 0) for name in "IQUV"]
                           for label in _BASES[basis]])
        flux = np.linalg.solve(matrix, flux)
    return flux.real * _JANSKY[unit]


def _spectrum(row: dict, where: str) -> tuple[list[float], bool]:
    """Return the logarithmic terms of the spectrum and whether Q, U and V are constant."""
    kind = row["Spectrum_Shape"].lower()
    if kind not in _SPECTRA:
        raise SkyModelError(f"{where} has a spectrum of the form {row['Spectrum_Shape']}, expected "
                            "Constant, Spectral Index or Power Logarithmic Polynomial")
    if kind == "constant":
        return [0.0], False
    if kind == "spectral index":
        of_stokes = np.ravel(row.get("Spectral_Record", {}).get("stokesindex", []))
        if np.any(of_stokes[1:]):
            raise SkyModelError(f"{where} has spectral indices of its polarization, expected one "
                                "for I, Q, U and V alike")
        return [float(row["Spectral_Parameters"][0])], False
    # From powers of the natural logarithm to those of log10.
    return [float(term) * math.log(10) ** power
            for power, term in enumerate(row["Spectral_Parameters"])], True
