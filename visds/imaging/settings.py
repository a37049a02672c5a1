"""Settings of images."""

from dataclasses import dataclass

from visds.core import quantities
from visds.core.errors import SettingsError
from visds.core.quantities import bare_number
from visds.core.settings import setting
from visds.imaging.find import THRESHOLD
from visds.imaging.weighting import SCHEMES

ARCSEC = {"arcsec": 1 / 3600, "arcmin": 1 / 60, "deg": 1.0, "mas": 1 / 3.6e6}
WHOLE, SCANS, DETECTIONS = "all", "scan", "detections"


@bare_number("refused")
def _angle(text) -> float:
    value = quantities.parse(text, ARCSEC)
    if value <= 0:
        raise SettingsError(f"an angle must be larger than zero, not '{text}'")
    return value


def _pixels(text) -> int:
    if not str(text).isdigit() or not 32 <= int(text) <= 32768:
        raise SettingsError(f"'{text}' is not a number of pixels from 32 to 32768")
    return int(text)


def _count(text) -> int:
    if not str(text).isdigit() or int(text) < 1:
        raise SettingsError(f"'{text}' is not a count")
    return int(text)


def _robust(text) -> float:
    value = float(text)
    if not -2 <= value <= 2:
        raise SettingsError(f"Briggs' robustness is from -2 to 2, not {text}")
    return value


def _epsilon(text) -> float:
    value = float(text)
    if not 1e-12 <= value <= 1e-2:
        raise SettingsError(f"an accuracy from 1e-12 to 1e-2 is expected, not {text}")
    return value


def _threshold(text) -> float:
    value = quantities.parse(text, {"": 1.0}, bare=1.0)
    if not 3 <= value < 1e6:
        raise SettingsError(f"a signal to noise of at least 3 is expected, not {text}")
    return value


@bare_number("refused")
def _interval(text) -> str:
    if text not in (WHOLE, SCANS, DETECTIONS):
        try:
            length = quantities.parse(text, quantities.SECONDS)
        except SettingsError as error:
            raise SettingsError(f"{error}: give {WHOLE}, {SCANS}, {DETECTIONS} or a duration such "
                                "as 60s") from None
        if length <= 0:
            raise SettingsError(f"an interval must be longer than zero, not '{text}'")
    return str(text)


@dataclass(frozen=True)
class ImageSettings:
    """Which images are made, and how."""

    interval: str = setting(
        WHOLE, "what one image is of: all, scan (each scan), a duration such as 60s (from the "
        "start of each scan; a rest of less than half of it belongs to the last), or detections "
        "(of each detection the burst, the time around it, and their difference)",
        parse=_interval, metavar="all|scan|TIME|detections")
    bands: int = setting("1", "number of bands into which the channels are split, each with images "
                         "of its own", parse=_count, metavar="N")
    target: str | None = setting(
        None, "position where flux densities are measured or, of a measurement set, the name of a "
        "field or of a source in a --catalogue (default: the target of the run, or the phase "
        "centre)", metavar="POSITION|NAME")
    centre: str = setting(
        "phase", "centre of the images: the phase centre, or the target",
        choices=("phase", "target"))
    cell: float | None = setting(
        None, "width of a pixel, such as 1.5arcsec (default: a fifth of wavelength over the "
        "longest baseline)", parse=_angle, metavar="ANGLE")
    size: int | None = setting(
        None, "pixels a side, rounded up to what transforms fast (default: twice the primary "
        "beam's width, 256 to 2048)", parse=_pixels, metavar="PIXELS")
    weighting: str = setting("natural", "imaging weights", choices=SCHEMES)
    robust: float = setting("0", "Briggs' robustness, from -2 to 2", parse=_robust, metavar="R")
    taper: float | None = setting(
        None, "weigh down long baselines as a Gaussian beam of this width would, such as 10arcsec",
        parse=_angle, metavar="ANGLE")
    epsilon: float = setting("1e-4", "accuracy of the gridding, relative to the brightest source",
                             parse=_epsilon, metavar="NUMBER")
    clean: bool = setting(
        False, "clean the images by CASA's tclean; differences are those of dirty images")
    find: bool = setting(
        False, "search the whole field for sources: in each snapshot less the mean of all others "
        "of its band (--interval scan or a duration), in the differences of detections, or in the "
        "image of all")
    find_threshold: float = setting(
        str(THRESHOLD), "signal to noise of a source that is found", parse=_threshold,
        metavar="SIGMA")
    psf: bool = setting(False, "write the response to a point source (PSF) of each image too")
    pictures: bool = setting(True, "draw each image (PNG)")
