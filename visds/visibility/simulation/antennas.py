"""Arrays of antennas: those that the package ships, and those in a user's file."""

import csv
import dataclasses
import importlib.resources
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visds.core.errors import SettingsError
from visds.core.quantities import HERTZ, parse
from visds.visibility.simulation.settings import ArraySettings

_STANDARD_CONFIGURATION = {"VLA": "VLA-B"}
_FACTS = {"telescope": "custom", "diameter": "25", "mount": "alt-az", "feeds": "circular",
          "frequency": "1.4GHz", "swapped": "0Hz-0Hz"}


@dataclass(frozen=True)
class AntennaArray:
    """Antennas at their places.

    Attributes
    ----------
    telescope : str
        As the measurement set's OBSERVATION table names it.
    names : tuple of str
    positions : ndarray (A, 3)
        ITRF, m.
    diameter : float
        Of a dish, m.
    mount : str
        ``alt-az`` or ``equatorial``.
    feeds : str
        ``circular`` or ``linear``.
    frequency : float
        Lowest channel where none is asked for, Hz.
    swapped_band : tuple of float
        Frequencies, Hz, between which the telescope records its two dipoles exchanged.
    """

    telescope: str
    names: tuple[str, ...]
    positions: np.ndarray
    diameter: float
    mount: str
    feeds: str
    frequency: float
    swapped_band: tuple[float, float]


def known_arrays() -> list[str]:
    """Return the names of the arrays that the package ships."""
    folder = importlib.resources.files("visds.visibility.simulation") / "arrays"
    return sorted(entry.name.removesuffix(".csv") for entry in folder.iterdir()
                  if entry.name.endswith(".csv"))


def make_array(settings: ArraySettings) -> AntennaArray:
    """Return the array that the settings ask for, with the feeds, mount and number of antennas.

    Raises
    ------
    SettingsError
        If the array is neither known nor a file of antennas, or has too few antennas.
    """
    array = _read(settings.array)
    wanted = settings.antennas or len(array.names)
    if not 2 <= wanted <= len(array.names):
        raise SettingsError(f"--antennas: {settings.array} has {len(array.names)} antennas, "
                            f"so 2 to {len(array.names)} are possible, not {wanted}")
    # Antennas in order along an arm: every n-th keeps short and long baselines.
    chosen = np.linspace(0, len(array.names) - 1, wanted).round().astype(int)
    return dataclasses.replace(
        array, names=tuple(array.names[i] for i in chosen), positions=array.positions[chosen],
        feeds=settings.feeds or array.feeds, mount=settings.mount or array.mount)


def _read(name: str) -> AntennaArray:
    by_lower_case = {known.lower(): known for known in known_arrays()}
    known = by_lower_case.get(_STANDARD_CONFIGURATION.get(name.upper(), name).lower())
    if known is not None:
        folder = importlib.resources.files("visds.visibility.simulation") / "arrays"
        return parse_antennas((folder / f"{known}.csv").read_text(), known)
    if not Path(name).is_file():
        raise SettingsError(f"--array: '{name}' is neither a file nor one of "
                            f"{', '.join(('VLA', *known_arrays()))}")
    try:
        return parse_antennas(Path(name).read_text(), name)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--array: cannot read {name}: {error}") from error


def parse_antennas(text: str, source: str) -> AntennaArray:
    """Return the array written in the text of a CSV file.

    Columns name, x, y, z (ITRF, m); a comment may hold words ``telescope=``, ``diameter=`` (m),
    ``mount=``, ``feeds=``, ``frequency=`` and ``swapped=`` (``LOW-HIGH``).

    Raises
    ------
    SettingsError
        If a column is missing or a position is not a number.
    """
    lines = text.splitlines()
    facts = dict(_FACTS)
    for line in lines:
        if line.startswith("#"):
            facts.update(word.split("=", 1) for word in line[1:].split()
                         if word.partition("=")[0] in _FACTS and "=" in word)
    rows = list(csv.DictReader(line for line in lines if line.strip() and line[0] != "#"))
    try:
        positions = np.array([[float(row[axis]) for axis in "xyz"] for row in rows])
        names = tuple(row["name"].strip() for row in rows)
        diameter = float(facts["diameter"])
    except (KeyError, TypeError, ValueError) as error:
        raise SettingsError(f"{source}: not a table of antennas with columns name, x, y, z "
                            f"({type(error).__name__}: {error})") from error
    if len(names) < 2 or len(set(names)) < len(names):
        raise SettingsError(f"{source}: two or more antennas with different names are needed")
    if facts["mount"] not in ("alt-az", "equatorial") or \
            facts["feeds"] not in ("circular", "linear"):
        raise SettingsError(f"{source}: mount must be alt-az or equatorial and feeds circular or "
                            f"linear, not {facts['mount']} and {facts['feeds']}")
    low, high = (parse(edge, HERTZ) for edge in f"{facts['swapped']}-0Hz".split("-")[:2])
    return AntennaArray(facts["telescope"], names, positions, diameter, facts["mount"],
                        facts["feeds"], parse(facts["frequency"], HERTZ), (low, high))
