"""Where to look: targets by position or name, lists of them, and directions off source."""

import math
from dataclasses import dataclass

from visds.core import quantities
from visds.core.catalogue_mapping import FRAMES, column_mapping
from visds.core.epoch import julian_year
from visds.core.errors import CatalogueError, SettingsError
from visds.core.settings import setting

_EPOCH = "2000.0"


def _proper_motion(text) -> tuple[float, float]:
    try:
        east, north = (float(word) for word in str(text).replace(",", " ").split())
    except ValueError:
        raise SettingsError(f"'{text}' is not a proper motion: expected two numbers in mas/yr, "
                            "east (with cos dec) and north") from None
    if not (math.isfinite(east) and math.isfinite(north)):
        raise SettingsError(f"'{text}' is not a proper motion: it must be finite")
    return east, north


@quantities.bare_number("mas")
def _parallax(text) -> float:
    value = quantities.parse(text, {"mas": 1.0, "arcsec": 1e3}, bare=1.0)
    if value <= 0:
        raise SettingsError(f"'{text}' is not a parallax: expected mas, more than 0")
    return value


@quantities.bare_number("refused")
def _within(text) -> float:
    value = quantities.parse(text, quantities.ANGLES)
    if not 0 < value <= 90:
        raise SettingsError(f"must be more than 0 and at most 90deg, not '{text}'")
    return value


def _mapping(text) -> str:
    try:
        column_mapping(str(text))
    except CatalogueError as error:
        raise SettingsError(str(error)) from error
    return str(text)


def _offsets(text) -> int:
    if not str(text).isdigit():
        raise SettingsError(f"'{text}' is not a number of directions")
    return int(text)


@dataclass(frozen=True)
class TargetSettings:
    """Where to look: the directions for which spectra are made.

    Made in code, `parallax` is a number in mas and `within` in degrees.
    """

    target: tuple[str, ...] = setting(
        None, "positions such as \"05:31:58.7 +33:08:52.5\" (hours and degrees) or "
        "\"83.1deg -5.2deg\", or names: of sun, moon or a planet, which are followed as they move; "
        "of a field; or of a source in a --catalogue, which is moved to the epoch of observation "
        "by its proper motion and parallax (default: the phase centre); the first is the main one",
        many=True, metavar="POSITION|NAME")
    targets: str | None = setting(
        None, "list of targets: ECSV, VOTable, CSV or FITS with positions, and, where there are "
        "such columns, names, proper motions, parallaxes, epochs, distances and radii",
        metavar="FILE")
    target_columns: str | None = setting(
        None, "columns of --targets where their names do not tell: a key, a column or a number for "
        "all rows, and the unit where the file has none, e.g. "
        "ra=A:h,dec=B,epoch=2016.0,distance=D:pc,radius=R:solRad; keys are name, ra, dec, pm_ra "
        "(with cos dec), pm_dec, parallax, parallax_error, epoch, distance, radius, and frame, "
        f"which is one of {', '.join(FRAMES)}; by default ra and dec are deg, proper motions "
        "mas/yr, parallaxes mas", parse=_mapping, metavar="MAPPING")
    within: float | None = setting(
        None, "how far from the phase centre a target of --targets may be (default: half the width "
        "of the primary beam)", parse=_within, metavar="ANGLE")
    proper_motion: tuple[float, float] | None = setting(
        None, "proper motion of the target in mas/yr east and north, such as \"400 -300\": the "
        "position is moved from --target-epoch to the epoch of observation (a source of a "
        "catalogue is moved by its own)",
        parse=_proper_motion, metavar="'EAST NORTH'")
    parallax: float | None = setting(
        None, "annual parallax of the target, by which its position is moved from that seen at the "
        "barycentre", parse=_parallax, metavar="MAS")
    target_epoch: float = setting(
        _EPOCH, "epoch of the position that --proper-motion moves, as Julian year or date; that of "
        "--targets is in their list or given as --target-columns epoch=2016.0", parse=julian_year,
        metavar="EPOCH")
    ephemeris: str | None = setting(
        None, "file of the JPL, such as de440.bsp, for where sun, moon and planets are (needs "
        "jplephem: pip install 'visds[ephemeris]'); the built-in series are off by up to 17 arcsec "
        "for the moon, 2 for mercury, 11 venus, 50 mars, 54 jupiter, 90 saturn, 67 uranus, 10 "
        "neptune", metavar="FILE.bsp")
    offsets: int = setting(
        "0", "number of directions off source, 3 to 10 beams from the targets, where there is "
        "nothing: what noise and interference do there is held against what the targets show",
        parse=_offsets)


def check_target_settings(settings: TargetSettings) -> None:
    """Raise SettingsError for options that cannot be used together."""
    for name, value in (("within", settings.within), ("target-columns", settings.target_columns)):
        if value is not None and settings.targets is None:
            raise SettingsError(f"--{name} is for a list of targets: give it as --targets FILE")
    if settings.target_epoch != julian_year(_EPOCH) and settings.proper_motion is None:
        raise SettingsError("--target-epoch is that of a position that --proper-motion moves: "
                            "stars of --targets are moved from that of their own columns (if they "
                            "have none: --target-columns epoch=2016.0), sources of a --catalogue "
                            "too")
    one = [name for name, value in (("--proper-motion", settings.proper_motion),
                                    ("--parallax", settings.parallax)) if value is not None]
    if one and len(settings.target) > 1:
        raise SettingsError(f"{one[0]} is that of one target and --target names "
                            f"{len(settings.target)}: put them into a list for --targets FILE")
    if one and settings.targets is not None and not settings.target:
        raise SettingsError(f"{one[0]} is that of one --target; those of --targets are moved by "
                            "their own columns")
