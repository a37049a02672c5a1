"""Which flares a search found, and what it measured of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from astropy.table import Table

from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.injection.flare import Flare
from visds.injection.forced_photometry import ForcedPhotometry
from visds.injection.placement import Search

# An event whose S/N is above that of a flare by more is something else.
_CHANCE = 5.0

COLUMNS = {
    "search": (int, None, "number of the search that it was in"),
    "place": (str, None, "target, or field: elsewhere"),
    "direction": (str, None, "name of the direction, its own, that was searched"),
    "ra": (float, "deg", "of that direction, ICRS"),
    "dec": (float, "deg", "of that direction, ICRS"),
    "peak_time": (float, "d", "peak at the centre frequency, MJD UTC"),
    "duration": (float, "s", "full width at half maximum, or length of a box"),
    "frequency": (float, "Hz", "centre"),
    "bandwidth": (float, "Hz", "full width at half maximum, or of a box; infinite: all of the "
                  "band"),
    "drift": (float, "Hz / s", "infinite: none"),
    "shape": (str, None, "gaussian or box"),
    "fluence": (float, "Jy s", "Stokes I summed over time at the centre frequency"),
    "polarized": (str, None, "Stokes V as a share of I as asked for, without a sign: of either"),
    **{f"flux_density_{label}": (float, "Jy", f"Stokes {label} at the peak") for label in "IQUV"},
    "snr": (float, None, "signal to noise of a template that is the flare, the highest of the "
            "polarizations that were searched"),
    **{name: (float, "Jy s", meaning) for label in ("I", "V") for name, meaning in (
        (f"forced_fluence_{label}", f"Stokes {label} of that template, fitted to the data"),
        (f"forced_fluence_{label}_error", "its standard error"))},
    "recovered": (bool, None, "an event overlaps it in time and band"),
    "recovered_I": (bool, None, "that event is above the threshold in Stokes I"),
    "recovered_V": (bool, None, "that event is above the threshold in Stokes V, of its sign"),
    "event_snr": (float, None, "snr of the event; NaN here and below where there is none"),
    "event_polarization": (str, None, "I, +V, -V or L, as in detections.ecsv"),
    "event_fluence": (float, "Jy s", "of the event, in its polarization"),
    "event_fluence_error": (float, "Jy s", "its standard error"),
    "true_fluence": (float, "Jy s", "of the flare in that polarization and the event's band, of "
                     "all times"),
    "event_delay": (float, "s", "peak of the event less peak of the flare"),
    "event_duration": (float, "s", "from start to stop of the event"),
    "veto": (str, None, "vetoes of the event"),
}


def empty_table() -> Table:
    """Return the table of no flares, with all columns, units and descriptions."""
    table = Table()
    for name, (kind, unit, meaning) in COLUMNS.items():
        table[name] = np.zeros(0, {str: "U128", float: "f8", int: "i8", bool: "?"}[kind])
        table[name].unit = unit
        table[name].description = meaning
    return table


def rows(search: Search, spectrum: DynamicSpectrum, events: Table, before: np.ndarray,
         polarizations: Sequence[str], threshold: float, has_level: bool) -> list[dict]:
    """Return the rows of the flares of a search in `spectrum`, where it found `events`.

    `before` (T,F; bool) are the cells in which there is something without flares,
    `polarizations` those that were searched.
    """
    flares = search.flares
    forced = {label: ForcedPhotometry(spectrum, label, flares, before, has_level)
              for label in ("I", "Q", "U", "V") if label in spectrum.polarizations}
    fits = [{label: one.height(flare) for label, one in forced.items()} for flare in flares]
    strengths = [_strength(flare, fit, polarizations)
                 for flare, fit in zip(flares, fits, strict=True)]
    found = overlapping(flares, strengths, events, edges(spectrum))
    return [_row(search, place, spectrum, fits[place], strengths[place],
                 events[found[place]] if place in found else None, threshold)
            for place in range(len(flares))]


def overlapping(flares: Sequence[Flare], strengths: Sequence[float], events: Table,
                band: tuple[float, float]) -> dict[int, int]:
    """Return the event, by its row, of each flare, by its place, that was recovered.

    An event is of a flare if it overlaps in time and band with what is above half of the flare's
    peak, has the sign of its Stokes V if it was found there, and no signal to noise beyond that of
    the flare by more than 5. One that overlaps several is of the nearest in time.
    """
    best: dict[int, int] = {}
    for number, event in enumerate(events):
        fitting = [place for place, flare in enumerate(flares)
                   if _fits(flare, strengths[place], event, band)]
        if not fitting:
            continue
        nearest = min(fitting, key=lambda place: abs(
            flares[place].peak - event["peak_time"]))
        if nearest not in best or event["snr"] > events["snr"][best[nearest]]:
            best[nearest] = number
    return best


def false_events(search: Search, events: Table, base: Table, band: tuple[float, float]) -> int:
    """Return how many events of a search are neither of its flares nor there without them.

    What lies where a flare reaches is of the flare, if only a piece of it; `base` are the events
    without flares.
    """
    spans = [flare.span(*band) for flare in search.flares]
    return sum(not any(event["start"] < end and begin < event["stop"] for begin, end in spans)
               and not _is_among(event, base) for event in events)


def edges(spectrum: DynamicSpectrum) -> tuple[float, float]:
    """Return the ends of the band of a spectrum in Hz."""
    half = spectrum.channel_width / 2
    return (float((spectrum.frequency - half).min()), float((spectrum.frequency + half).max()))


def cells_of(events: Table, spectrum: DynamicSpectrum) -> np.ndarray:
    """Return which cells (T,F) of a spectrum lie in events."""
    inside = np.zeros(spectrum.flags.shape[:2], bool)
    for event in events:
        times = (spectrum.time > event["start"]) & (spectrum.time < event["stop"])
        band = (spectrum.frequency > event["band_low"]) & (
            spectrum.frequency < event["band_high"])
        inside |= np.outer(times, band)
    return inside


def _is_among(event: Mapping, others: Table) -> bool:
    return any(event["start"] < other["stop"] and other["start"] < event["stop"]
               and event["band_low"] < other["band_high"]
               and other["band_low"] < event["band_high"] for other in others)


def _fits(flare: Flare, strength: float, event: Mapping, band: tuple[float, float]) -> bool:
    start, stop, low, high = flare.core(*band)
    sign = {"+V": 1, "-V": -1}.get(event["polarization"], 0)
    return bool(event["start"] < stop and start < event["stop"] and event["band_low"] < high
                and low < event["band_high"] and sign * flare.of("V") >= 0
                and event["snr"] <= strength + _CHANCE)


def _strength(flare: Flare, fit: Mapping[str, tuple[float, float]],
              polarizations: Sequence[str]) -> float:
    """Return the signal to noise that a template of the flare's own profile has in the mean."""
    found = [abs(flare.of(label)) / fit["Q" if label == "L" else label][1]
             for label in polarizations if ("Q" if label == "L" else label) in fit]
    return float(max(found, default=0.0))


