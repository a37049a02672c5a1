"""The table of detections: its columns, and the measurement of an event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Column, Table
from astropy.time import Time

from visds.dynspec.brightness import brightness_temperature, radio_luminosity
from visds.dynspec.detection import measure, vetoes
from visds.dynspec.detection.boxes import Boxes
from visds.dynspec.detection.events import Tile
from visds.dynspec.detection.false_alarm import FalseAlarms
from visds.dynspec.detection.noise import Plane
from visds.dynspec.detection.rfi_bands import RfiBand
from visds.dynspec.detection.shape import shape_of
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.polarimetry import summary
from visds.dynspec.polarimetry.ratio import fieller_interval
from visds.dynspec.polarimetry.settings import PolarizationSettings
from visds.dynspec.polarimetry.stokes_spectrum import burst_spectrum, mean_spectrum

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
    "polarization": (str, None, "search that it stands out of most: I, +V, -V or L"),
    "template": (str, None, "box or gaussian: shape of the best template of that search"),
    "snr": (float, None, "signal to noise of the best template in that search; of L that of "
            "sqrt(Q^2 + U^2), which of noise has a Rayleigh distribution"),
    "snr_I": (float, None, "signal to noise of Stokes I in the best template"),
    "snr_V": (float, None, "signal to noise of Stokes V in the best template, with its sign"),
    "false_alarm_probability": (
        float, None, "that noise reaches this anywhere in the observation"),
    "peak_flux_density": (
        float, "Jy", "mean of the brightest box inside the event that is itself above the "
        "threshold and has half of snr; Stokes I, V or L as in polarization, above the level"),
    "peak_flux_density_error": (float, "Jy", "its standard error, as if that box had been chosen "
                                "beforehand: noise makes the brightest one too bright"),
    "brightness_temperature": (
        float, "K", "of peak_flux_density at peak_frequency, of the whole disc of the star; NaN "
        "where its radius or its distance is not known"),
    "luminosity": (float, "erg / (s Hz)", "L_nu = 4 pi d^2 S of peak_flux_density, as if it went "
                   "evenly into all directions; NaN where the distance is not known"),
    "nu_luminosity": (float, "erg / s", "nu L_nu at peak_frequency"),
    "flux_density_I": (float, "Jy", "mean of Stokes I in the best box"),
    "flux_density_I_error": (float, "Jy", "its standard error, as if the box had been chosen "
                             "beforehand: that of the best of many scatters by up to 1.6 of it"),
    "flux_density_V": (float, "Jy", "mean of Stokes V in the best box"),
    "flux_density_V_error": (float, "Jy", "its standard error, as if the box had been chosen "
                             "beforehand: that of the best of many scatters by up to 1.6 of it"),
    "fraction_V": (float, None, "V/I of the best box; NaN where I < 5 sigma"),
    "fraction_V_error": (float, None, "its standard error, with the covariance of I and V, as if "
                         "the box had been chosen beforehand: at the threshold |V/I| is too small "
                         "by a half of it, for the box is where noise lifted I"),
    "fluence": (float, "Jy s", "band average from band_low to band_high, summed over the unflagged "
                "integrations from start to stop; Stokes I, V or L as in polarization"),
    "fluence_error": (float, "Jy s", "its standard error"),
    "delay": (float, "s / MHz", "time of arrival per frequency: positive where it is later at "
              "higher frequency; NaN where it cannot be told"),
    "delay_error": (float, "s / MHz", "its standard error"),
    "drift_rate": (float, "MHz / s", "1 / delay; NaN where that is not above three of its errors"),
    "drift_rate_error": (float, "MHz / s", "its standard error"),
    "rise_time": (float, "s", "from half of the peak to the peak, the drift taken out; an upper "
                  "limit where its error is NaN; NaN where it was not seen"),
    "rise_time_error": (float, "s", "its standard error; NaN of a limit"),
    "decay_time": (float, "s", "from the peak to half of it; an upper limit where its error is "
                   "NaN; NaN where it was not seen"),
    "decay_time_error": (float, "s", "its standard error; NaN of a limit"),
    **summary.COLUMNS,
    "veto": (str, None, "names of the vetoes that are set below; empty if none is"),
    "off_source_snr": (float, None, "signal to noise of the best box in polarization that is "
                       "farthest from zero in directions without a source; NaN without these"),
    "veto_off_source": (bool, None, "that is above half of snr, and above noise"),
    "incoherent_excess": (float, "Jy", "by how much visibilities scatter more about their mean in "
                          "the best box than outside of events; negative if less"),
    "incoherent_snr": (float, None, "signal to noise of the square of that"),
    "veto_incoherent": (bool, None, "that is above 5, and the excess above the flux density"),
    "antenna_share": (float, None, "largest share of the flux density that is gone without one "
                      "antenna; NaN where the visibilities were not looked at"),
    "antenna": (int, None, "number of that antenna; -1 without"),
    "veto_antenna": (bool, None, "that share is above a half, and above noise"),
    "rfi_band": (str, None, "known band of interference that covers most of the best box"),
    "rfi_band_share": (float, None, "share of the best box' band that such bands cover"),
    "veto_rfi_band": (bool, None, "that share is above a half"),
    "flagged_border": (float, None, "share of the cells around the best box that are flagged"),
    "veto_edge": (bool, None, "that share is by a quarter above that of all cells"),
    "box_start": (float, "d", "beginning of the best box, MJD UTC"),
    "box_stop": (float, "d", "end of the best box, MJD UTC"),
    "box_low": (float, "Hz", "lower edge of the best box"),
    "box_high": (float, "Hz", "upper edge of the best box"),
}


def empty_table() -> Table:
    """Return the table of no detections, with all columns, units and descriptions."""
    kinds = {str: "U128", float: "f8", int: "i8", bool: "?"}
    return Table([Column(np.zeros(0, kinds[kind]), name, unit=unit, description=meaning)
                  for name, (kind, unit, meaning) in COLUMNS.items()])


@dataclass(frozen=True)
class Search:
    """A search of a spectrum: its planes by polarization, and what they were searched with.

    `signs` are those of `events.find_tiles`; `thresholds` and `alarms` by polarization.
    """

    spectrum: DynamicSpectrum
    planes: Mapping[str, Plane]
    signs: Mapping[str, tuple[str, int]]
    boxes: Boxes
    thresholds: Mapping[str, float]
    alarms: Mapping[str, FalseAlarms]


@dataclass(frozen=True)
class _Event:
    """An event: all that is detected of it, its best template, and what found it."""

    hull: Tile
    tile: Tile
    name: str
    snr: float


def measured(search: Search, groups: Sequence[Sequence[Tile]],
             controls: Sequence[Mapping[str, Plane]], bands: Sequence[RfiBand],
             polarization: PolarizationSettings) -> list[dict]:
    """Return the rows of the events that stay above the threshold on their final level.

    The level is that outside the hulls of all events. `groups` are the tiles of each event,
    `controls` the planes of directions without a source, made when they are asked for; `bands`
    those of known interference.
    """
    hulls = [Tile(g[0].search, max(t.snr for t in g), min(t.start for t in g),
                  max(t.stop for t in g), min(t.low for t in g), max(t.high for t in g))
             for g in groups]
    inside, tiled = np.zeros((2, *search.spectrum.flags.shape[:2]), bool)
    for hull, group in zip(hulls, groups, strict=True):
        inside[hull.cells] = True
        for tile in group:
            tiled[tile.cells] = True
    levels = {p: [measure.quiescent_level(part, search.boxes, inside, tiled)
                  for part in plane.components] for p, plane in search.planes.items()}
    events = [event for hull, group in zip(hulls, groups, strict=True)
              if (event := _best(search, levels, hull, group)) is not None]
    elsewhere = _off_source(search, events, inside, controls)
    return [_row(search, levels, event, [other.hull for other in events if other is not event],
                 inside, (snr, len(controls)), bands, polarization)
            for event, snr in zip(events, elsewhere, strict=True)]


def _off_source(search: Search, events: Sequence[_Event], inside: np.ndarray,
                controls: Sequence[Mapping[str, Plane]]) -> list[float]:
    """Return the signal to noise of largest modulus that the box of each event has in controls.

    They are taken one after the other. NaN where none has data there.
    """
    found: list[list[float]] = [[] for _ in events]
    for control in controls if events else ():
        for event, snr in zip(events, found, strict=True):
            polarization, _ = search.signs[event.name]
            if polarization in control:
                snr.append(vetoes.off_source_snr(control[polarization], search.boxes, event.tile,
                                                 inside))
    return [max((one for one in snr if np.isfinite(one)), key=abs, default=np.nan)
            for snr in found]


def _best(search: Search, levels: Mapping[str, Sequence[measure.Level]], hull: Tile,
          group: Sequence[Tile]) -> _Event | None:
    """Return the event of some tiles; None where none is above its threshold."""
    best, event = -np.inf, None
    for tile in group:
        for name, (p, sign) in search.signs.items():
            snr = _signal_to_noise(search, levels, p, tile)
            snr = snr if p == "L" else sign * snr
            # As if all had the same threshold: the square is what noise falls off with.
            above = snr * abs(snr) - search.thresholds[p] ** 2
            if above > best:
                best, event = above, _Event(hull, tile, name, float(snr))
    # The same sum in another order may be smaller in the last digit.
    threshold = search.thresholds[search.signs[event.name][0]] if event else np.inf
    return event if event and event.snr >= threshold * (1 - 1e-9) else None


def _signal_to_noise(search: Search, levels: Mapping[str, Sequence[measure.Level]], p: str,
                     tile: Tile) -> float:
    """Return the signal to noise of the template of a tile in a polarization; NaN without it."""
    if p not in search.planes:
        return np.nan
    found = _amplitudes(search, levels, p, tile)
    snr = [mean / error for mean, error in found]
    return float(snr[0] if len(snr) == 1 else np.hypot(*snr))


def _amplitudes(search: Search, levels: Mapping[str, Sequence[measure.Level]], p: str, tile: Tile
                ) -> list[tuple[float, float]]:
    """Return the height of a tile's template, and its error, in each component of a plane."""
    return [measure.amplitude(part, tile, level, search.boxes)
            for part, level in zip(search.planes[p].components, levels[p], strict=True)]


