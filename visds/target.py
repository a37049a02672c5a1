"""The target: what a user's words for it mean, and where it is at the epoch of observation."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from visds.core.astrometry import moved
from visds.core.catalogue import Catalogue, same_name
from visds.core.errors import SettingsError
from visds.core.sky import Direction, parse_direction, separation
from visds.run_settings import TargetSettings
from visds.visibility.plan import Plan

_SAME_PLACE_ARCSEC = 0.1
# A name by the rule of the IAU: it reads as a position, whose last digits are cut off.
_POSITION_NAME = re.compile(r"\s*J[\d.]+[+-][\d.]+\s*")


@dataclass(frozen=True)
class Target:
    """A direction (ICRS, at the epoch of observation), its name, and how that was found."""

    direction: Direction
    name: str
    found: str = ""
    motion: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """What was found under the name, and how it was moved; empty of a plain position."""
        return ", ".join(filter(None, (self.found, self.motion)))


def find_target(plan: Plan, settings: TargetSettings,
                catalogues: Mapping[str, Catalogue]) -> Target:
    """Return the target that a user names, by default the phase centre.

    What is written is the exact name of a field, or a position if it reads as one, else the name
    of a field or of a source in one of the catalogues, in capitals or not and with blanks or
    without.

    Parameters
    ----------
    plan : Plan
        Its fields, phase centre and epoch are used.
    settings : TargetSettings
        `target` in the user's words. `proper_motion` moves a position or a field's; a source of a
        catalogue is moved by its own.
    catalogues : mapping of str to Catalogue
        By name.

    Raises
    ------
    SettingsError
        If nothing or more than one place has that name: what was tried, or what it could be.
    CatalogueError
        If a source must be moved but the epoch of its position is not known.
    """
    text = settings.target
    if text is None:
        centre = Direction(*plan.phase_centre, plan.frame).to("ICRS")
        return _at_epoch(Target(centre, plan.field, f"phase centre of field {plan.field}"),
                         plan, settings)
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
            if not _same_place(other.direction, target.direction)))
    if sources:
        if settings.proper_motion is not None:
            raise SettingsError(f"--proper-motion: '{text}' is a source of a catalogue and is "
                                "moved by its own; give its position and --target-epoch instead")
        return sources[0]
    if direction is not None:
        return _at_epoch(Target(direction, text.strip(), "read from the digits of its name"),
                         plan, settings)
    raise SettingsError(f"--target: {reason}; nor is it a field "
                        f"({', '.join(field.name for field in plan.description.fields)})"
                        + _no_source(catalogues))


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
        now = catalogue.at_epoch(plan.epoch) if len(rows) else catalogue
        for row in rows:
            direction = Direction(float(now.ra[row]), float(now.dec[row]))
            found.append(Target(direction, str(catalogue.name[row]),
                                f"{catalogue.name[row]} of catalogue {label}",
                                _motion(catalogue, now, row)))
    return _distinct(found)


def _motion(catalogue: Catalogue, now: Catalogue, row: int) -> str:
    east, north = catalogue.pm_ra[row], catalogue.pm_dec[row]
    if not (np.isfinite(east) and np.isfinite(north)):
        return "whose proper motion is not known"
    if east == 0 and north == 0:
        return ""
    there, here = (Direction(float(c.ra[row]), float(c.dec[row])) for c in (catalogue, now))
    return (f"moved {3600 * separation(there, here):.3f} arcsec by its proper motion of "
            f"{east:g} mas/yr east and {north:g} north from {catalogue.epoch[row]:.3f} to "
            f"{now.epoch[row]:.3f}")


def _distinct(places: list[Target]) -> list[Target]:
    kept: list[Target] = []
    for place in places:
        if not any(_same_place(place.direction, other.direction) for other in kept):
            kept.append(place)
    return kept


def _same_place(one: Direction, other: Direction) -> bool:
    return 3600 * separation(one, other) < _SAME_PLACE_ARCSEC


def _at_epoch(target: Target, plan: Plan, settings: TargetSettings) -> Target:
    """Return the target moved by the proper motion that the user gives, if any."""
    if settings.proper_motion is None:
        return target
    east, north = settings.proper_motion
    ra, dec = moved(np.array([target.direction.ra]), np.array([target.direction.dec]),
                    pm_ra=np.array([east]), pm_dec=np.array([north]),
                    years=plan.epoch - settings.target_epoch)
    direction = Direction(float(ra[0]), float(dec[0]))
    return replace(target, direction=direction, motion=(
        f"moved {3600 * separation(target.direction, direction):.3f} arcsec by --proper-motion "
        f"from {settings.target_epoch:.3f} to {plan.epoch:.3f}"))


def _no_source(catalogues: Mapping[str, Catalogue]) -> str:
    if not catalogues:
        return "; to look a name up, give --catalogue FILE"
    return ", nor a source of " + " or ".join(
        f"catalogue {label} ({len(catalogue)} sources)" for label, catalogue in catalogues.items())