def _row(search: Search, place: int, spectrum: DynamicSpectrum,
         fit: Mapping[str, tuple[float, float]], strength: float, event: Mapping | None,
         threshold: float) -> dict:
    flare, kind = search.flares[place], search.kinds[place]
    area = flare.fluence / flare.stokes[0] if flare.stokes[0] else flare.duration
    row = {
        "search": search.number, "place": str(spectrum.meta.get("role", "")),
        "direction": str(spectrum.meta.get("target", "")),
        "ra": float(spectrum.meta["ra_deg"]), "dec": float(spectrum.meta["dec_deg"]),
        "peak_time": flare.peak, "duration": flare.duration, "frequency": flare.frequency,
        "bandwidth": flare.bandwidth, "drift": flare.drift, "shape": flare.shape,
        "fluence": kind.fluence, "polarized": kind.fraction_v.text,
        **{f"flux_density_{label}": flare.of(label) for label in "IQUV"}, "snr": strength,
        "recovered": event is not None, "recovered_I": False, "recovered_V": False,
        "event_snr": np.nan, "event_polarization": "", "event_fluence": np.nan,
        "event_fluence_error": np.nan, "true_fluence": np.nan, "event_delay": np.nan,
        "event_duration": np.nan, "veto": ""}
    for label in ("I", "V"):
        height, error = fit.get(label, (np.nan, np.nan))
        row[f"forced_fluence_{label}"] = height * area
        row[f"forced_fluence_{label}_error"] = error * area
    if event is None:
        return row
    polarization = str(event["polarization"])
    sign = 1 if flare.of("V") >= 0 else -1
    return row | {
        "recovered_I": bool(event["snr_I"] >= threshold),
        "recovered_V": bool(sign * event["snr_V"] >= threshold),
        "event_snr": float(event["snr"]), "event_polarization": polarization,
        "event_fluence": float(event["fluence"]),
        "event_fluence_error": float(event["fluence_error"]),
        "true_fluence": flare.fluence_in(
            polarization[-1], float(event["band_low"]), float(event["band_high"]),
            spectrum.frequency, spectrum.channel_width),
        "event_delay": float(event["peak_time"] - flare.peak) * 86400,
        "event_duration": float(event["duration"]), "veto": str(event["veto"])}