def _row(search: Search, levels: Mapping[str, Sequence[measure.Level]], event: _Event,
         others: Sequence[Tile], inside: np.ndarray, elsewhere: tuple[float, int],
         bands: Sequence[RfiBand], settings: PolarizationSettings) -> dict:
    spectrum, hull, box = search.spectrum, event.hull, event.tile
    polarization, sign = search.signs[event.name]
    own, level = search.planes[polarization], levels[polarization][0]
    if polarization == "L":
        (q, _), (u, _) = _amplitudes(search, levels, "L", event.tile)
        own = own.at_angle(np.arctan2(u, q) / 2)
        level = measure.quiescent_level(own, search.boxes, inside, inside)
    least = max(event.snr / 2, search.thresholds[polarization])
    peak = measure.brightest(own, sign, hull, level, least) or box
    peak_mean, peak_error = measure.flux_density(own, peak, level)
    peak_start, peak_stop = _times(spectrum, peak)
    peak_low, peak_high = _band(spectrum, peak)
    peak_time, peak_frequency = (peak_start + peak_stop) / 2, (peak_low + peak_high) / 2
    start, stop = _times(spectrum, hull)
    box_start, box_stop = _times(spectrum, box)
    box_low, box_high = _band(spectrum, box)
    means = {p: measure.flux_density(search.planes[p], box, levels[p][0])
             if p in search.planes else (np.nan, np.nan) for p in ("I", "V")}
    fraction = _fraction_v(spectrum, search.planes, means, box)
    total, total_error = measure.fluence(own, hull, level, spectrum.integration)
    beam = spectrum.meta.get("beam_arcsec")
    position_error = np.nan if beam is None else float(beam) / (2 * event.snr)
    # The scale TAI only formats: UTC would look for leap seconds that are not yet known.
    stamp = Time(peak_time, format="mjd", scale="tai", precision=1).isot
    target = str(spectrum.meta.get("target", "")) or "event"
    direction = {key: spectrum.meta.get(f"{key}_deg") for key in ("ra", "dec")}
    row = {
        "name": f"{target} {stamp}",
        **{key: np.nan if value is None else float(value) for key, value in direction.items()},
        "ra_error": position_error, "dec_error": position_error,
        "position": "assumed", "image_snr": np.nan, "image_offset": np.nan,
        "image_flux_density": np.nan, "image_flux_density_error": np.nan,
        "start": start, "stop": stop, "duration": round((stop - start) * 86400, 5),
        "peak_time": peak_time, "peak_frequency": peak_frequency,
        **dict(zip(("band_low", "band_high"), _band(spectrum, hull), strict=True)),
        "scan": int(spectrum.scan[peak.start]), "polarization": event.name,
        "template": "gaussian" if event.tile.gaussian else "box", "snr": event.snr,
        **{f"snr_{p}": _signal_to_noise(search, levels, p, event.tile) for p in ("I", "V")},
        "false_alarm_probability": float(search.alarms[polarization].probability(event.snr)),
        "peak_flux_density": peak_mean, "peak_flux_density_error": peak_error,
        "flux_density_I": means["I"][0], "flux_density_I_error": means["I"][1],
        "flux_density_V": means["V"][0], "flux_density_V_error": means["V"][1],
        "fraction_V": np.nan, "fraction_V_error": np.nan,
        "fluence": total, "fluence_error": total_error,
        "box_start": box_start, "box_stop": box_stop, "box_low": box_low, "box_high": box_high,
    }
    row |= _power(spectrum, abs(peak_mean), peak_frequency)
    row |= _shape(spectrum, own, sign, event, level, others, search.boxes)
    row |= _polarization(spectrum, box, inside, settings, search.boxes.quiescent != "none")
    row |= fraction
    return row | _vetoes(search, event, own, level, inside, elsewhere, bands, box_low, box_high)


