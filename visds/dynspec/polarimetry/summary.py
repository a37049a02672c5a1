"""What is told of the polarization of a burst or of the mean: the columns of tables."""

import dataclasses

import numpy as np
from astropy.table import Table

from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.polarimetry import linear
from visds.dynspec.polarimetry.ratio import fieller_interval
from visds.dynspec.polarimetry.rm_synthesis import FaradaySpectrum, faraday_spectrum
from visds.dynspec.polarimetry.settings import PolarizationSettings
from visds.dynspec.polarimetry.stokes_spectrum import StokesSpectrum, mean_spectrum

LEAST_INTENSITY_SNR = 5.0
"""Signal to noise of I below which a fraction of it has no standard error."""

COLUMNS = {
    "fraction_Q": (float, None, "Q/I of the band average (of linear feeds without cross-hands in "
                   "the frame of the feeds); NaN where I < 5 sigma"),
    "fraction_Q_error": (float, None, "its standard error"),
    "fraction_U": (float, None, "U/I of the band average; NaN where I < 5 sigma"),
    "fraction_U_error": (float, None, "its standard error"),
    "fraction_L": (float, None, "L/I of the band average, freed of the noise's bias; what Faraday "
                   "rotation takes away in the band is missing; NaN where I < 5 sigma"),
    "fraction_L_error": (float, None, "its standard error"),
    "fraction_V_low": (float, None, "end of the 68 % interval of V/I (Fieller), at any S/N of I"),
    "fraction_V_high": (float, None, "other end of that interval"),
    "fraction_V_interval": (str, None, "bounded; outside: V/I is up to fraction_V_low or from "
                            "fraction_V_high on; all: no V/I is excluded; empty: not known"),
    "polarization_angle": (float, "deg", "position angle of the band average, north through east; "
                           "NaN where L is weak"),
    "polarization_angle_error": (float, "deg", "its standard error"),
    "ellipticity": (float, "deg", "half the angle of V and L, with the sign of V; L of the peak of "
                    "the Faraday spectrum where there is an rm, else of the band average; NaN "
                    "where both are weak"),
    "ellipticity_error": (float, "deg", "its standard error"),
    "rm": (float, "rad/m2", "rotation measure of the highest peak of the Faraday spectrum, with "
           "that of the ionosphere; NaN where noise could have made the peak"),
    "rm_error": (float, "rad/m2", "its standard error"),
    "rm_snr": (float, None, "signal to noise of that peak"),
    "rm_probability": (float, None, "that noise has such a peak at any Faraday depth"),
    "fraction_L_derotated": (float, None, "L/I of that peak: Faraday rotation undone; NaN where "
                             "there is no rm or I < 5 sigma"),
    "fraction_L_derotated_error": (float, None, "its standard error"),
    "intrinsic_angle": (float, "deg", "position angle at wavelength zero by that rm"),
    "intrinsic_angle_error": (float, "deg", "its standard error"),
}


def polarization_row(stokes: StokesSpectrum, settings: PolarizationSettings) -> dict:
    """Return the values of `COLUMNS` of a Stokes spectrum; NaN for what it does not tell.

    Band averages weigh all Stokes parameters of a channel alike, by that of I, and leave out
    channels without one of them. Angles in degrees.
    """
    row = {name: "" if kind is str else np.nan for name, (kind, _, _) in COLUMNS.items()}
    band = band_average(stokes)
    means = {name: tuple(float(one[0]) for one in band.values(name)) for name in "IQUV"}
    for name in "QU":
        row[f"fraction_{name}"], row[f"fraction_{name}_error"] = _fraction(
            means[name], means["I"], float(band.covariance[0]) if name == band.partner else 0.0)
    covariance = float(band.covariance[0]) if band.partner == "V" else 0.0
    found = fieller_interval(means["V"][0], means["I"][0], means["V"][1], means["I"][1],
                             covariance)
    row["fraction_V_low"], row["fraction_V_high"] = found.low, found.high
    row["fraction_V_interval"] = found.kind
    if not stokes.has_linear:
        return row
    (q, sigma_q), (u, sigma_u), (v, sigma_v) = (means[name] for name in "QUV")
    polarized = tuple(map(float, linear.polarized_flux_density(q, u, sigma_q, sigma_u)))
    covariance = (float(band.covariance[0]) * q / np.hypot(q, u)
                  if band.partner == "Q" and (q or u) else 0.0)
    row["fraction_L"], row["fraction_L_error"] = _fraction(polarized, means["I"], covariance)
    angles = {"polarization_angle": linear.polarization_angle(
        q, u, sigma_q, sigma_u, settings.polarization_snr)}
    found = _significant(stokes, row, settings)
    if found is None:
        angles["ellipticity"] = linear.ellipticity(
            q, u, v, sigma_q, sigma_u, sigma_v, settings.polarization_snr)
    else:
        derotated = found.flux_density, found.noise
        angles["ellipticity"] = linear.ellipticity_of(
            *derotated, v, sigma_v, settings.polarization_snr)
        angles["intrinsic_angle"] = found.intrinsic_angle, found.intrinsic_angle_error
        row["rm"], row["rm_error"] = found.rm, found.rm_error
        row["fraction_L_derotated"], row["fraction_L_derotated_error"] = _fraction(
            derotated, means["I"], 0.0)
    for name, (angle, error) in angles.items():
        row[name], row[f"{name}_error"] = float(np.degrees(angle)), float(np.degrees(error))
    return row


