"""Light curves and dynamic spectra as tables: what every table format is written from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.table import Table

from visds.core.flags import Flag
from visds.core.version import __version__
from visds.dynspec.dynamic_spectrum import DynamicSpectrum

_OF_CELLS = (("", "flux_density", "Jy", "flux density, real part of the weighted mean"),
             ("_sigma", "sigma", "Jy", "standard error of the flux density"),
             ("_sigma_robust", "sigma_robust", "Jy",
              "sigma, enlarged to what is found where nothing should be"),
             ("_residual", "residual", "Jy", "imaginary part of the weighted mean"),
             ("_count", "count", None, "number of visibilities"),
             ("_flags", "flags", None, "bits of all that was left out, as `flags` in the metadata"))


def spectrum_table(spectrum: DynamicSpectrum) -> Table:
    """Return a dynamic spectrum as a long table: a row a cell, channel after channel of each time.

    Columns `time` (MJD UTC), `time_barycentre` (MJD TDB), `integration` (s), `scan`, `frequency`
    and `channel_width` (Hz); for each Stokes parameter, such as I, the flux density `I`, `I_sigma`,
    `I_sigma_robust` and `I_residual` (Jy; NaN where flagged), `I_count` and `I_flags`; and
    `covariance` (Jy2) of I and V (circular feeds) or Q (linear feeds) where both are held.
    """
    T, F = len(spectrum.time), len(spectrum.frequency)
    table = Table()
    for name, spec in spectrum.array_specs().items():
        if name in ("time", "time_barycentre", "integration", "scan"):
            _add(table, name, np.repeat(getattr(spectrum, name), F), spec.unit, spec.meaning)
        if name in ("frequency", "channel_width"):
            _add(table, name, np.tile(getattr(spectrum, name), T), spec.unit, spec.meaning)
    for p, label in enumerate(spectrum.polarizations):
        for ending, name, unit, meaning in _OF_CELLS:
            values = getattr(spectrum, name)[..., p].ravel()
            _add(table, label + ending, values.astype("i4") if name == "flags" else values, unit,
                 f"Stokes {label}: {meaning}")
    if spectrum.has_parallel_pair:
        _add(table, "covariance", spectrum.covariance.ravel(), "Jy2",
             f"covariance of I and {'V' if 'RR' in spectrum.parallel_hands else 'Q'}")
    table.meta["flags"] = {flag.name: int(flag) for flag in Flag if flag != Flag.COUPLED}
    table.meta |= observed(spectrum.meta)
    return table


def light_curve_table(spectrum: DynamicSpectrum, band: Any = None) -> Table:
    """Return the light curve of a dynamic spectrum's `band` (default: all) as a table.

    Columns as `LightCurve.to_table`, a row an integration; NaN where nothing is left of it.

    Raises
    ------
    ValueError, SettingsError
        As `LightCurve.from_spectrum`.
    """
    table = spectrum.light_curve(band).to_table()
    table.meta |= observed(spectrum.meta)
    return table


def observed(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a table's metadata say of the observation: what is known of target and data."""
    known = {name: meta[name] for name in (
        "target", "role", "ra_deg", "dec_deg", "telescope", "field", "frequency_frame", "weights",
        "primary_beam", "model", "measurement_set") if meta.get(name) not in (None, "")}
    pulsar = (meta.get("handedness") or {}).get("pulsar_convention", False)
    return known | {"v_convention": "pulsar" if pulsar else "IAU",
                    "time_scale": "UTC at the telescope, MJD",
                    "time_barycentre_scale": "TDB at the barycentre, MJD",
                    "origin": f"visds {__version__}"}


def _add(table: Table, name: str, values: np.ndarray, unit: str | None, meaning: str) -> None:
    table[name] = values
    table[name].unit = unit or None
    table[name].description = meaning
