"""The dynamic spectrum as a FITS file: flux density with its coordinates, errors and flags."""

import os
from collections.abc import Iterable, Sequence

import numpy as np
from astropy.io import fits

from visds.core.files import whole_file
from visds.core.flags import Flag
from visds.core.polarization import STOKES
from visds.core.version import __version__
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.universal_time import date_and_time

DAY = 86400.0
WCS_TABLE = "WCS-TABLE"
# Names of frames in measurement sets and in FITS (Greisen et al. 2006, table 12).
SPECTRAL_FRAMES = {"TOPO": "TOPOCENT", "LSRK": "LSRK", "LSRD": "LSRD", "BARY": "BARYCENT",
                   "GEO": "GEOCENTR", "GALACTO": "GALACTOC", "LGROUP": "LOCALGRP",
                   "CMB": "CMBDIPOL", "REST": "SOURCE"}


def write_fits(spectra: Iterable[DynamicSpectrum], path: str | os.PathLike) -> None:
    """Write dynamic spectra as FITS images of axes TIME, FREQ, STOKES, and tables of the axes.

    The images, (STOKES, FREQ, TIME) in numpy's order, are the flux density in Jy (primary, NaN
    where flagged), SIGMA (Jy), RESIDUAL (the imaginary part, Jy), FLAGS (bits of
    `visds.core.flags`) and NVIS (number of visibilities). Stokes parameters have the codes 1 to 4
    of I Q U V; one that the data do not hold is a plane of NaN where the code needs it. Frequency
    and time are linear coordinates if the cells are equidistant, else looked up in the table
    WCS-TABLE (algorithm -TAB; Greisen et al. 2006, A&A 446, 747). Times are seconds since MJDREF
    (Rots et al. 2015, A&A 574, A36). The tables TIME and FREQUENCY hold the axes as they are.
    The same spectrum gives the same bytes on every day.

    Of several directions the second has the same as extensions of EXTVER 2, its flux density in
    FLUX, and so on; one is in memory at a time.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with whole_file(path) as part:
        for version, spectrum in enumerate(spectra, start=1):
            hdus = _hdus(spectrum, version)
            if version == 1:
                fits.HDUList(hdus).writeto(part, overwrite=True)
                continue
            for hdu in hdus:
                hdu.header["EXTVER"] = version
                fits.append(part, hdu.data, hdu.header, verify=False)


def _hdus(spectrum: DynamicSpectrum, version: int) -> list:
    """Return the images and tables of a direction."""
    codes, planes = _stokes_planes(spectrum)
    reference = float(np.floor(spectrum.time.min()))
    seconds = (spectrum.time - reference) * DAY
    header, lookup = _coordinates(spectrum, codes, reference, seconds, version)
    flux_density = _image(spectrum.flux_density, planes, np.nan, "f4")
    first = fits.PrimaryHDU(flux_density) if version == 1 else fits.ImageHDU(flux_density,
                                                                             name="FLUX")
    first.header.update(_observation(spectrum))
    first.header["BUNIT"] = ("Jy", "flux density: real part of the weighted mean")
    first.header.update(header)
    hdus: list = [first]
    images: list[tuple[str, np.ndarray, float, str, str]] = [
        ("SIGMA", spectrum.sigma, np.nan, "f4", "Jy"),
        ("RESIDUAL", spectrum.residual, np.nan, "f4", "Jy"),
        ("FLAGS", spectrum.flags, int(Flag.EMPTY), "i2", ""),
        ("NVIS", spectrum.count, 0, "i4", "")]
    for name, values, missing, dtype, unit in images:
        image = fits.ImageHDU(_image(values, planes, missing, dtype), name=name)
        if unit:
            image.header["BUNIT"] = unit
        image.header.update(header)
        if name == "FLAGS":
            for flag in (flag for flag in Flag if flag != Flag.COUPLED):  # which is of no cell
                image.header[f"FLAG{int(flag)}"] = (str(flag.name), "bit of this value")
        hdus.append(image)
    hdus += [_time_table(spectrum), _frequency_table(spectrum)]
    if lookup:
        table = fits.BinTableHDU.from_columns(lookup, name=WCS_TABLE)
        table.header["EXTVER"] = 1
        hdus.append(table)
    return hdus


def _stokes_planes(spectrum: DynamicSpectrum) -> tuple[list[int], list[int | None]]:
    """Return equidistant Stokes codes, and for each the place on axis P or None."""
    place = {STOKES.index(label) + 1: p for p, label in enumerate(spectrum.polarizations)}
    codes = sorted(place)
    if not _is_linear(np.array(codes, float), 0.0):
        codes = list(range(codes[0], codes[-1] + 1))
    return codes, [place.get(code) for code in codes]


def _image(values: np.ndarray, planes: Sequence[int | None], missing: float,
           dtype: str) -> np.ndarray:
    """Return values (T,F,P) as an image (STOKES, FREQ, TIME)."""
    T, F, _ = values.shape
    image = np.full((len(planes), F, T), missing, dtype)
    for row, place in enumerate(planes):
        if place is not None:
            image[row] = values[..., place].T
    return image


def _observation(spectrum: DynamicSpectrum) -> fits.Header:
    meta, half = spectrum.meta, spectrum.integration / DAY / 2
    start, stop = np.min(spectrum.time - half), np.max(spectrum.time + half)
    header = fits.Header()
    header["OBJECT"] = _ascii(meta.get("target", ""))
    if "ra_deg" in meta and "dec_deg" in meta:
        header["RA"] = (float(meta["ra_deg"]), "[deg] right ascension, ICRS")
        header["DEC"] = (float(meta["dec_deg"]), "[deg] declination, ICRS")
        header["RADESYS"] = "ICRS"
    header["TELESCOP"] = _ascii(meta.get("telescope", ""))
    header["ORIGIN"] = (f"visds {__version__}", "program that wrote this file")
    header["TIMESYS"] = ("UTC", "scale of all times but TIME_BARYCENTRE")
    header["TREFPOS"] = ("TOPOCENTER", "times are those at the telescope")
    for key, mjd in (("BEG", start), ("END", stop)):
        header[f"DATE-{key}"] = date_and_time(mjd)
        header[f"MJD-{key}"] = float(mjd)
    return header


def _coordinates(spectrum: DynamicSpectrum, codes: list[int], reference: float,
                 seconds: np.ndarray, version: int) -> tuple[fits.Header, list[fits.Column]]:
    """Return the world coordinates of the images and the columns that -TAB axes look up."""
    header, lookup = fits.Header(), []
    header["WCSAXES"] = 3
    axes = [("TIME", "s", seconds, float(np.min(spectrum.integration)), "TIME"),
            ("FREQ", "Hz", spectrum.frequency, float(np.min(spectrum.channel_width)),
             "FREQUENCY")]
    for number, (kind, unit, values, width, column) in enumerate(axes, start=1):
        if _is_linear(values, 1e-3 * width):
            step = (values[-1] - values[0]) / (len(values) - 1) if len(values) > 1 else width
            start = values[0]
            header[f"CTYPE{number}"] = kind
        else:
            start, step = 1.0, 1.0
            header[f"CTYPE{number}"] = f"{kind}-TAB"
            header[f"PS{number}_0"] = (WCS_TABLE, "extension of the coordinates")
            header[f"PS{number}_1"] = (column, "its column")
            header[f"PV{number}_1"] = (version, "EXTVER of the extension")
            header[f"PV{number}_2"] = (1, "EXTLEVEL of the extension")
            header[f"PV{number}_3"] = (1, "axis of the column's array")
            lookup.append(fits.Column(column, f"{len(values)}D", unit, dim=f"(1,{len(values)})",
                                      array=np.asarray(values, float).reshape(1, -1, 1)))
        header[f"CUNIT{number}"] = unit
        header[f"CRPIX{number}"] = 1.0
        header[f"CRVAL{number}"] = float(start)
        header[f"CDELT{number}"] = float(step)
    header["CTYPE3"] = ("STOKES", "1 I, 2 Q, 3 U, 4 V")
    header["CRPIX3"] = 1.0
    header["CRVAL3"] = float(codes[0])
    header["CDELT3"] = float(codes[1] - codes[0] if len(codes) > 1 else 1)
    header["MJDREF"] = (reference, "[d] zero of the TIME axis, UTC")
    header["DATEREF"] = date_and_time(reference)[:10]
    frame = str(spectrum.meta.get("frequency_frame", ""))
    if frame in SPECTRAL_FRAMES:
        header["SPECSYS"] = (SPECTRAL_FRAMES[frame], "frame of the frequencies")
    return header, lookup



def _is_linear(values: np.ndarray, tolerance: float) -> bool:
    """Return whether values are equidistant and ascend, none away by more than `tolerance`."""
    if len(values) < 2:
        return True
    straight = np.linspace(values[0], values[-1], len(values))
    return values[-1] > values[0] and bool(np.all(np.abs(values - straight) <= tolerance))


def _time_table(spectrum: DynamicSpectrum) -> fits.BinTableHDU:
    table = fits.BinTableHDU.from_columns([
        fits.Column("TIME", "D", "d", array=spectrum.time),
        fits.Column("TIME_BARYCENTRE", "D", "d", array=spectrum.time_barycentre),
        fits.Column("INTEGRATION", "D", "s", array=spectrum.integration),
        fits.Column("SCAN", "J", array=spectrum.scan)], name="TIME")
    for number, meaning in enumerate(("centre of the integration, MJD UTC",
                                      "arrival at the barycentre, MJD TDB",
                                      "length of the integration", "scan number"), start=1):
        table.header.comments[f"TTYPE{number}"] = meaning
    return table


def _frequency_table(spectrum: DynamicSpectrum) -> fits.BinTableHDU:
    return fits.BinTableHDU.from_columns([
        fits.Column("FREQUENCY", "D", "Hz", array=spectrum.frequency),
        fits.Column("CHANNEL_WIDTH", "D", "Hz", array=spectrum.channel_width),
        fits.Column("SPECTRAL_WINDOW", "J", array=spectrum.spectral_window),
        fits.Column("PRIMARY_BEAM", "D", array=spectrum.primary_beam)], name="FREQUENCY")


def _ascii(text: object) -> str:
    """Return text that a FITS header can hold, in 68 characters."""
    plain = str(text).encode("ascii", "replace").decode()
    return "".join(c if c.isprintable() else " " for c in plain)[:68]