def mean_table(spectrum: DynamicSpectrum, settings: PolarizationSettings) -> Table:
    """Return the polarization of the mean of each scan and of all scans: `COLUMNS` by ``scan``.

    All scans together come last, with the scan -1, where there is more than one.
    """
    scans = np.unique(spectrum.scan)
    parts = [(int(scan), spectrum.scan == scan) for scan in scans]
    parts += [(-1, slice(None))] * (len(scans) > 1)
    rows = [{"scan": scan} | polarization_row(mean_spectrum(spectrum, times), settings)
            for scan, times in parts]
    table = Table()
    columns = {"scan": (int, None, "scan number; -1: all scans")} | COLUMNS
    for name, (kind, unit, meaning) in columns.items():
        table[name] = np.array([row[name] for row in rows],
                               {str: "U8", float: "f8", int: "i8"}[kind])
        table[name].unit = unit
        table[name].description = meaning
    return table


def band_average(stokes: StokesSpectrum) -> StokesSpectrum:
    """Return the Stokes spectrum of one channel: the mean over the band, weights those of I.

    Every Stokes parameter is averaged with the weights 1/sigma^2 of I over the channels that have
    all of them, so that their ratios are those of one thing; NaN where there is no such channel.
    """
    _, sigma_i = stokes.values("I")
    good = (np.isfinite(stokes.flux_density + stokes.sigma).all(axis=1)
            & np.isfinite(sigma_i) & (sigma_i > 0))
    low, high = (stokes.frequency + sign * stokes.channel_width / 2 for sign in (-1, 1))
    edges = np.array([low[good].min(), high[good].max()]) if good.any() else np.full(2, np.nan)
    P = len(stokes.polarizations)
    if not good.any():
        return dataclasses.replace(
            stokes, frequency=edges[:1], channel_width=edges[:1], covariance=edges[:1],
            flux_density=np.full((1, P), np.nan), sigma=np.full((1, P), np.nan))
    weight = 1 / sigma_i[good] ** 2
    weight = (weight / weight.sum())[:, None]
    return StokesSpectrum(
        np.array([edges.mean()]), np.array([np.ptp(edges)]),
        np.sum(weight * stokes.flux_density[good], axis=0, keepdims=True),
        np.sqrt(np.sum((weight * stokes.sigma[good]) ** 2, axis=0, keepdims=True)),
        np.sum(weight[:, 0] ** 2 * stokes.covariance[good], keepdims=True),
        stokes.polarizations, stokes.partner)


def _significant(stokes: StokesSpectrum, row: dict, settings: PolarizationSettings
                 ) -> FaradaySpectrum | None:
    """Return the Faraday spectrum if its peak is no noise; put S/N and probability into `row`."""
    try:
        found = faraday_spectrum(stokes, largest_rm=settings.largest_rm)
    except ValueError:
        return None
    row["rm_snr"], row["rm_probability"] = found.snr, found.probability
    return found if found.probability <= settings.rm_false_alarm else None


def _fraction(part: tuple[float, float], whole: tuple[float, float], covariance: float
              ) -> tuple[float, float]:
    """Return part / whole and its standard error; NaN where the whole is below 5 sigma."""
    if not whole[0] >= LEAST_INTENSITY_SNR * whole[1]:
        return np.nan, np.nan
    ratio = part[0] / whole[0]
    variance = (part[1]**2 + (ratio * whole[1]) ** 2 - 2 * ratio * covariance) / whole[0]**2
    return ratio, float(np.sqrt(max(variance, 0)))
