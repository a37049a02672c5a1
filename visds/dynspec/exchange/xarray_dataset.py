"""xarray Datasets of light curves and dynamic spectra; xarray is an optional extra."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from visds.core.arrays import ArraySpec, Record
from visds.core.errors import SettingsError
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.light_curve import LightCurve

_DIMENSIONS = {"T": "time", "F": "frequency", "P": "polarization"}
_UNIX_EPOCH = 40587  # MJD of 1970-01-01
_NANOSECONDS = 86400 * 10**9
_ESTIMATES = (("flux_density", "Jy", "flux density: real part of the weighted mean"),
              ("sigma", "Jy", "standard error of the flux density"),
              ("sigma_robust", "Jy", "sigma, enlarged to what is found where nothing should be"),
              ("sigma_formal", "Jy", "standard error that the weights give"),
              ("residual", "Jy", "imaginary part of the weighted mean"))


def spectrum_dataset(spectrum: DynamicSpectrum) -> Any:
    """Return a dynamic spectrum as an xarray Dataset of dimensions time, frequency, polarization.

    Variables `flux_density`, `sigma`, `sigma_robust`, `sigma_formal`, `residual` (Jy; NaN where
    flagged), `count`, `flags` and `inflation` (frequency, polarization). `time` is MJD UTC (d) and
    `frequency` Hz; beside them `utc` (datetime64, ns), `time_barycentre` (MJD TDB), `integration`,
    `scan`, `channel_width`, `spectral_window` and `primary_beam`. Units are attributes `units`;
    `meta` is in the attributes, nested parts as JSON.

    Raises
    ------
    SettingsError
        If xarray is not installed.
    """
    specs = spectrum.array_specs()
    arrays = {name: (_names("TFP"), getattr(spectrum, name), _said(unit, meaning))
              for name, unit, meaning in _ESTIMATES}
    arrays |= {name: _variable(spectrum, name, specs[name])
               for name in ("count", "flags", "inflation")}
    return _dataset(spectrum, arrays, spectrum.meta)


def light_curve_dataset(curve: LightCurve) -> Any:
    """Return a light curve as an xarray Dataset of dimensions time and polarization.

    Variables `flux_density`, `sigma`, `sigma_formal`, `residual` (Jy; NaN where nothing is left of
    an integration), `count` and `covariance`; coordinates as in `spectrum_dataset`.

    Raises
    ------
    SettingsError
        If xarray is not installed.
    """
    arrays = {name: _variable(curve, name, spec) for name, spec in curve.array_specs().items()
              if "P" in spec.axes or name == "covariance"}
    return _dataset(curve, arrays, {"band_Hz": list(curve.band), "frequency_Hz": curve.frequency})


def _dataset(record: Record, arrays: dict[str, tuple], meta: Mapping[str, Any]) -> Any:
    try:
        import xarray
    except ImportError as error:
        raise SettingsError("xarray is not installed: pip install 'visds[xarray]'") from error
    coordinates = {name: _variable(record, name, spec)
                   for name, spec in record.array_specs().items() if spec.axes in ("T", "F")
                   and name not in arrays}
    days = np.floor(record.time)
    nanoseconds = np.round((record.time - days) * _NANOSECONDS).astype("i8")
    since = (days.astype("i8") - _UNIX_EPOCH) * _NANOSECONDS + nanoseconds
    coordinates["utc"] = ("time", since.view("M8[ns]"), {"long_name": "time of day, UTC"})
    coordinates["polarization"] = ("polarization", list(record.polarizations))
    return xarray.Dataset(arrays, coordinates, {
        name: value if isinstance(value, (str, int, float)) and not isinstance(value, bool)
        else json.dumps(value) for name, value in meta.items()})


def _variable(record: Record, name: str, spec: ArraySpec) -> tuple:
    return _names(spec.axes), getattr(record, name), _said(spec.unit, spec.meaning)


def _names(axes: str) -> tuple[str, ...]:
    return tuple(_DIMENSIONS[axis] for axis in axes)


def _said(unit: str, meaning: str) -> dict[str, str]:
    return ({"units": unit} if unit else {}) | {"long_name": meaning}
