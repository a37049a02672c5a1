"""The table of detections: its columns, and the measurement of an event."""

import numpy as np
from astropy.table import Table
from astropy.time import Time

from visds.dynspec.detection import measure
from visds.dynspec.detection.boxes import Boxes
from visds.dynspec.detection.events import Tile
from visds.dynspec.detection.false_alarm import FalseAlarms
from visds.dynspec.detection.noise import Plane
from visds.dynspec.dynamic_spectrum import DynamicSpectrum

COLUMNS = {
    "name": (str, None, "target and time of the peak (UTC)"),
    "ra": (float, "deg", "ICRS: fitted in the difference image, or assumed: that of the target"),
    "dec": (float, "deg", "ICRS: fitted in the difference image, or assumed: that of the target"),
    "ra_error": (float, "arcsec", "on the sky: of the fit, or beam / (2 S/N) where assumed"),
    "dec_error": (float, "arcsec", "of the fit, or beam / (2 S/N) where assumed"),
    "position": (str, None, "image, or assumed: no image was made, it has no source there, or a "
                 "sidelobe could as well be the source"),
    "image_snr": (float, None, "signal to noise of the source fitted near the target in the "
                  "difference image; 0 where none could be fitted, NaN without an image"),
    "image_offset": (float, "arcsec", "how far that source is from the target, whose direction the "
                     "flux densities of the spectrum are of"),
    "image_flux_density": (float, "Jy", "of that source in the difference image, of the best box "
                           "less the time around it: Stokes I or V as in polarization, apparent"),
    "image_flux_density_error": (float, "Jy", "its standard error"),
    "start": (float, "d", "beginning of the first detected integration, MJD UTC"),
    "stop": (float, "d", "end of the last detected integration, MJD UTC"),
    "duration": (float, "s", "stop less start"),
    "peak_time": (float, "d", "centre of the brightest box, MJD UTC"),
    "band_low": (float, "Hz", "lower edge of the lowest detected channel"),
    "band_high": (float, "Hz", "upper edge of the highest detected channel"),
    "peak_frequency": (float, "Hz", "centre of the brightest box"),
    "scan": (int, None, "scan of the peak"),
    "polarization": (str, None, "search of highest signal to noise: I, +V or -V"),
    "snr": (float, None, "signal to noise of the best box in that search"),
    "snr_I": (float, None, "signal to noise of Stokes I in the best box"),
    "snr_V": (float, None, "signal to noise of Stokes V in the best box, with its sign"),
    "false_alarm_probability": (
        float, None, "that noise reaches this anywhere in the observation"),
    "peak_flux_density": (
        float, "Jy", "mean of the brightest box inside the event that is itself above the "
        "threshold and has half of snr; Stokes I or V as in polarization, above the level"),
    "peak_flux_density_error": (float, "Jy", "its standard error"),
    "flux_density_I": (float, "Jy", "mean of Stokes I in the best box"),
    "flux_density_I_error": (float, "Jy", "its standard error"),
    "flux_density_V": (float, "Jy", "mean of Stokes V in the best box"),
    "flux_density_V_error": (float, "Jy", "its standard error"),
    "fraction_V": (float, None, "V/I of the best box; NaN where I < 5 sigma"),
    "fraction_V_error": (float, None, "its standard error, with the covariance of I and V"),
    "fluence": (float, "Jy s", "band average from band_low to band_high, summed from start to "
                "stop; Stokes I or V as in polarization"),
    "fluence_error": (float, "Jy s", "its standard error"),
    "box_start": (float, "d", "beginning of the best box, MJD UTC"),
    "box_stop": (float, "d", "end of the best box, MJD UTC"),
    "box_low": (float, "Hz", "lower edge of the best box"),
    "box_high": (float, "Hz", "upper edge of the best box"),
}


def empty_table() -> Table:
    """Return the table of no detections, with all columns, units and descriptions."""
    table = Table()
    for name, (kind, unit, meaning) in COLUMNS.items():
        table[name] = np.zeros(0, {str: "U128", float: "f8", int: "i8"}[kind])
        table[name].unit = unit
        table[name].description = meaning
    return table


def measured(spectrum: DynamicSpectrum, planes: dict[str, Plane],
             signs: dict[str, tuple[str, int]], boxes: Boxes, groups: list[list[Tile]],
             threshold: float, alarms: FalseAlarms) -> list[dict]:
    """Return the rows of the events that stay above the threshold on their final level.

    The level is that outside the hulls of all events. `signs` are those of `events.find_tiles`,
    `groups` the tiles of each event.
    """
    hulls = [Tile(g[0].search, 0.0, min(t.start for t in g), max(t.stop for t in g),
                  min(t.low for t in g), max(t.high for t in g)) for g in groups]
    inside, tiled = np.zeros((2, len(spectrum.time), len(spectrum.frequency)), bool)
    for hull, group in zip(hulls, groups, strict=True):
        inside[hull.cells] = True
        for tile in group:
            tiled[tile.cells] = True
    levels = {p: measure.quiescent_level(planes[p], boxes, inside, tiled) for p in planes}
    rows = []
    for hull, group in zip(hulls, groups, strict=True):
        snr, name, box = -np.inf, "", hull
        for tile in group:
            for search_name, (p, sign) in signs.items():
                mean, error = measure.mean_flux_density(planes[p], tile, levels[p])
                if sign * mean / error > snr:
                    snr, name, box = sign * mean / error, search_name, tile
        # The same sum in another order may be smaller in the last digit.
        if snr >= threshold * (1 - 1e-9):
            rows.append(_row(spectrum, planes, levels, signs, hull, box, name, snr,
                             threshold, alarms))
    return rows


