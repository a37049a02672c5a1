"""The light curve: a dynamic spectrum averaged over a band."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from astropy.table import Table

from visds.core import quantities
from visds.core.arrays import Record, array, attribute
from visds.dynspec import binning


@dataclass(frozen=True, eq=False, repr=False)
class LightCurve(Record):
    """Flux density per integration in one band, with its errors.

    NaN where no visibility of the band is left in the integration.
    """

    format_name: ClassVar[str] = "visds.lightcurve"
    format_version: ClassVar[int] = 1

    time: np.ndarray = array("T", "f8", "d", "centre of the integration, MJD UTC")
    integration: np.ndarray = array("T", "f8", "s", "length of the integration")
    time_barycentre: np.ndarray = array(
        "T", "f8", "d", "time of arrival at the solar system's barycentre, MJD TDB")
    scan: np.ndarray = array("T", "i4", "", "scan number")
    flux_density: np.ndarray = array("TP", "f8", "Jy", "real part of the weighted mean")
    sigma: np.ndarray = array("TP", "f8", "Jy", "standard error of the flux density")
    sigma_formal: np.ndarray = array("TP", "f8", "Jy", "standard error that the weights give")
    residual: np.ndarray = array("TP", "f8", "Jy", "imaginary part of the weighted mean")
    count: np.ndarray = array("TP", "i8", "", "number of visibilities")
    covariance: np.ndarray = array(
        "T", "f8", "Jy2", "covariance of I and V (circular feeds) or I and Q (linear feeds)")
    polarizations: tuple[str, ...] = attribute("labels on axis P, among I Q U V")
    band: tuple[float, float] = attribute("lowest and highest frequency in Hz")
    frequency: float = attribute("mean frequency of the channels, by their width, in Hz")

    @classmethod
    def from_spectrum(cls, spectrum, band: quantities.Band | None = None) -> "LightCurve":
        """Return the light curve of the channels of a `DynamicSpectrum` centred in `band`.

        The band is two frequencies, in Hz or with a unit, Quantities, or text (see
        `quantities.band`).

        Raises
        ------
        ValueError
            If no channel is in the band.
        SettingsError
            If `band` is no band.
        """
        low, high = (-np.inf, np.inf) if band is None else quantities.band(band)
        inside = (spectrum.frequency >= low) & (spectrum.frequency <= high)
        if not inside.any():
            asked = (f"{low / 1e6:.3f} and {high / 1e6:.3f} MHz" if abs(high) >= 1e4
                     else f"{low:g} and {high:g} Hz")
            raise ValueError(f"no channel between {asked}; the spectrum has "
                             f"{spectrum.frequency[0] / 1e6:.3f} to "
                             f"{spectrum.frequency[-1] / 1e6:.3f} MHz")
        chosen = spectrum if inside.all() else spectrum.select_channels(inside)
        edges = (float(np.min(chosen.frequency - chosen.channel_width / 2)),
                 float(np.max(chosen.frequency + chosen.channel_width / 2)))
        single = chosen.sum_channels(binning.whole(len(chosen.frequency)))
        values = {name: getattr(single, name)[:, 0] for name in
                  ("flux_density", "sigma", "sigma_formal", "residual", "count")}
        covariance = (single.covariance[:, 0] if single.has_parallel_pair
                      else np.full(len(single.time), np.nan))
        return cls(time=single.time, integration=single.integration,
                   time_barycentre=single.time_barycentre, scan=single.scan,
                   covariance=covariance, polarizations=single.polarizations, band=edges,
                   frequency=float(single.frequency[0]), **values)

    def index(self, polarization: str) -> int:
        """Return the place of a Stokes parameter on axis P.

        Raises
        ------
        ValueError
            If the light curve does not hold it.
        """
        if polarization not in self.polarizations:
            raise ValueError(f"Stokes {polarization} is not in this light curve; it holds "
                             f"{', '.join(self.polarizations)}")
        return self.polarizations.index(polarization)

    def to_table(self) -> Table:
        """Return the light curve as an astropy table, a row an integration, Jy and days."""
        table = Table()
        specs = self.array_specs()

        def add(column: str, name: str, values: np.ndarray, of: str = "") -> None:
            table[column] = values
            table[column].unit = specs[name].unit or None
            table[column].description = of + specs[name].meaning

        for name in ("time", "time_barycentre", "integration", "scan"):
            add(name, name, getattr(self, name))
        for p, label in enumerate(self.polarizations):
            for name in ("flux_density", "sigma", "sigma_formal", "residual", "count"):
                add(label if name == "flux_density" else f"{label}_{name}", name,
                    getattr(self, name)[:, p], f"Stokes {label}: ")
        add("covariance", "covariance", self.covariance)
        table.meta["band_Hz"] = list(self.band)
        table.meta["frequency_Hz"] = self.frequency
        return table

    def to_time_series(self, polarization: str | None = None, *, barycentre: bool = False) -> Any:
        """Return an astropy TimeSeries; of one `polarization` with columns flux and flux_err.

        `time` is UTC, or with `barycentre` TDB; see `visds.dynspec.exchange.time_series`.
        """
        from visds.dynspec.exchange.time_series import time_series

        return time_series(self, polarization, barycentre=barycentre)

    def to_xarray(self) -> Any:
        """Return an xarray Dataset of dimensions time and polarization, with units.

        See `visds.dynspec.exchange.xarray_dataset.light_curve_dataset`.
        """
        from visds.dynspec.exchange.xarray_dataset import light_curve_dataset

        return light_curve_dataset(self)

    def plot(self, *, detections: Any = None, **options: Any) -> Any:
        """Return the matplotlib figure of the light curve; a notebook shows it by itself.

        A panel for each polarization, as `visds-plot` draws it, without bins: the integrations are
        those of the light curve.

        Parameters
        ----------
        detections : astropy Table, optional
            To be shaded and numbered in the panel of their polarization.
        **options
            Those of `DynamicSpectrum.plot` that concern light curves.

            * figure: picture_width, picture_height, picture_resolution, label_size,
              tick_rotation, plot_title
            * units: flux_unit, stellar_radius, stellar_distance
            * time axis: time_axis, time_unit, gaps, scan_edges
            * light curve: curves, flux_range, colour_by_polarization, invert_v
            * marks: mark_time, mark_flux, mark_detections

        Raises
        ------
        SettingsError
            If the light curve does not hold what is to be drawn, or for an option that cannot be
            used.
        """
        from visds.dynspec.plots.draw import curve_figure

        return curve_figure(self, detections=detections, **options)
