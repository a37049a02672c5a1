"""What a folder of products already holds: it is not replaced by something else without a word."""

import json
from pathlib import Path
from typing import Any

from visds.core.errors import OutputError
from visds.core.sky import Direction, separation
from visds.observation import Observation
from visds.run_settings import RunSettings


def target_entry(observation: Observation) -> dict[str, Any]:
    """Return what provenance.json says of the target."""
    return {"name": observation.target_name, "ra_deg": observation.target.ra,
            "dec_deg": observation.target.dec}


def refuse_other_products(folder: Path, observation: Observation, settings: RunSettings) -> None:
    """Keep products of another measurement set or another target from being replaced.

    Targets are the same within half a beam, whatever they are called. Other settings on the same
    target are the next run of the same; a folder without provenance.json holds no products.

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
        target = held.get("target")
        there = target and Direction(float(target["ra_deg"]), float(target["dec_deg"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    if Path(measurement_set).name != Path(observation.measurement_set).name:
        raise OutputError(f"{folder} holds the products of {measurement_set}: give another -o, or "
                          "--fresh to replace them")
    if settings.replace or there is None:
        return
    away = 3600 * separation(there, observation.target)
    if away > observation.finest_beam / 2:
        raise OutputError(
            f"{folder} holds the products of another target, {_place(target['name'], there)}, "
            f"{away:.3g} arcsec from {_place(observation.target_name, observation.target)}: give "
            "another -o, or --replace to replace them and use the chunk files again")


def _place(name: str, direction: Direction) -> str:
    return name if name == str(direction) else f"{name} at {direction}"
