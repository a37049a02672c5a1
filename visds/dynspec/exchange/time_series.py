"""Light curves as astropy TimeSeries, and as files of them that lightkurve and stingray read."""

import os
from collections.abc import Mapping
from typing import Any

import astropy.units as u
import numpy as np
from astropy.time import Time
from astropy.timeseries import TimeSeries

from visds.core.files import whole_file
from visds.dynspec.exchange.columns import observed
from visds.dynspec.light_curve import LightCurve


def time_series(curve: LightCurve, polarization: str | None = None, *,
                barycentre: bool = False) -> TimeSeries:
    """Return a light curve as an astropy TimeSeries, a row an integration, with units.

    `time` is a Time in UTC at the telescope and `time_barycentre` one in TDB at the solar system's
    barycentre, both as MJD; with `barycentre` the latter is `time`, the former `time_observed`.
    Further columns are `integration` (s), `scan` and, as in `LightCurve.to_table`, flux densities,
    errors and imaginary parts (Jy); of one `polarization` they are `flux`, `flux_err` and
    `residual`, the names that lightkurve looks for. Integrations of which nothing is left are NaN.
    The metadata hold `mjdref`, the day from which stingray counts its seconds.

    Raises
    ------
    ValueError
        If the light curve does not hold the polarization.
    """
    observed_at = Time(curve.time, format="mjd", scale="utc")
    arrival = Time(curve.time_barycentre, format="mjd", scale="tdb")
    series = TimeSeries(time=arrival if barycentre else observed_at)
    if barycentre:
        series["time_observed"] = observed_at
    else:
        series["time_barycentre"] = arrival
    series["integration"] = curve.integration * u.s
    series["scan"] = curve.scan
    chosen = curve.polarizations if polarization is None else (polarization,)
    for label in chosen:
        p = curve.index(label)
        names = (("flux", "flux_err", "residual") if polarization is not None
                 else (label, f"{label}_sigma", f"{label}_residual"))
        for name, values in zip(names, (curve.flux_density, curve.sigma, curve.residual),
                                strict=True):
            series[name] = values[:, p] * u.Jy
    series.meta |= {"mjdref": float(np.floor(series.time.mjd.min())), "band_Hz": list(curve.band),
                    "frequency_Hz": curve.frequency}
    if polarization is not None:
        series.meta["polarization"] = polarization
    return series


def write_time_series(series: TimeSeries, meta: Mapping[str, Any],
                      path: str | os.PathLike) -> None:
    """Write a time series as ECSV that keeps its scales of time, with what `meta` says of it.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    said = series.copy(copy_data=False)
    said.meta |= {name: value for name, value in observed(meta).items() if "time" not in name}
    with whole_file(path) as part:
        said.write(part, format="ascii.ecsv", overwrite=True)
