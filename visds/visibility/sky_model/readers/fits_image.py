"""FITS images and cubes of clean components."""

import os
import warnings

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS

from visds.core.errors import SkyModelError
from visds.visibility.sky_model.images import ImageModel
from visds.visibility.sky_model.readers.image_file import ImageFile, read_family

_STOKES = {1: "I", 2: "Q", 3: "U", 4: "V"}


def read_fits_image(path: str | os.PathLike) -> tuple[ImageModel, bool | None]:
    """Return a FITS image with all its Taylor terms, and whether its fluxes are intrinsic.

    `path` is an image, or one for all of ``NAME.tt0.fits``, ``NAME.tt1.fits`` ...: any of them, or
    NAME.fits. WSClean's ``NAME-model.fits`` is apparent; its ``NAME-model-pb.fits`` has the same
    header. None says that the header does not tell. The frame of the frequency axis is not looked
    at.

    Raises
    ------
    SkyModelError
        See `image_file.read_family`.
    """
    origins = []

    def read(name):
        file, origin = _read_file(name)
        origins.append(origin)
        return file

    model = read_family(path, read)
    is_apparent = "wsclean" in origins[0].lower() and not str(path).endswith("-pb.fits")
    return model, False if is_apparent else None


def _read_file(path: str) -> tuple[ImageFile, str]:
    """Return an image file, and the name of the program that made it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            with fits.open(path) as hdus:
                image = next((hdu for hdu in hdus if hdu.is_image and hdu.header["NAXIS"] >= 2),
                             None)
                if image is None:
                    raise SkyModelError(f"sky model {path} holds no image")
                header = image.header
                wcs = WCS(header)
                wcs.wcs.set()
                return (_image_file(path, header, wcs, np.asarray(image.data)),
                        str(header.get("ORIGIN", "")))
    except (OSError, ValueError, TypeError) as error:
        raise SkyModelError(f"sky model {path} cannot be read as a FITS image: "
                            f"{' '.join(str(error).split())}") from error


def _image_file(path: str, header: fits.Header, wcs: WCS, data: np.ndarray) -> ImageFile:
    lng, lat, spec = wcs.wcs.lng, wcs.wcs.lat, wcs.wcs.spec
    if lng < 0 or lat < 0:
        raise SkyModelError(f"sky model {path} has no celestial axes, but "
                            f"{', '.join(wcs.wcs.ctype)}: expected right ascension and declination")
    if spec < 0 or wcs.wcs.ctype[spec] != "FREQ":
        raise SkyModelError(f"sky model {path} has no frequency axis, but "
                            f"{', '.join(wcs.wcs.ctype)}: expected FREQ")
    if wcs.has_distortion:
        raise SkyModelError(f"sky model {path} has a distortion beside its projection")
    stokes = next((axis for axis, kind in enumerate(wcs.wcs.ctype) if kind == "STOKES"), -1)
    pixels = _arranged(path, data, (spec, stokes, lat, lng))
    matrix = wcs.pixel_scale_matrix
    numbers = [1] if stokes < 0 else np.rint(_values(wcs, stokes, pixels.shape[1])).astype(int)
    parameters = {number: value for axis, number, value in wcs.wcs.get_pv() if axis == lat + 1}
    return ImageFile(
        path=path, unit=str(header.get("BUNIT", "")).strip(), pixels=pixels,
        polarizations=tuple(_STOKES.get(number, f"of code {number}") for number in numbers),
        frequency=_values(wcs, spec, pixels.shape[0]), frame=_frame(wcs),
        reference=(float(wcs.wcs.crval[lng]), float(wcs.wcs.crval[lat])),
        projection=wcs.wcs.ctype[lng][-3:],
        projection_parameters=tuple(float(parameters.get(number, 0))
                                    for number in range(1, max(parameters, default=0) + 1)),
        reference_pixel=(float(wcs.wcs.crpix[lng]) - 1, float(wcs.wcs.crpix[lat]) - 1),
        pole=(float(wcs.wcs.lonpole), float(wcs.wcs.latpole)),
        matrix=matrix[np.ix_([lng, lat], [lng, lat])])


def _values(wcs: WCS, axis: int, count: int) -> np.ndarray:
    """Return the world coordinates of the pixels of a linear axis."""
    return wcs.wcs.crval[axis] + wcs.pixel_scale_matrix[axis, axis] * (
        np.arange(1, count + 1) - wcs.wcs.crpix[axis])


def _arranged(path: str, data: np.ndarray, wanted: tuple[int, ...]) -> np.ndarray:
    """Return pixels (F,P,Y,X), native, out of an array with FITS axes turned round."""
    native = np.float64 if data.dtype.itemsize == 8 else np.float32
    axes = [data.ndim - 1 - axis for axis in wanted if 0 <= axis < data.ndim]
    others = [axis for axis in range(data.ndim) if axis not in axes]
    if any(data.shape[axis] > 1 for axis in others):
        raise SkyModelError(f"sky model {path} has an axis that is not celestial, STOKES or FREQ")
    pixels = data.transpose(*others, *axes).reshape([data.shape[axis] for axis in axes])
    missing = [place for place, axis in enumerate(wanted) if not 0 <= axis < data.ndim]
    return np.expand_dims(pixels, missing).astype(native)


def _frame(wcs: WCS) -> str:
    """Return the name of the celestial reference system."""
    system, equinox = wcs.wcs.radesys.strip(), wcs.wcs.equinox
    if not wcs.wcs.ctype[wcs.wcs.lng].startswith("RA"):
        return wcs.wcs.ctype[wcs.wcs.lng][:4]
    if system == "FK5" and equinox == 2000:
        return "J2000"
    if system.startswith("FK4") and equinox == 1950:
        return "B1950"
    if system in ("", "ICRS"):
        return "ICRS"
    return f"{system} of the equinox {equinox:g}"
