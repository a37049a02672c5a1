"""Bands of known interference: the transmitters of the sky and of the site, from a table."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from visds.core.errors import SettingsError

KNOWN, NONE = "known", "none"
_PACKAGED = Path(__file__).with_name("rfi_bands.csv")


@dataclass(frozen=True)
class RfiBand:
    """A band in Hz that transmitters use; `telescopes` at whose sites, anywhere if empty."""

    low: float
    high: float
    name: str
    telescopes: frozenset[str] = frozenset()


def read_rfi_bands(chosen: str, telescope: str = "") -> tuple[RfiBand, ...]:
    """Return the bands of a table that concern a telescope.

    Parameters
    ----------
    chosen : str
        "known" for the table that comes with visds, "none", or a CSV file with the columns low,
        high (Hz), name and, if some rows are of some telescopes only, telescope: their names with
        blanks between. Lines that start with # are comments.
    telescope : str
        Its name as the measurement set has it; rows of other telescopes are left out.

    Raises
    ------
    SettingsError
        If the file cannot be read, lacks a column, or a row has no band.
    """
    if chosen == NONE:
        return ()
    path = _PACKAGED if chosen == KNOWN else Path(chosen)
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines()
                 if line.strip() and not line.startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--rfi-bands: {path} cannot be read ({error})") from None
    rows = csv.DictReader(lines, skipinitialspace=True)
    missing = {"low", "high", "name"} - set(rows.fieldnames or ())
    if missing:
        raise SettingsError(f"--rfi-bands: {path} has no column {', '.join(sorted(missing))} "
                            f"(expected low, high, name)")
    bands = [_band(row, path) for row in rows]
    return tuple(band for band in bands
                 if not band.telescopes or telescope.upper() in band.telescopes)


def covered(bands: Sequence[RfiBand], low: float, high: float) -> tuple[float, str]:
    """Return the share of a band (Hz) that known ones cover, and the name of the one most in it."""
    shares, inside = {}, []
    for band in bands:
        start, stop = max(low, band.low), min(high, band.high)
        if stop > start:
            shares[band.name] = shares.get(band.name, 0.0) + stop - start
            inside.append((start, stop))
    total, reached = 0.0, -math.inf
    for start, stop in sorted(inside):
        total += max(0.0, stop - max(start, reached))
        reached = max(reached, stop)
    name = max(shares, key=shares.get) if shares else ""
    return total / (high - low), name


def _band(row: dict, path: Path) -> RfiBand:
    try:
        low, high = float(row["low"]), float(row["high"])
    except (TypeError, ValueError):
        low = high = math.nan
    if not 0 < low < high < math.inf:
        raise SettingsError(f"--rfi-bands: {path} has a row without a band: low {row['low']}, high "
                            f"{row['high']} (expected Hz, low below high)")
    names = (row.get("telescope") or "").upper().split()
    return RfiBand(low, high, (row["name"] or "").strip(), frozenset(names))
