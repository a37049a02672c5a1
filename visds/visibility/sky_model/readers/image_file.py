"""Image files, one or a family of Taylor terms, made into one image of a sky model."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from visds.core.errors import SkyModelError
from visds.core.plural import counted
from visds.core.sky import FRAMES, Direction
from visds.visibility.sky_model.images import ImageModel

_TERM = re.compile(r"(?P<stem>.*)\.tt(?P<number>\d+)(?P<end>(\.[^/]*)?)")
# What may stand behind the number of a Taylor term.
_ENDS = re.compile(r"(\.pbcor)?(\.fits?(\.gz)?)?$", re.IGNORECASE)
# Names of images that were divided by the primary beam, by CASA and by WSClean.
_CORRECTED = re.compile(r"\.pbcor|-pb\.fits", re.IGNORECASE)
_FACTORS = {"jy": 1.0, "mjy": 1e-3, "ujy": 1e-6}
_LOWEST, _HIGHEST = 1e6, 1e13
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class ImageFile:
    """What one image file says.

    Attributes
    ----------
    path : str
    unit : str
        As the file has it.
    pixels : (F,P,Y,X)
        In `unit`; NaN where masked and not zero.
    polarizations : tuple of str
        Names on axis P.
    frequency : (F) float64
        Hz.
    frame : str
        Celestial reference system.
    reference : (2) float64
        CRVAL, deg.
    projection, projection_parameters, reference_pixel, pole
        As in ImageModel.
    matrix : (2,2) float64
        CD matrix from pixels (x, y), deg.
    """

    path: str
    unit: str
    pixels: np.ndarray
    polarizations: tuple[str, ...]
    frequency: np.ndarray
    frame: str
    reference: tuple[float, float]
    projection: str
    projection_parameters: tuple[float, ...]
    reference_pixel: tuple[float, float]
    pole: tuple[float, float]
    matrix: np.ndarray


def read_family(path: str | os.PathLike,
                read: Callable[[str], ImageFile]) -> ImageModel:
    """Return the image of a file, together with all Taylor terms that belong to it.

    `path` is a file, any of the terms ``NAME.tt0``, ``NAME.tt1`` ..., or NAME alone; an ending
    such as .pbcor or .fits stands behind the number of the term.

    Raises
    ------
    SkyModelError
        If a term is missing, terms do not belong together, or the image is no model of the sky:
        it has another unit, no frequency, NaN pixels, no flux, or axes that are not celestial.
    """
    files = [_checked(read(name)) for name in _terms(str(path).rstrip("/"))]
    first = files[0]
    for other in files[1:]:
        _check_alike(first, other)
    cube = len(first.frequency) > 1
    if cube:
        first = _ascending(first)
    pixels = first.pixels if cube else np.concatenate([file.pixels for file in files])
    model = ImageModel(
        pixels=pixels, polarizations=first.polarizations,
        reference_frequency=float(np.mean(first.frequency)),
        plane_frequency=first.frequency if cube else np.empty(0),
        tangent=Direction(*first.reference, first.frame), projection=first.projection,
        reference_pixel=first.reference_pixel, projection_parameters=first.projection_parameters,
        pole=first.pole, **_cell_and_rotation(first))
    _check_flux(model, str(path))
    return model


def join_planes(models: Sequence[ImageModel]) -> ImageModel | None:
    """Return one cube of images that differ in frequency only, None if they differ otherwise."""
    first = models[0]
    frequency = np.array([model.reference_frequency for model in models])
    alike = [field.name for field in fields(ImageModel)
             if field.name not in ("pixels", "reference_frequency", "plane_frequency")]
    if len(set(frequency)) < len(models) or any(len(model.pixels) > 1 for model in models) or any(
            getattr(model, name) != getattr(first, name) for model in models for name in alike):
        return None
    if len({model.pixels.shape for model in models}) > 1:
        return None
    order = np.argsort(frequency)
    return replace(first, pixels=np.concatenate([models[k].pixels for k in order]),
                   reference_frequency=float(frequency.mean()), plane_frequency=frequency[order])


def _terms(path: str) -> list[str]:
    """Return the files of all Taylor terms that a path names."""
    if not os.path.exists(path):
        end = _ENDS.search(path)[0]
        first = f"{path.removesuffix(end)}.tt0{end}"
        if not os.path.exists(first):
            raise SkyModelError(f"sky model {path} does not exist")
        path = first
    match = _TERM.fullmatch(path)
    if not match:
        return [path]
    stem, end = match["stem"], match["end"]
    others = [_TERM.fullmatch(os.path.join(os.path.dirname(path), name))
              for name in os.listdir(os.path.dirname(path) or ".")]
    # tclean leaves the residual image of each term beside its model.
    residual = re.sub(r"\.model$", ".residual", stem)
    numbers = {name: [int(other["number"]) for other in others
                      if other and (other["stem"], other["end"]) == (name, end)]
               for name in (stem, residual)}
    highest, of = max((max(numbers[name], default=0), name) for name in (residual, stem))
    for number in range(highest + 1):
        if number not in numbers[stem]:
            raise SkyModelError(f"sky model {path}: the Taylor term {stem}.tt{number}{end} is "
                                f"missing; there is {Path(of).name}.tt{highest}{end}")
    return [f"{stem}.tt{number}{end}" for number in range(highest + 1)]


def _checked(file: ImageFile) -> ImageFile:
    """Return a file in Jy/pixel, checked for what can be seen in it alone."""
    file = replace(file, pixels=file.pixels * np.float32(_factor(file)))
    for name in file.polarizations:
        if name not in "IQUV":
            raise SkyModelError(f"sky model {file.path} has the polarization {name}: expected "
                                "Stokes I, Q, U or V")
    if file.frame not in FRAMES:
        raise SkyModelError(f"sky model {file.path} is in the coordinates {file.frame}: expected "
                            f"right ascension and declination, {', '.join(FRAMES)}")
    if not np.all((file.frequency >= _LOWEST) & (file.frequency <= _HIGHEST)):
        raise SkyModelError(f"sky model {file.path} is at a frequency of {file.frequency[0]:g} Hz: "
                            f"expected {_LOWEST:g} to {_HIGHEST:g} Hz")
    bad = int(np.sum(~np.isfinite(file.pixels)))
    if bad:
        advice = ("; it was divided by the primary beam: give the model that was not, or set to 0 "
                  "what lies beyond the beam" if _CORRECTED.search(file.path)
                  else ": set them to 0 if there is nothing to subtract")
        raise SkyModelError(f"sky model {file.path}: {bad} of {counted(file.pixels.size, 'pixel')} "
                            f"are not numbers or are masked{advice}")
    return file


def _factor(file: ImageFile) -> float:
    """Return the flux density of a pixel of value 1, Jy."""
    quantity, _, per = file.unit.lower().replace(" ", "").partition("/")
    if per in ("pixel", "pix") and quantity in _FACTORS:
        return _FACTORS[quantity]
    if per == "beam":
        raise SkyModelError(
            f"sky model {file.path} is in {file.unit}: a restored image is convolved with the "
            "beam and holds the residuals, so it is no model; give the image of the clean "
            "components (.model, -model.fits) in Jy/pixel")
    given = f"is in '{file.unit}'" if file.unit else "has no unit"
    raise SkyModelError(f"sky model {file.path} {given}: expected Jy/pixel")


def _check_alike(first: ImageFile, other: ImageFile) -> None:
    """Check that two Taylor terms belong together."""
    different = None
    if other.pixels.shape != first.pixels.shape or other.polarizations != first.polarizations:
        different = f"shape {other.pixels.shape} {other.polarizations}", (
            f"{first.pixels.shape} {first.polarizations}")
    elif not np.allclose(other.frequency, first.frequency, rtol=_SAME, atol=0):
        different = (f"frequency {other.frequency[0] / 1e6:.9g} MHz",
                     f"{first.frequency[0] / 1e6:.9g} MHz")
    elif len(first.frequency) > 1:
        raise SkyModelError(f"sky model {first.path} has {counted(len(first.frequency), 'channel')}"
                            ": expected a single one in Taylor terms")
    else:
        pixel = np.abs(first.matrix).max()
        alike = (other.frame == first.frame and other.projection == first.projection
                 and np.allclose(other.reference, first.reference, rtol=0, atol=1e-3 * pixel)
                 and np.allclose(other.reference_pixel, first.reference_pixel, rtol=0, atol=1e-3)
                 and np.allclose(other.matrix, first.matrix, rtol=0, atol=_SAME * pixel))
        if not alike:
            different = "place on the sky", "another"
    if different:
        raise SkyModelError(f"sky model: Taylor terms do not belong together: {other.path} has "
                            f"{different[0]}, {first.path} {different[1]}")


def _ascending(file: ImageFile) -> ImageFile:
    order = np.argsort(file.frequency)
    frequency = file.frequency[order]
    if np.any(np.diff(frequency) <= 0):
        raise SkyModelError(f"sky model {file.path} has several planes at one frequency")
    return replace(file, pixels=file.pixels[order], frequency=frequency)


def _cell_and_rotation(file: ImageFile) -> dict:
    (xx, xy), (yx, yy) = file.matrix
    along_x = np.copysign(np.hypot(xx, yx), np.linalg.det(file.matrix))
    along_y = np.hypot(xy, yy)
    if not along_x or abs(xx * xy + yx * yy) > _SAME * abs(along_x * along_y):
        raise SkyModelError(f"sky model {file.path}: the axes of its pixels are not perpendicular")
    return {"cell": (float(along_x), float(along_y)),
            "rotation": float(np.degrees(np.arctan2(-xy, yy)))}


def _check_flux(model: ImageModel, path: str) -> None:
    x, y = model.nonzero
    if not len(x):
        raise SkyModelError(f"sky model {path}: all pixels are zero, there is nothing to subtract")
    lost = int(np.isnan(model.positions(x, y)[0]).sum())
    if lost:
        raise SkyModelError(f"sky model {path}: {counted(lost, 'pixel')} with flux lie outside of "
                            f"the sky in the projection {model.projection}")
