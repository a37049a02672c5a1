"""What a user's words for targets mean, and where they are at the epoch of observation."""

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from visds.core.astrometry import (
    moved,
    separation_arcsec,
    unit_vectors,
)
from visds.core.catalogue import Catalogue, same_name
from visds.core.catalogue_files import read_table
from visds.core.ephemeris import BUILTIN_ERROR_ARCSEC, track
from visds.core.errors import CatalogueError, SettingsError
from visds.core.files import LONGEST_NAME
from visds.core.plural import counted
from visds.core.sky import (
    LIGHT_SPEED,
    Direction,
    angle_text,
    barycentric_position,
    parse_direction,
    separation,
)
from visds.target import Target, same_place, told_apart
from visds.target_settings import TargetSettings, check_target_settings
from visds.visibility.plan import Plan

_ASTRONOMICAL_UNIT = 149597870700.0
# A star of the list may have moved by so much since the epoch of its position.
_MARGIN_DEG = 1.0
# A parallax of less than so many sigma gives no distance (Bailer-Jones 2015, PASP 127, 994).
_LEAST_PARALLAX = 5.0
# A name by the rule of the IAU: it reads as a position, whose last digits are cut off.
_POSITION_NAME = re.compile(r"\s*J[\d.]+[+-][\d.]+\s*")


def find_targets(plan: Plan, settings: TargetSettings, catalogues: Mapping[str, Catalogue],
                 width: float) -> tuple[Target, ...]:
    """Return the targets that a user names one by one, then those of a list; no two of one name.

    By default the phase centre is the only one.

    Parameters
    ----------
    plan : Plan
    settings : TargetSettings
    catalogues : mapping of str to Catalogue
        By name.
    width : float
        Of the primary beam, deg: those of the list that are within half of it are taken, if the
        settings do not say how far.

    Raises
    ------
    SettingsError
        If a name has no or several places, or nothing of the list is near the phase centre.
    CatalogueError
        If the list cannot be read, or a star must be moved but its epoch is not known.
    """
    check_target_settings(settings)
    found = [find_target(plan, text, settings, catalogues) for text in settings.target]
    if settings.targets is not None:
        found += _listed(plan, settings, settings.targets, settings.within or width / 2)
    return told_apart(found or [find_target(plan, None, settings, catalogues)])


def find_target(plan: Plan, text: str | None, settings: TargetSettings,
                catalogues: Mapping[str, Catalogue]) -> Target:
    """Return the target that a user names, the phase centre for None.

    What is written is a body of the solar system, the exact name of a field, or a position if it
    reads as one, else the name of a field or of a source in one of the catalogues, in capitals or
    not and with blanks or without.

    Parameters
    ----------
    plan : Plan
        Its fields, phase centre, times and observatory are used.
    text : str or None
        The user's words.
    settings : TargetSettings
        `proper_motion` and `parallax` move a position or a field's; a source of a catalogue is
        moved by its own.
    catalogues : mapping of str to Catalogue
        By name.

    Raises
    ------
    SettingsError
        If nothing or more than one place has that name: what was tried, or what it could be.
    CatalogueError
        If a source must be moved but the epoch of its position is not known.
    """
    if text is None:
        centre = Direction(*plan.phase_centre, plan.frame).to("ICRS")
        return _at_epoch(Target(centre, plan.field, f"phase centre of field {plan.field}"),
                         plan, settings)
    body = text.strip().casefold()
    if body in BUILTIN_ERROR_ARCSEC:
        return _body(plan, body, settings, catalogues)
    direction, reason = _position(text)
    if direction is not None and not _POSITION_NAME.fullmatch(text) and not any(
            field.name == text for field in plan.description.fields):
        return _at_epoch(Target(direction, str(direction)), plan, settings)
    fields = _fields(plan, text)
    sources = _sources(plan, text, catalogues)
    if len(fields or sources) > 1:
        raise SettingsError(f"--target: '{text}' could be " + " or ".join(
            f"{place.found} at {place.direction}" for place in fields or sources)
            + "; give its position")
    if fields:
        target = _at_epoch(fields[0], plan, settings)
        return replace(target, warnings=tuple(
            f"the target is the {target.found}; {other.found} has this name too and is "
            f"{3600 * separation(other.direction, target.direction):.3g} arcsec away: give its "
            "position if it is meant" for other in sources
            if not same_place(other.direction, target.direction)))
    if sources:
        _refuse_motion(settings, f"'{text}' is a source of a catalogue and is moved by its own; "
                       "give its position and --target-epoch instead")
        return sources[0]
    if direction is not None:
        return _at_epoch(Target(direction, text.strip(), "read from the digits of its name"),
                         plan, settings)
    raise SettingsError(f"--target: {reason}; nor is it a field "
                        f"({', '.join(field.name for field in plan.description.fields)})"
                        + _no_source(catalogues))


def _refuse_motion(settings: TargetSettings, reason: str) -> None:
    for option, value in (("--proper-motion", settings.proper_motion),
                          ("--parallax", settings.parallax)):
        if value is not None:
            raise SettingsError(f"{option}: {reason}")


