"""A primary beam out of a FITS image or cube."""

import os
from dataclasses import dataclass, field

import numpy as np
from astropy.io import fits
from scipy import ndimage

from visds.core.errors import SettingsError

_CELESTIAL = (("RA---SIN", "DEC--SIN"), ("L", "M"), ("LL", "MM"))
_UNITS = ("", "1", "JY/BEAM")
_DEGREES = {"": 1.0, "DEG": 1.0, "DEGREE": 1.0, "DEGREES": 1.0, "RAD": np.degrees(1.0)}
_HERTZ = {"": 1.0, "HZ": 1.0, "KHZ": 1e3, "MHZ": 1e6, "GHZ": 1e9}


@dataclass(frozen=True, eq=False)
class FitsBeam:
    """Power on a grid of direction cosines, fixed on the sky: it does not turn with the dishes.

    Between pixels it is a cubic spline. A plane is stretched to other frequencies as the
    wavelength; between two planes the power is that of both, so stretched, interpolated linearly.
    Outside the image, and where it is NaN, it is 0.

    Attributes
    ----------
    path : str
    power : (N,Y,X) float64
        At the pixels, m growing with Y and l falling or growing with X as `cell` says.
    frequency : (N) float64
        Of the planes, ascending, Hz.
    cell, reference : (2) float64
        Steps along X and Y as direction cosines, and the zero-based pixel of the pointing.
    """

    path: str
    power: np.ndarray
    frequency: np.ndarray
    cell: tuple[float, float]
    reference: tuple[float, float]
    _splines: np.ndarray = field(init=False, repr=False)

    def __post_init__(self):
        object.__setattr__(self, "_splines", np.array(
            [ndimage.spline_filter(plane, order=3, mode="mirror") for plane in self.power]))

    def __call__(self, cosines: np.ndarray, frequency: np.ndarray) -> np.ndarray:
        """Return the power (...,F) at l, m (...,2) about the pointing; see `PrimaryBeam`."""
        power = np.empty((*cosines.shape[:-1], len(frequency)))
        last = len(self.frequency) - 1
        for f, hertz in enumerate(np.asarray(frequency, float)):
            place = float(np.interp(hertz, self.frequency, np.arange(last + 1)))
            low = min(int(place), max(last - 1, 0))
            share = place - low
            power[..., f] = sum(
                part * self._stretched(plane, cosines, hertz)
                for plane, part in ((low, 1 - share), (low + 1, share)) if part > 0)
        return power

    def describe(self) -> str:
        """Return in words which beam it is."""
        return (f"{self.path}, fixed on the sky, at "
                f"{self.frequency[0] / 1e6:g} to {self.frequency[-1] / 1e6:g} MHz")

    def _stretched(self, plane: int, cosines: np.ndarray, hertz: float) -> np.ndarray:
        scale = hertz / self.frequency[plane]
        x, y = (cosines[..., axis] * scale / self.cell[axis] + self.reference[axis]
                for axis in (0, 1))
        Y, X = self.power.shape[1:]
        value = ndimage.map_coordinates(self._splines[plane], [np.ravel(y), np.ravel(x)], order=3,
                                        prefilter=False, mode="mirror").reshape(np.shape(x))
        is_inside = (x >= 0) & (x <= X - 1) & (y >= 0) & (y <= Y - 1)
        return np.where(is_inside, np.clip(value, 0, 1), 0)


