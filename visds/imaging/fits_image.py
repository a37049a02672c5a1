"""An image as a FITS file that CARTA, DS9, CASA and astropy open: (STOKES, FREQ, Y, X)."""

import io
import os
from datetime import datetime, timedelta

import numpy as np
from astropy.io import fits

from visds.core.files import whole_file
from visds.core.polarization import STOKES
from visds.core.version import __version__
from visds.imaging.image import Image

# Names of frames in measurement sets and in FITS (Greisen et al. 2006, table 12).
_SPECTRAL_FRAMES = {"TOPO": "TOPOCENT", "LSRK": "LSRK", "LSRD": "LSRD", "BARY": "BARYCENT",
                    "GEO": "GEOCENTR", "GALACTO": "GALACTOC", "LGROUP": "LOCALGRP",
                    "CMB": "CMBDIPOL", "REST": "SOURCE"}
_MJD_ZERO = datetime(1858, 11, 17)


def header_of(image: Image) -> fits.Header:
    """Return the header: SIN coordinates (ICRS), frequency, Stokes, beam, times, weighting.

    IMAGETYP is what the image is, in the words of `Image.kind`. The text entries of `image.meta`
    (TELESCOP, OBJECT and the like) are taken over.
    """
    geometry, content = image.geometry, image.content
    header = fits.Header()
    header["BUNIT"] = ("Jy/beam", "no primary beam correction")
    header["BTYPE"] = "Intensity"
    header["IMAGETYP"] = (image.kind, "what this image is")
    if image.beam is not None:
        header["BMAJ"] = (image.beam.major, "[deg] FWHM of the beam, major axis")
        header["BMIN"] = (image.beam.minor, "[deg] minor axis")
        header["BPA"] = (image.beam.position_angle, "[deg] position angle, north through east")
    header["WCSAXES"] = 4
    middle = geometry.size / 2 + 1
    for axis, kind, value, pixel, step, unit in (
            (1, "RA---SIN", geometry.centre.ra, middle, -geometry.cell, "deg"),
            (2, "DEC--SIN", geometry.centre.dec, middle, geometry.cell, "deg"),
            (3, "FREQ", content.frequency, 1.0, content.band_high - content.band_low, "Hz"),
            (4, "STOKES", STOKES.index(image.stokes) + 1.0, 1.0, 1.0, "")):
        header[f"CTYPE{axis}"] = kind
        header[f"CRVAL{axis}"] = value
        header[f"CRPIX{axis}"] = pixel
        header[f"CDELT{axis}"] = step
        if unit:
            header[f"CUNIT{axis}"] = unit
    header["RADESYS"] = "ICRS"
    header["EQUINOX"] = 2000.0
    if content.frame in _SPECTRAL_FRAMES:
        header["SPECSYS"] = (_SPECTRAL_FRAMES[content.frame], "frame of the frequencies")
    header["TIMESYS"] = "UTC"
    header["DATE-OBS"] = (_date(content.start), "begin of the first integration")
    header["DATE-AVG"] = (_date(content.middle), "mean of the integrations")
    header["DATE-END"] = (_date(content.stop), "end of the last integration")
    header["MJD-OBS"] = content.start
    header["MJD-AVG"] = content.middle
    header["MJD-END"] = content.stop
    header["EXPTIME"] = (content.exposure, "[s] sum of the integrations")
    for name, value in image.meta.items():
        header[name] = _ascii(value)
    header["WEIGHTNG"] = (image.weighting, "imaging weights")
    for name, value, comment in (
            ("WTSUM", image.sum_of_weights, "sum of the imaging weights"),
            ("EXPRMS", image.expected_rms, "[Jy/beam] noise that the weights imply"),
            ("NATRMS", image.natural_rms, "[Jy/beam] noise of natural weights: the least")):
        if np.isfinite(value):
            header[name] = (value, comment)
    header["ORIGIN"] = (f"visds {__version__}", "program that wrote this file")
    return header


def write_image(image: Image, path: str | os.PathLike) -> None:
    """Write an image as FITS (float32), whole or not at all; the same image gives the same bytes.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    values = image.values.astype(np.float32, copy=False)
    primary = fits.PrimaryHDU(values[np.newaxis, np.newaxis], header_of(image))
    made = io.BytesIO()
    primary.writeto(made)
    with whole_file(path) as part:
        # What astropy says of a file that cannot grow does not tell why.
        part.write_bytes(made.getbuffer())


def response_image(image: Image) -> Image:
    """Return the response to a point source (PSF) of an image as an image of the same size.

    Raises
    ------
    ValueError
        If less of it is known.
    """
    beyond = -1 if image.response is None else len(image.response) - len(image.values)
    if beyond < 0:
        raise ValueError("the response was not made for all of the image")
    part = slice(beyond // 2, beyond // 2 + len(image.values))
    return image.replace(values=image.response[part, part].astype(np.float32), kind="response")


def _date(mjd: float) -> str:
    moment = _MJD_ZERO + timedelta(milliseconds=round(float(mjd) * 86400e3))
    return moment.isoformat(timespec="milliseconds")


def _ascii(text: object) -> str:
    """Return text that a FITS header can hold, in 68 characters."""
    plain = str(text).encode("ascii", "replace").decode()
    return "".join(c if c.isprintable() else " " for c in plain)[:68]