def _body(plan: Plan, body: str, settings: TargetSettings,
          catalogues: Mapping[str, Catalogue]) -> Target:
    """Return a body of the solar system, followed through the observation.

    It comes before a field or source of its name, whose place is that of one time at best.
    """
    _refuse_motion(settings, f"{body} is followed as it moves and has none")
    times = [time for task in plan.tasks for time in (task.time[0], task.time[-1])]
    followed = track(body, min(times), max(times), plan.description.position, settings.ephemeris)
    ends = unit_vectors(*followed.at(np.array([min(times), max(times)])))
    path = float(separation_arcsec(ends[:1], ends[1:])[0])
    name = f"the {body}" if body in ("sun", "moon") else f"planet {body}"
    found = [f"{name} by {settings.ephemeris or 'the built-in ephemeris'}"]
    found += [f"not {other.found}, {angle_text(separation(other.direction, followed.middle))} away"
              for other in [*_fields(plan, body), *_sources(plan, body, catalogues)]]
    error, beam = BUILTIN_ERROR_ARCSEC[body], _finest_beam_arcsec(plan)
    warnings = () if settings.ephemeris or error < beam / 2 else (
        f"the built-in ephemeris of {name} is off by up to {error:g} arcsec, of a beam of "
        f"{beam:.2g} arcsec: --ephemeris takes a better one",)
    return Target(followed.middle, body, ", ".join(found),
                  f"which moves by {angle_text(path / 3600)} during the observation",
                  warnings, followed)


def _finest_beam_arcsec(plan: Plan) -> float:
    wavelength = LIGHT_SPEED / max(float(task.source.frequency.max()) for task in plan.tasks)
    longest = plan.longest_used(plan.max_baseline, wavelength)
    return 3600 * math.degrees(1.02 * wavelength / max(longest, 1.0))


def _position(text: str) -> tuple[Direction | None, str]:
    """Return the position that a text reads as, or why it is none."""
    try:
        return parse_direction(text), ""
    except SettingsError as error:
        return None, str(error)


def _fields(plan: Plan, text: str) -> list[Target]:
    """Return the fields of a name, one for each place; those of exactly this name if there are."""
    named = [field for field in plan.description.fields if field.name == text] or [
        field for field in plan.description.fields if same_name(field.name, text)]
    return _distinct([Target(field.phase_centre.to("ICRS"), field.name,
                             f"phase centre of field {field.name}") for field in named])


def _sources(plan: Plan, text: str, catalogues: Mapping[str, Catalogue]) -> list[Target]:
    """Return the sources of a name at the epoch of observation, one for each place."""
    found = []
    for label, catalogue in catalogues.items():
        rows = catalogue.named(text)
        if len(rows):
            found += _stars(plan, catalogue.select(rows), f"catalogue {label}")
    return _distinct(found)


def _listed(plan: Plan, settings: TargetSettings, path: str, within: float) -> list[Target]:
    """Return the stars of a list that are within an angle (deg) of the phase centre."""
    catalogue = _read_list(path, settings.target_columns)
    notes = [f"{path}: {note}" for note in catalogue.notes]
    centre = Direction(*plan.phase_centre, plan.frame).to("ICRS")

    def away(stars: Catalogue) -> np.ndarray:
        return separation_arcsec(unit_vectors(stars.ra, stars.dec), unit_vectors(
            np.array([centre.ra]), np.array([centre.dec]))) / 3600

    number = len(catalogue)
    before = away(catalogue)
    nearest = int(np.argmin(before))
    message = (f"--targets: none of {counted(number, 'position')} in {path} is within "
               f"{angle_text(within)} of the phase centre of field {plan.field}, {centre}; the "
               f"nearest, {catalogue.name[nearest]}, is {angle_text(before[nearest])} away")
    if not np.any(before <= within + _MARGIN_DEG) and np.all(catalogue.ra < 24):
        hours = replace(catalogue, ra=15 * catalogue.ra)
        read = int(np.sum(away(hours) <= within))
        if read:
            message += (f"; {read} would be if their right ascensions are hours: --target-columns "
                        "ra=RA:h,dec=DEC, with the names of the columns")
    near = catalogue.select(before <= within + _MARGIN_DEG)
    try:
        stars = _stars(plan, near, Path(path).name) if len(near) else []
    except CatalogueError as error:
        raise CatalogueError(_with_columns(error)) from error
    is_inside = [separation(star.direction, centre) <= within for star in stars]
    inside = list(itertools.compress(stars, is_inside))
    gone = [star for star, then, now in zip(stars, away(near) <= within, is_inside, strict=True)
            if then and not now]
    if gone:
        notes.append(f"{gone[0].name} is within {angle_text(within)} of the phase centre by its "
                     f"listed position, but not at the epoch of observation: {gone[0].motion}"
                     + (f" (and so for {len(gone) - 1} more)" if len(gone) > 1 else ""))
    if not inside:
        raise SettingsError("; ".join([message, *notes]) if gone else message)
    if len(inside) < number:
        notes.append(f"{number - len(inside)} of {counted(number, 'position')} in {path} are "
                     f"farther than {angle_text(within)} from the phase centre and left out "
                     "(--within)")
    return [replace(inside[0], warnings=(*notes, *inside[0].warnings)), *inside[1:]]