def read_fits_beam(path: str | os.PathLike) -> FitsBeam:
    """Return the beam in the first image of a FITS file.

    Its first two axes are RA---SIN and DEC--SIN, or L and M, in deg (or rad) about the reference
    pixel, where the power is 1; what right ascension and declination that pixel has does not
    matter. There is an axis FREQ, of one plane or many, or a key RESTFRQ; of an axis STOKES the
    plane I is used.

    Raises
    ------
    SettingsError
        If it is no such file, or holds voltages, decibels or another unit.
    """
    try:
        # Pixels are put to use as they are: a mended header says nothing that was not asked.
        with fits.open(path, memmap=False, output_verify="silentfix") as hdus:
            image = next((hdu for hdu in hdus if hdu.is_image and hdu.header["NAXIS"] >= 2), None)
            if image is None:
                raise _refusal(path, "holds no image")
            header, pixels = image.header, np.asarray(image.data)
    except OSError as error:
        raise _refusal(path, f"cannot be read: {error}") from error
    if np.iscomplexobj(pixels) or str(header.get("BUNIT", "")).strip().upper() not in _UNITS:
        raise _refusal(path, f"has the unit '{header.get('BUNIT')}', expected none: power, 1 at "
                             "the pointing")
    kinds = [str(header.get(f"CTYPE{n + 1}", "")).strip().upper() for n in range(pixels.ndim)]
    if tuple(kinds[:2]) not in _CELESTIAL:
        raise _refusal(path, f"has the axes {', '.join(kinds[:2]) or 'without names'}, expected "
                             "RA---SIN and DEC--SIN, or L and M")
    if any(abs(float(header.get(key, 0))) > 1e-9
           for key in ("CROTA1", "CROTA2", "PC1_2", "PC2_1", "CD1_2", "CD2_1")):
        raise _refusal(path, "is rotated, expected north along its second axis")
    pixels = _without_stokes(path, header, kinds, pixels)
    steps = [_step(path, header, axis) for axis in (1, 2)]
    reference = tuple(float(header.get(f"CRPIX{n}", 0)) - 1 for n in (1, 2))
    frequency, planes = _planes(path, header, kinds, pixels)
    if pixels.shape[-1] < 4 or pixels.shape[-2] < 4:
        raise _refusal(path, "has less than four pixels along an axis")
    beam = FitsBeam(str(path), np.nan_to_num(planes, nan=0.0), frequency, tuple(steps), reference)
    centre = beam(np.zeros(2), frequency)
    if np.any(np.abs(centre - 1) > 0.02):
        raise _refusal(path, f"is {centre[np.argmax(np.abs(centre - 1))]:.3g} at its reference "
                             "pixel, expected 1: the power towards the pointing")
    if np.nanmin(planes) < -0.01:
        raise _refusal(path, f"falls to {np.nanmin(planes):.3g}, expected a power, not a voltage")
    return beam


def _without_stokes(path, header: fits.Header, kinds: list[str],
                    pixels: np.ndarray) -> np.ndarray:
    """Return the pixels of Stokes I, with axes (FREQ, Y, X) or (Y, X)."""
    for n in range(len(kinds) - 1, 1, -1):
        axis = pixels.ndim - 1 - n
        if kinds[n] == "STOKES":
            codes = (header.get(f"CRVAL{n + 1}", 1) + header.get(f"CDELT{n + 1}", 1)
                     * (np.arange(pixels.shape[axis]) + 1 - header.get(f"CRPIX{n + 1}", 1)))
            wanted = np.flatnonzero(np.round(codes) == 1)
            if not len(wanted):
                raise _refusal(path, "holds no Stokes I")
            pixels = np.take(pixels, wanted[0], axis=axis)
            kinds.pop(n)
        elif kinds[n] != "FREQ":
            if pixels.shape[axis] != 1:
                raise _refusal(path, f"has an axis {kinds[n] or 'without a name'}, expected FREQ "
                                     "or STOKES")
            pixels = np.take(pixels, 0, axis=axis)
            kinds.pop(n)
    return pixels


def _step(path, header: fits.Header, axis: int) -> float:
    """Return the step along an axis as a direction cosine."""
    unit = str(header.get(f"CUNIT{axis}", "")).strip().upper()
    if unit not in _DEGREES:
        raise _refusal(path, f"has axis {axis} in {unit}, expected deg")
    step = float(header.get(f"CDELT{axis}", header.get(f"CD{axis}_{axis}", 0)))
    if step == 0 or not np.isfinite(step):
        raise _refusal(path, f"has no step CDELT{axis}")
    return float(np.radians(step * _DEGREES[unit]))


def _planes(path, header: fits.Header, kinds: list[str],
            pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the frequencies (N), ascending, and the planes (N,Y,X)."""
    if pixels.ndim == 2:
        hertz = header.get("RESTFRQ", header.get("RESTFREQ", 0))
        frequency, pixels = np.array([float(hertz)]), pixels[np.newaxis]
    else:
        number = next(n for n in range(1, header["NAXIS"] + 1)
                      if str(header.get(f"CTYPE{n}", "")).strip().upper() == "FREQ")
        unit = str(header.get(f"CUNIT{number}", "")).strip().upper()
        if unit not in _HERTZ:
            raise _refusal(path, f"has its frequencies in {unit}, expected Hz")
        frequency = _HERTZ[unit] * (
            header.get(f"CRVAL{number}", 0) + header.get(f"CDELT{number}", 0)
            * (np.arange(len(pixels)) + 1.0 - header.get(f"CRPIX{number}", 0)))
    order = np.argsort(frequency)
    frequency, pixels = frequency[order], pixels[order].astype(float)
    if not np.all(frequency > 1e6) or np.any(np.diff(frequency) <= 0):
        raise _refusal(path, "does not say at which frequency it holds (axis FREQ or key RESTFRQ)")
    return frequency, pixels


def _refusal(path, reason: str) -> SettingsError:
    return SettingsError(f"--primary-beam: {path} {reason}")