def _row(spectrum: DynamicSpectrum, planes: dict[str, Plane], levels: dict[str, measure.Level],
         signs: dict[str, tuple[str, int]], hull: Tile, box: Tile, name: str, snr: float,
         threshold: float, alarms: FalseAlarms) -> dict:
    polarization, sign = signs[name]
    own, level = planes[polarization], levels[polarization]
    peak = measure.brightest(own, sign, hull, level,
                             max(snr / 2, threshold)) or box
    peak_mean, peak_error = measure.mean_flux_density(own, peak, level)
    peak_start, peak_stop = _times(spectrum, peak)
    peak_low, peak_high = _band(spectrum, peak)
    peak_time = (peak_start + peak_stop) / 2
    start, stop = _times(spectrum, hull)
    box_start, box_stop = _times(spectrum, box)
    means = {p: measure.mean_flux_density(planes[p], box, levels[p]) if p in planes
             else (np.nan, np.nan) for p in ("I", "V")}
    fraction, fraction_error = _fraction_v(spectrum, planes, means, box)
    total, total_error = measure.fluence(own, hull, level, spectrum.integration)
    beam = spectrum.meta.get("beam_arcsec")
    position_error = np.nan if beam is None else float(beam) / (2 * snr)
    # The scale TAI only formats: UTC would look for leap seconds that are not yet known.
    stamp = Time(peak_time, format="mjd", scale="tai", precision=1).isot
    target = str(spectrum.meta.get("target", "")) or "event"
    direction = {key: spectrum.meta.get(f"{key}_deg") for key in ("ra", "dec")}
    return {
        "name": f"{target} {stamp}",
        **{key: np.nan if value is None else float(value) for key, value in direction.items()},
        "ra_error": position_error, "dec_error": position_error,
        "position": "assumed", "image_snr": np.nan, "image_offset": np.nan,
        "image_flux_density": np.nan, "image_flux_density_error": np.nan,
        "start": start, "stop": stop, "duration": round((stop - start) * 86400, 5),
        "peak_time": peak_time, "peak_frequency": (peak_low + peak_high) / 2,
        **dict(zip(("band_low", "band_high"), _band(spectrum, hull), strict=True)),
        "scan": int(spectrum.scan[peak.start]), "polarization": name, "snr": snr,
        "snr_I": means["I"][0] / means["I"][1], "snr_V": means["V"][0] / means["V"][1],
        "false_alarm_probability": float(alarms.probability(snr)),
        "peak_flux_density": peak_mean, "peak_flux_density_error": peak_error,
        "flux_density_I": means["I"][0], "flux_density_I_error": means["I"][1],
        "flux_density_V": means["V"][0], "flux_density_V_error": means["V"][1],
        "fraction_V": fraction, "fraction_V_error": fraction_error,
        "fluence": total, "fluence_error": total_error,
        "box_start": box_start, "box_stop": box_stop,
        **dict(zip(("box_low", "box_high"), _band(spectrum, box), strict=True)),
    }


def _fraction_v(spectrum: DynamicSpectrum, planes: dict[str, Plane],
                means: dict[str, tuple[float, float]], box: Tile) -> tuple[float, float]:
    """Return V/I of a box and its error, as `DynamicSpectrum.fraction`."""
    (intensity, sigma_i), (v, sigma_v) = means["I"], means["V"]
    if not (intensity >= 5 * sigma_i and np.isfinite(v)):
        return np.nan, np.nan
    covariance = 0.0
    if "RR" in spectrum.parallel_hands:
        covariance = sigma_i * sigma_v * measure.correlation(
            planes["I"], planes["V"], _covariance(spectrum, box), box)
    ratio = v / intensity
    variance = (sigma_v**2 + ratio**2 * sigma_i**2 - 2 * ratio * covariance) / intensity**2
    return ratio, float(np.sqrt(max(variance, 0)))


def _covariance(spectrum: DynamicSpectrum, box: Tile) -> np.ndarray:
    times, channels = box.cells
    return spectrum.select_times(times).select_channels(channels).covariance


def _times(spectrum: DynamicSpectrum, tile: Tile) -> tuple[float, float]:
    half = spectrum.integration / 2 / 86400
    return (float(spectrum.time[tile.start] - half[tile.start]),
            float(spectrum.time[tile.stop - 1] + half[tile.stop - 1]))


def _band(spectrum: DynamicSpectrum, tile: Tile) -> tuple[float, float]:
    half = spectrum.channel_width / 2
    return (float(spectrum.frequency[tile.low] - half[tile.low]),
            float(spectrum.frequency[tile.high - 1] + half[tile.high - 1]))
