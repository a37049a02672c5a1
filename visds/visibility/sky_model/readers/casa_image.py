"""CASA images of clean components, as tclean leaves them."""

import os
from pathlib import Path

import numpy as np
from astropy import units
from casacore import tables

from visds.core.errors import SkyModelError
from visds.visibility.measurement_set import no_lock_files
from visds.visibility.sky_model.images import ImageModel
from visds.visibility.sky_model.readers.image_file import ImageFile, read_family

# casacore's names of units that astropy does not know.
_ANGLES = {"'": "arcmin", '"': "arcsec"}


def read_casa_image(path: str | os.PathLike) -> tuple[ImageModel, None]:
    """Return a CASA image with all its Taylor terms; and None, as none says if it is intrinsic.

    `path` is an image, or one for all of ``NAME.tt0``, ``NAME.tt1`` ...: any of them, or NAME.
    The frame of the frequency axis is not looked at.

    Raises
    ------
    SkyModelError
        See `image_file.read_family`.
    """
    return read_family(path, _read_file), None


def is_casa_image(path: str | os.PathLike) -> bool:
    """Whether a folder is a casacore table that holds an image."""
    info = Path(path) / "table.info"
    return info.is_file() and "Type = Image" in info.read_text(errors="replace")


def _read_file(path: str) -> ImageFile:
    if not is_casa_image(path):
        raise SkyModelError(f"sky model {path} is not a CASA image")
    try:
        with _open(path) as table:
            keywords = table.getkeywords()
            pixels = table.getcell("map", 0)
            good = _default_mask(keywords)
        return _image_file(path, keywords, pixels, good)
    except (RuntimeError, KeyError, IndexError) as error:
        raise SkyModelError(f"sky model {path} cannot be read as a CASA image: "
                            f"{str(error).splitlines()[0]}") from error


def _open(path: str) -> tables.table:
    with no_lock_files():
        return tables.table(path, readonly=True, lockoptions="usernoread", ack=False)


def _default_mask(keywords: dict) -> np.ndarray | None:
    """Return where pixels are valid; None where all are."""
    name = keywords.get("Image_defaultmask", "")
    if not name:
        return None
    path = keywords["masks"][name]["mask"].removeprefix("Table: ")
    with _open(path) as table:
        return table.getcell("PagedArray", 0)


def _image_file(path: str, keywords: dict, pixels: np.ndarray,
                good: np.ndarray | None) -> ImageFile:
    if np.iscomplexobj(pixels):
        raise SkyModelError(f"sky model {path} has complex pixels: expected Jy/pixel")
    if good is not None:
        pixels = np.where(good | (pixels == 0), pixels, np.nan)
    coordinates = keywords["coords"]
    axes = {kind: _coordinate(coordinates, kind) for kind in ("direction", "stokes", "spectral")}
    if axes["direction"] is None:
        raise SkyModelError(f"sky model {path} has no celestial axes: expected right ascension and "
                            "declination")
    if axes["spectral"] is None:
        raise SkyModelError(f"sky model {path} has no frequency axis")
    direction, places = axes["direction"]
    if min(places) < 0:
        raise SkyModelError(f"sky model {path} has one celestial axis only")
    stokes, stokes_axis = axes["stokes"] or ({"stokes": ["I"]}, [-1])
    spectral, spectral_axis = axes["spectral"]
    names = np.atleast_1d(stokes["stokes"])
    wanted = spectral_axis[0], stokes_axis[0], places[1], places[0]
    pixels = _arranged(path, pixels, wanted)
    to_degrees = [units.Unit(_ANGLES.get(name, name)).to(units.deg)
                  for name in direction["units"]]
    return ImageFile(
        path=path, unit=keywords.get("units", ""), pixels=pixels,
        polarizations=tuple(str(name) for name in names[:pixels.shape[1]]),
        frequency=_frequencies(path, spectral, pixels.shape[0]),
        frame=str(direction["system"]),
        reference=tuple(float(value) for value in direction["crval"] * to_degrees),
        reference_pixel=tuple(float(value) for value in direction["crpix"]),
        pole=(float(direction["longpole"]), float(direction["latpole"])),
        matrix=direction["pc"] * (direction["cdelt"] * to_degrees)[:, np.newaxis],
        **_projection(direction, to_degrees[1]))


def _coordinate(coordinates: dict, kind: str) -> tuple[dict, np.ndarray] | None:
    """Return a coordinate and the axes of the image that it has, -1 for one that it lost."""
    for name, value in coordinates.items():
        number = name.removeprefix(kind)
        if name.startswith(kind) and number.isdigit():
            return value, np.atleast_1d(coordinates[f"pixelmap{number}"])
    return None


def _arranged(path: str, pixels: np.ndarray, wanted: tuple[int, ...]) -> np.ndarray:
    """Return pixels (F,P,Y,X) out of an array in casacore's order of axes, turned round."""
    axes = [pixels.ndim - 1 - axis for axis in wanted if axis >= 0]
    others = [axis for axis in range(pixels.ndim) if axis not in axes]
    if any(pixels.shape[axis] > 1 for axis in others):
        raise SkyModelError(f"sky model {path} has an axis that is not celestial, Stokes or "
                            "frequency")
    pixels = pixels.transpose(*others, *axes).reshape([pixels.shape[axis] for axis in axes])
    missing = [place for place, axis in enumerate(wanted) if axis < 0]
    return np.expand_dims(pixels, missing)


def _frequencies(path: str, spectral: dict, count: int) -> np.ndarray:
    """Return the frequencies (F) of the channels, Hz."""
    to_hertz = units.Unit(spectral.get("unit", "Hz")).to(units.Hz)
    if "tabular" in spectral and len(np.atleast_1d(spectral["tabular"]["worldvalues"])) >= count:
        table = spectral["tabular"]
        return to_hertz * np.interp(np.arange(count), np.atleast_1d(table["pixelvalues"]),
                                    np.atleast_1d(table["worldvalues"]))
    wcs = spectral["wcs"]
    if not wcs["ctype"].rstrip("\0 ").startswith("FREQ"):
        raise SkyModelError(f"sky model {path} has the spectral axis {wcs['ctype']}: expected "
                            "FREQ")
    return to_hertz * (wcs["crval"] + wcs["cdelt"] * wcs["pc"] * (np.arange(count) - wcs["crpix"]))


def _projection(direction: dict, to_degrees: float) -> dict:
    projection = str(direction["projection"])
    parameters = tuple(float(value) for value in np.ravel(direction["projection_parameters"]))
    if projection == "NCP":
        # The orthographic projection with a slant, Calabretta & Greisen 2002, eq. 63.
        dec = np.radians(direction["crval"][1] * to_degrees)
        projection, parameters = "SIN", (0.0, float(1 / np.tan(dec)))
    return {"projection": projection, "projection_parameters": parameters}
