"""The options of a field model made by deconvolution."""

from dataclasses import dataclass

from visds.core.errors import SettingsError
from visds.core.quantities import angle
from visds.core.settings import setting


def _positive_angle(text) -> float:
    value = angle(text)
    if value <= 0:
        raise SettingsError(f"'{text}' is not a positive angle")
    return value


def _pixels(text) -> int:
    if not str(text).isdigit() or not 64 <= int(text) <= 32768:
        raise SettingsError(f"'{text}' is not a number of pixels from 64 to 32768")
    return int(text)


def _terms(text) -> int:
    if str(text) not in ("1", "2", "3", "4"):
        raise SettingsError(f"'{text}' is not a number of Taylor terms from 1 to 4")
    return int(text)


def _robust(text) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 9.0
    if abs(value) > 2:
        raise SettingsError(f"'{text}' is not a robustness from -2 to 2")
    return value


@dataclass(frozen=True)
class ModelSettings:
    """The images of the field."""

    field_width: float | None = setting(
        None, "width of the images, such as 1.2deg (default: the main lobe of the primary beam, "
        "from null to null at the lowest frequency)", parse=_positive_angle, metavar="ANGLE")
    cell: float | None = setting(
        None, "pixel, such as 2arcsec (default: a quarter of the wavelength over the longest "
        "baseline)", parse=_positive_angle, metavar="ANGLE")
    size: int | None = setting(
        None, "pixels a side (default: as many as the width asks for)", parse=_pixels,
        metavar="PIXELS")
    robust: float = setting("0", "Briggs' robustness of the weights, from -2 (uniform) to 2 "
                            "(natural)", parse=_robust, metavar="R")
    taylor_terms: int | None = setting(
        None, "Taylor terms of the spectra (default: 2; 1 where the band is narrower than 2% of "
        "its frequency)", parse=_terms, metavar="TERMS")
    merge: bool = setting(
        False, "join neighbouring pixels of the model to one component in the table: fit for "
        "points, not for extended sources")
    scratch: str | None = setting(
        None, "folder for the scratch copy of the data, removed in the end (default: OUT)",
        metavar="FOLDER")
    replace: bool = setting(False, "replace the field model that is in OUT")