def _power(spectrum: DynamicSpectrum, flux_density: float, frequency: float) -> dict:
    """Return brightness temperature and luminosity, as far as distance and radius are known."""
    distance, radius = (float(value) if value is not None else np.nan for value in (
        spectrum.meta.get("distance_pc"), spectrum.meta.get("radius_rsun")))
    luminosity = (radio_luminosity(flux_density, distance_pc=distance) if distance > 0 else np.nan)
    return {
        "brightness_temperature": brightness_temperature(
            flux_density, frequency, radius_solar=radius, distance_pc=distance)
        if distance > 0 and radius > 0 else np.nan,
        "luminosity": luminosity, "nu_luminosity": luminosity * frequency}


def _shape(spectrum: DynamicSpectrum, own: Plane, sign: int, event: _Event, level: measure.Level,
           others: Sequence[Tile], boxes: Boxes) -> dict:
    cells = np.zeros(own.weight.shape, bool)
    for other in others:
        cells[other.cells] = True
    cells[event.hull.cells] = False
    shape = shape_of(own, sign, event.hull, _scan(boxes, event.tile), level, cells, spectrum.time,
                     spectrum.integration, spectrum.frequency)
    return {"delay": shape.delay * 1e6, "delay_error": shape.delay_error * 1e6,
            "drift_rate": shape.drift_rate / 1e6, "drift_rate_error": shape.drift_rate_error / 1e6,
            **{name: getattr(shape, name) for name in (
                "rise_time", "rise_time_error", "decay_time", "decay_time_error")}}