def _read_list(path: str, columns: str | None) -> Catalogue:
    """Return the stars of a list; what is wrong with it is said with the option to mend."""
    try:
        table = read_table(path)
    except CatalogueError as error:
        raise CatalogueError(f"--targets: {error}") from error
    try:
        return Catalogue.from_table(table, columns, source=path)
    except CatalogueError as error:
        raise CatalogueError(_with_columns(error)) from error


def _with_columns(error: CatalogueError) -> str:
    return (f"--targets: {error} (--target-columns says which column is what, and in which unit)")


def _stars(plan: Plan, catalogue: Catalogue, label: str) -> list[Target]:
    """Return the sources of a catalogue as they are seen at the epoch of observation.

    Raises
    ------
    CatalogueError
        If one has a proper motion but the epoch of its position is not known.
    """
    now = catalogue.at_epoch(plan.epoch, _observer(plan))
    return [Target(Direction(float(now.ra[row]), float(now.dec[row])),
                   " ".join(str(catalogue.name[row]).split())[:LONGEST_NAME],
                   f"{catalogue.name[row]} of {label}", _motion(catalogue, now, row),
                   distance_pc=_distance(catalogue, row),
                   radius_rsun=_positive(catalogue.radius[row]))
            for row in range(len(catalogue))]


def _observer(plan: Plan) -> np.ndarray:
    """Return where the observatory is from the barycentre (3; au), in the middle of all times."""
    middle = 51544.5 + 365.25 * (plan.epoch - 2000)
    return barycentric_position(np.array([middle]), plan.description.position)[0] \
        / _ASTRONOMICAL_UNIT


def _distance(catalogue: Catalogue, row: int) -> float:
    """Return the distance of a star in pc, from its parallax if that is all, NaN if unknown."""
    distance, parallax = _positive(catalogue.distance[row]), _positive(catalogue.parallax[row])
    if math.isfinite(distance) or parallax < _LEAST_PARALLAX * catalogue.parallax_error[row]:
        return distance
    return 1000 / parallax


def _positive(value: float) -> float:
    return float(value) if 0 < value < math.inf else math.nan


def _motion(catalogue: Catalogue, now: Catalogue, row: int) -> str:
    """Return in words how a source was moved from its place in the catalogue."""
    east, north = catalogue.pm_ra[row], catalogue.pm_dec[row]
    known, parallax = np.isfinite(east) and np.isfinite(north), catalogue.parallax[row]
    there, here = (Direction(float(c.ra[row]), float(c.dec[row])) for c in (catalogue, now))
    by = []
    if known and (east or north):
        by.append(f"its proper motion of {east:g} mas/yr east and {north:g} north from "
                  f"{catalogue.epoch[row]:.3f} to {now.epoch[row]:.3f}")
    if parallax > 0:
        by.append(f"its parallax of {parallax:g} mas")
    return ", ".join(filter(None, (
        "" if known else "whose proper motion is not known",
        by and f"moved {3600 * separation(there, here):.3f} arcsec by {' and '.join(by)}")))


def _distinct(places: list[Target]) -> list[Target]:
    kept: list[Target] = []
    for place in places:
        if not any(same_place(place.direction, other.direction) for other in kept):
            kept.append(place)
    return kept


def _at_epoch(target: Target, plan: Plan, settings: TargetSettings) -> Target:
    """Return the target moved by the proper motion and parallax that the user gives, if any."""
    if settings.proper_motion is None and settings.parallax is None:
        return target
    east, north = settings.proper_motion or (0.0, 0.0)
    parallax = settings.parallax or math.nan
    ra, dec = moved(np.array([target.direction.ra]), np.array([target.direction.dec]),
                    pm_ra=np.array([east]), pm_dec=np.array([north]),
                    years=plan.epoch - settings.target_epoch, parallax=np.array([parallax]),
                    observer=_observer(plan))
    direction = Direction(float(ra[0]), float(dec[0]))
    by = []
    if settings.proper_motion is not None:
        by.append(f"--proper-motion from {settings.target_epoch:.3f} to {plan.epoch:.3f}")
    if settings.parallax is not None:
        by.append("--parallax")
    return replace(target, direction=direction, distance_pc=1000 / parallax, motion=(
        f"moved {3600 * separation(target.direction, direction):.3f} arcsec by "
        + " and ".join(by)))


def _no_source(catalogues: Mapping[str, Catalogue]) -> str:
    if not catalogues:
        return "; to look a name up, give --catalogue FILE"
    return ", nor a source of " + " or ".join(
        f"catalogue {label} ({len(catalogue)} sources)" for label, catalogue in catalogues.items())
