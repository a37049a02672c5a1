"""What a folder of products already holds: it is not replaced by something else without a word."""

import dataclasses
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from visds.core.errors import OutputError
from visds.core.log import logger
from visds.core.plural import counted
from visds.core.settings import Settings
from visds.core.sky import Direction, separation
from visds.dynspec.universal_time import date_and_time
from visds.observation import Observation
from visds.run_settings import RunSettings

_MINUTE = 1 / 1440
_NAMED = 5


def target_entries(observation: Observation) -> list[dict[str, Any]]:
    """Return what provenance.json says of the targets."""
    return [{"name": target.name, "ra_deg": target.direction.ra, "dec_deg": target.direction.dec}
            for target in observation.targets]


def data_entry(observation: Observation) -> dict[str, Any]:
    """Return what provenance.json says of the data: whose, when, and where they were used.

    The telescope, the first and last TIME of the whole measurement set (MJD UTC, as stored), and by
    number the centre of the field (ICRS, deg) and the ends of the spectral windows (Hz) that were
    used: what flags, calibration and other selections do not change.
    """
    plan = observation.plan
    centre = Direction(*plan.phase_centre, plan.frame).to("ICRS")
    return {
        "telescope": plan.description.telescope,
        "time": list(plan.time_span),
        "fields": {str(plan.field_number): [centre.ra, centre.dec]},
        "spectral_windows": {str(task.source.spectral_window): [
            float(task.source.frequency.min()), float(task.source.frequency.max())]
            for task in plan.tasks}}


def refuse_other_products(folder: Path, observation: Observation, settings: RunSettings) -> None:
    """Keep products of another measurement set or another target from being replaced.

    A measurement set of the same name is another if no time belongs to both, or a field or a
    spectral window of the same number is at another place or frequency. Targets are the same within
    half a beam, whatever they are called, and those that are held must be among those of the run.
    Other settings on the same target are the next run of the
    same; a folder without provenance.json holds no products.

    Raises
    ------
    OutputError
        If the folder holds such products: whose they are, and how to go on.
    """
    path = folder / "provenance.json"
    if settings.fresh or not path.is_file():
        return
    try:
        held = json.loads(path.read_text())
        measurement_set = str(held["measurement_set"])
        there = [(str(target["name"]), Direction(float(target["ra_deg"]),
                                                 float(target["dec_deg"])))
                 for target in held.get("targets", ())]
        other = _other_data(held.get("data") or {}, data_entry(observation))
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    if Path(measurement_set).name != Path(observation.measurement_set).name:
        raise OutputError(f"{folder} holds the products of {measurement_set}: give another -o, or "
                          "--fresh to replace them")
    if other:
        raise OutputError(f"{folder} holds the products of other data called {measurement_set}, "
                          f"{other}: give another -o, or --fresh to replace them")
    if settings.replace:
        return
    holds = "another target, " if len(there) == 1 else (
        f"{counted(len(there), 'target')}, {_names(there)}, not all of this run: ")
    for name, direction in there:
        away, nearest = min(((3600 * separation(direction, target.direction), target)
                             for target in observation.targets), key=lambda pair: pair[0])
        if away > observation.finest_beam / 2:
            raise OutputError(
                f"{folder} holds the products of {holds}{_place(name, direction)}, {away:.3g} "
                f"arcsec from {nearest.named_place}: give another -o, or --replace to replace them "
                "and use the chunk files again")


def say_changed_settings(folder: Path, settings: Settings) -> None:
    """Log in one line which settings differ from those of the folder's last run, if any do.

    Those of how the run goes are left out: they change no product.
    """
    try:
        held = tomllib.loads((folder / "settings.toml").read_text())
    except (OSError, ValueError):
        return
    changes = []
    for stage, values in settings.written(*(name for name in settings if name != "run")).items():
        for field in dataclasses.fields(settings[stage]):
            # A setting that the file does not have is not given, or not known to its version.
            before = held.get(stage, {}).get(field.name, field.metadata["option"].default)
            before, now = _written(before), _written(values[field.name])
            if before != now:
                changes.append(f"{field.name} {before} -> {now}")
    if changes:
        logger.info("settings that differ from those of the last run in %s: %s", folder,
                    ", ".join(changes))


def _other_data(held: dict[str, Any], now: dict[str, Any]) -> str:
    """Return in words how data of provenance.json are others than those of now, "" if not."""
    if held.get("telescope", now["telescope"]) != now["telescope"]:
        return f"of {held['telescope']}"
    first, last = held.get("time", now["time"])
    if first > now["time"][1] + _MINUTE or last < now["time"][0] - _MINUTE:
        return f"which begin at {date_and_time(first)} UTC"
    for name, here in now["fields"].items():
        there = held.get("fields", {}).get(name, here)
        if 3600 * separation(Direction(*there), Direction(*here)) > 60:
            return f"whose field {name} is at {Direction(*there)}"
    for number, (low, high) in now["spectral_windows"].items():
        first, last = held.get("spectral_windows", {}).get(number, (low, high))
        if max(abs(first - low), abs(last - high)) > 1e-6 * high:
            return f"whose spectral window {number} is {first / 1e6:.6g} to {last / 1e6:.6g} MHz"
    return ""


def _names(targets: Sequence[tuple[str, Direction]]) -> str:
    """Return the names of the first targets and how many more there are."""
    names = [name for name, _ in targets]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _written(value: Any) -> str:
    """Return a setting in few letters; default where nothing was given."""
    if isinstance(value, (list, tuple)):
        value = " ".join(map(str, value)) or None
    text = "default" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _place(name: str, direction: Direction) -> str:
    return name if name == str(direction) else f"{name} at {direction}"