def _polarization(spectrum: DynamicSpectrum, box: Tile, inside: np.ndarray,
                  settings: PolarizationSettings, has_level: bool) -> dict:
    times, channels = box.cells
    quiet = ~inside.any(1)
    if not quiet.any():
        quiet[:] = True
        quiet[times] = False
    if not has_level:
        part = mean_spectrum(spectrum.select_channels(channels), times)
    elif quiet.any():
        part = burst_spectrum(spectrum, times, quiet, channels)
    else:
        return {name: "" if kind is str else np.nan
                for name, (kind, _, _) in summary.COLUMNS.items()}
    return summary.polarization_row(part, settings)


def _vetoes(search: Search, event: _Event, own: Plane, level: measure.Level, inside: np.ndarray,
            elsewhere: tuple[float, int], bands: Sequence[RfiBand], low: float,
            high: float) -> dict:
    """Return what the vetoes look at, and the vetoes, of an event whose best box has this band.

    `elsewhere` is the signal to noise off source, and of how many directions.
    """
    box = event.tile
    polarization, _ = search.signs[event.name]
    flux_density, _ = measure.flux_density(own, box, level)
    used = np.any([plane.weight > 0 for plane in search.planes.values()], axis=0)
    excess, excess_snr = vetoes.incoherent_excess(search.spectrum, polarization, box, inside)
    border = vetoes.flagged_border(used, _scan(search.boxes, box), box)
    values = {
        "off_source_snr": elsewhere[0],
        "veto_off_source": vetoes.is_off_source(event.snr, *elsewhere),
        "incoherent_excess": excess, "incoherent_snr": excess_snr,
        "veto_incoherent": vetoes.is_incoherent(flux_density, excess, excess_snr),
        "antenna_share": np.nan, "antenna": -1, "veto_antenna": False,
        **vetoes.band_columns(bands, low, high),
        "flagged_border": border,
        "veto_edge": bool(border - np.mean(~used) > vetoes.BORDER),
    }
    return values | {"veto": vetoes.vetoed(values)}


def _scan(boxes: Boxes, tile: Tile) -> slice:
    return next(scan for scan in boxes.scans if scan.start <= tile.start < scan.stop)


def _fraction_v(spectrum: DynamicSpectrum, planes: Mapping[str, Plane],
                means: Mapping[str, tuple[float, float]], box: Tile) -> dict:
    """Return the columns of V/I of a box: `DynamicSpectrum.fraction`, and Fieller's interval.

    Both with the errors of the flux densities, those of gains among them. Nothing without both.
    """
    (intensity, sigma_i), (v, sigma_v) = means["I"], means["V"]
    if not np.isfinite([intensity, sigma_i, v, sigma_v]).all():
        return {}
    covariance = 0.0
    if "RR" in spectrum.parallel_hands:
        covariance = sigma_i * sigma_v * measure.correlation(
            planes["I"], planes["V"], _covariance(spectrum, box), box)
    found = fieller_interval(v, intensity, sigma_v, sigma_i, covariance)
    row = {"fraction_V_low": found.low, "fraction_V_high": found.high,
           "fraction_V_interval": found.kind}
    if intensity < 5 * sigma_i:
        return row
    ratio = v / intensity
    variance = (sigma_v**2 + ratio**2 * sigma_i**2 - 2 * ratio * covariance) / intensity**2
    return row | {"fraction_V": ratio, "fraction_V_error": float(np.sqrt(max(variance, 0)))}


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
