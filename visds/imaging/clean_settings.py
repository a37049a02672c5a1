"""The options of deconvolution."""

from dataclasses import dataclass

from visds.core import quantities
from visds.core.errors import SettingsError
from visds.core.quantities import bare_number
from visds.core.settings import setting

_JANSKY = {"Jy": 1.0, "mJy": 1e-3, "uJy": 1e-6, "µJy": 1e-6}


@bare_number("Jy")
def _flux_density(text) -> float:
    value = quantities.parse(text, _JANSKY, bare=1.0)
    if value < 0:
        raise SettingsError(f"'{text}' is negative")
    return value


def _iterations(text) -> int:
    if not str(text).isdigit():
        raise SettingsError(f"'{text}' is not a number of iterations")
    return int(text)


def _factor(text) -> float:
    value = quantities.parse(text, {"": 1.0}, bare=1.0)
    if value <= 0:
        raise SettingsError(f"'{text}' is not a positive number")
    return value


def _scale(text) -> int:
    if not str(text).isdigit():
        raise SettingsError(f"'{text}' is not a scale: expected a number of pixels, 0 for a point")
    return int(text)


@dataclass(frozen=True)
class CleanSettings:
    """How deep images are cleaned, and where."""

    niter: int = setting("50000", "most iterations of clean; 0 for none: the dirty image",
                         parse=_iterations, metavar="NUMBER")
    clean_sigma: float = setting(
        "4", "clean down to so many times the robust rms of the residual image; to 5 at least "
        "outside of the mask of --clean-mask auto", parse=_factor,
        metavar="SIGMA")
    clean_threshold: float = setting(
        "0Jy", "or down to this flux density, whichever is higher", parse=_flux_density,
        metavar="FLUX")
    clean_mask: str = setting(
        "auto", "where to clean: regions that stand out, as tclean's auto-multithresh finds them, "
        "and then everywhere if it has left more than 5 rms (auto); or everywhere from the start "
        "(none)",
        choices=("auto", "none"))
    clean_scales: tuple[int, ...] = setting(
        ("0",), "widths of the components in pixels, 0 for points: 0 5 15 where there is extended "
        "emission", parse=_scale, many=True, metavar="PIXELS")
