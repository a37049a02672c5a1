"""The FITS files of DynSpecMS (cyriltasse/DynSpecMS): dynamic spectra of many directions.

A file holds I, Q, U, V as (4, channel, time), the real part in Jy, 0 where there is nothing. Beside
it, in the folder TARGET_W or OFF_W, `.W.fits` and `.W2.fits` hold the sums of weights and of their
squares, (1, channel, time); older releases had one Weights.fits for all directions.
"""

import os
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.time import Time

from visds.core.errors import FormatError
from visds.dynspec.exchange.imported import (
    Errors,
    Imported,
    axes_of,
    imported_spectrum,
    robust_scatter,
)

_NEEDED = ("OBS-STAR", "CDELT1", "FRQ-MIN", "CHAN-WID", "RA_RAD", "DEC_RAD")
_POLARIZATIONS = ("I", "Q", "U", "V")


def is_dynspecms(path: str | os.PathLike) -> bool:
    """Whether a file is FITS with the header of DynSpecMS."""
    try:
        header = fits.getheader(path)
    except (OSError, ValueError):
        return False
    return all(key in header for key in _NEEDED)


def spectra_in(folder: str | os.PathLike) -> list[Path]:
    """Return the spectra in a folder that DynSpecMS made: targets, then off-source directions.

    Raises
    ------
    FormatError
        If there is none.
    """
    found = [path for part in ("TARGET", "OFF")
             for path in sorted((Path(folder) / part).glob("*.fits"))]
    if not found:
        raise FormatError(f"{folder} is not a folder of DynSpecMS: it has no TARGET/*.fits")
    return found


def read_dynspecms(path: str | os.PathLike) -> Imported:
    """Return the dynamic spectrum of a file of DynSpecMS and what to know of it.

    The signs are those of visds: V = (XY - YX)/2i. The file has no errors: those of a cell are
    proportional to sqrt(sum w^2) / sum w, which is right for visibilities of equal noise, on the
    scale of the robust scatter of what changes from one integration to the next, by channel and
    Stokes parameter. It has no imaginary part, which is zero here, and no covariances. Times are
    those of DynSpecMS's grid, to half an integration where scans do not fit it. Integrations
    without data are left out. So is the last one if the observation goes on after it: the grid is
    one integration short, and the last of the data may have been written in place of that one.

    Raises
    ------
    FormatError
        If the file is not one of DynSpecMS, or holds weights.
    """
    path = Path(path).resolve()
    try:
        with fits.open(path) as hdus:
            header, cube = hdus[0].header, np.array(hdus[0].data, float)
        missing = [key for key in _NEEDED if key not in header]
        if missing:
            raise ValueError(f"its header has no {missing[0]}")
        return _read(path, header, cube)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FormatError(f"{path} cannot be read as a file of DynSpecMS: "
                          f"{' '.join(str(error).split())}") from error


def _read(path: Path, header: fits.Header, cube: np.ndarray) -> Imported:
    kind = str(header.get("SRC-TYPE", ""))
    if kind.endswith(("_Weight", "_W2")) or cube.ndim != 3 or cube.shape[0] != 4:
        raise ValueError("it does not hold I, Q, U and V (weights are read from beside a spectrum)")
    flux = np.transpose(cube, (2, 1, 0))
    total, squares, notes = _weights(path, header, flux)
    start = Time(str(header["OBS-STAR"]), format="isot", scale="utc").mjd
    step = float(header["CDELT1"])
    time = start + np.arange(len(flux)) * step / 86400
    kept = np.any(total > 0, axis=1)
    if "OBS-STOP" in header:
        stop = Time(str(header["OBS-STOP"]), format="isot", scale="utc").mjd
        if kept[-1] and (stop - time[-1]) * 86400 > step / 2:
            kept[-1] = False
            notes.append("the last integration is left out: DynSpecMS may have written the one "
                         "after it in its place")
    flux, total, squares = flux[kept], total[kept], squares[kept]
    frequency = float(header["FRQ-MIN"]) + float(header["CHAN-WID"]) * np.arange(flux.shape[1])
    axes = axes_of(time[kept], frequency, channel_width=np.full(len(frequency),
                                                                float(header["CHAN-WID"])))
    axes["integration"] = np.full(len(flux), step)
    shape = np.divide(np.sqrt(squares), total, out=np.full(total.shape, np.nan), where=total > 0)
    count = np.repeat((total > 0)[..., None], 4, axis=2).astype(int)
    sums = {"count": count, "sum_wv": np.where(count > 0, flux, 0).astype(complex)}
    notes += ["DynSpecMS has no errors: sigma is the scatter of what changes from one integration "
              "to the next, by channel", "it has no imaginary part, which is set to zero"]
    meta = {"target": str(header.get("NAME", "")).strip() or path.stem,
            "role": "off source" if kind == "Off" else "target",
            "ra_deg": float(np.degrees(header["RA_RAD"]) % 360),
            "dec_deg": float(np.degrees(header["DEC_RAD"])),
            "telescope": str(header.get("TELESCOP", "")), "field": str(header.get("OBSID", "")),
            "weights": "of the file", "weights_calibrated": True, "measurement_set": str(path),
            "primary_beam": "as in the file"}
    spectrum = imported_spectrum(
        axes, sums, _POLARIZATIONS, ("XX", "YY"), meta,
        Errors(shape[..., None] * _scale(flux, shape)))
    return Imported(spectrum, tuple(notes))


def _weights(path: Path, header: fits.Header,
             flux: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the sums of weights and of their squares (T,F), and what is said of them."""
    folders = (path.parent.with_name(path.parent.name + "_W"), path.parent)
    found = {ending: next((plane for folder in folders
                           if (plane := folder / f"{path.stem}{ending}.fits").is_file()), None)
             for ending in (".W", ".W2")}
    old = path.parent.parent / "Weights.fits"
    if found[".W"] is None and old.is_file():
        found[".W"] = old
    held = np.any(flux != 0, axis=2)
    if found[".W"] is None:
        return held.astype(float), held.astype(float), [
            "there is no file of weights beside it: all cells are taken as of equal weight"]
    planes = []
    for plane in (found[".W"], found[".W2"]):
        values = None if plane is None else np.array(fits.getdata(plane)[0], float).T
        if values is not None and values.shape != held.shape:
            raise ValueError(f"{plane} has {values.shape[::-1]} channels and times, not "
                             f"{held.shape[::-1]}")
        planes.append(values)
    total = np.where(held, planes[0], 0)
    notes = [f"weights from {found['.W'].name}"]
    if planes[1] is None:
        return total, total, [*notes, "without their squares: cells are taken as of 1/sigma^2"]
    return total, np.where(held, planes[1], 0), notes


def _scale(flux: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Return the error (F,P) of a cell of shape 1, from changes between neighbouring times."""
    spread = np.sqrt(shape[1:] ** 2 + shape[:-1] ** 2)
    changes = np.diff(flux, axis=0) / spread[..., None]
    return np.stack([robust_scatter(changes[..., p]) for p in range(flux.shape[2])], axis=-1)
