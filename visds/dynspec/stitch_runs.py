"""Spectra of several runs stitched to one: nights, bands, parts of an observation.

Sums are put beside each other, or added where a run has integrations at other frequencies of the
same scan, as `stitch` does with the blocks of one run: what comes out is what one run of all the
data would have made. Nothing is scaled, shifted or binned, and what would need it is refused.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from visds.core.ephemeris import BUILTIN_ERROR_ARCSEC
from visds.core.errors import SettingsError
from visds.core.plural import counted
from visds.core.sky import Direction, angle_text, separation
from visds.dynspec.cuts import CutSettings, cut_cells
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.stitch import common_axes, stitch
from visds.dynspec.universal_time import date_and_time

_DAY, _YEAR = 86400.0, 365.25
_SAME = 1e-3
"""Of a channel's width, and of an integration: times and frequencies so near are the same."""
_FASTEST = 11.0 / 3600
"""Degrees in a year by which a star of the same name may have moved (Barnard's star: 10.4)."""
_SCALES = (0.8, 1.25)


def stitch_runs(spectra: Sequence[DynamicSpectrum], names: Sequence[str]) -> DynamicSpectrum:
    """Return the spectrum of all runs of a direction, the runs called `names` in messages.

    Scans of two runs that overlap in time are one; others of a number that is taken get that plus
    a thousand, and spectral windows of one number at other frequencies the next free one; `meta`
    says under `stitched` which were which. Channels keep their widths. The arrival times are those
    of the runs, the power of the primary beam the mean of the runs that have the channel. Cuts are
    those of a run, and are left out.

    Raises
    ------
    SettingsError
        If the runs are not of the same direction, Stokes parameters, receptors, convention of V,
        kind of weights or corrections; if channels of two runs lie across each other, or scans
        overlap whose integrations are not as long; or if two hold the same time and frequency,
        which would count twice.
    """
    spectra = [cut_cells(spectrum, CutSettings()) for spectrum in spectra]
    for (one, name), (other, another) in itertools.combinations(
            zip(spectra, names, strict=True), 2):
        _refuse_unlike(one, other, name, another)
        _refuse_crossing(one, other, name, another)
        _refuse_twice(one, other, name, another)
    scans = _scan_numbers(spectra, names)
    windows = _window_numbers(spectra)
    spectra = [spectrum.replace(
        scan=_renumbered(spectrum.scan, scan),
        spectral_window=_renumbered(spectrum.spectral_window, window))
        for spectrum, scan, window in zip(spectra, scans, windows, strict=True)]
    bands = _band_numbers(spectra)
    axes = common_axes(
        (part.time, part.integration, int(part.scan[0]), part.frequency, part.channel_width, band)
        for spectrum, band in zip(spectra, bands, strict=True) for part in _by_scan(spectrum))
    stitched = stitch((part for spectrum in spectra for part in _by_scan(spectrum)), axes, {})
    return stitched.replace(
        **_from_runs(stitched, spectra),
        meta=_meta(spectra, names, scans, windows)
        | {name: stitched.meta[name] for name in ("weight_scale", "longest_baseline_m",
                                                  "repeated_baselines")})


@dataclass(frozen=True)
class _Scan:
    """A scan of the stitched spectrum: its ends (MJD) and the length of its integrations (s)."""

    start: float
    stop: float
    length: float

    def overlaps(self, other: "_Scan") -> bool:
        """Whether two scans share half an integration of the shorter ones."""
        half = 0.5 * min(self.length, other.length) / _DAY
        return min(self.stop, other.stop) - max(self.start, other.start) > half

    def with_(self, other: "_Scan") -> "_Scan":
        """Return the scan that both are."""
        return _Scan(min(self.start, other.start), max(self.stop, other.stop), self.length)


def _refuse_unlike(one: DynamicSpectrum, other: DynamicSpectrum, name: str, another: str) -> None:
    def refuse(what: str, first: Any, second: Any) -> None:
        raise SettingsError(f"{name} and {another} cannot be stitched: {what} {first} and {second}")

    for key, words in (("target", "the targets are"), ("role", "the directions are")):
        first, second = (str(spectrum.meta.get(key, "target")) for spectrum in (one, other))
        if "".join(first.split()).casefold() != "".join(second.split()).casefold():
            refuse(words, f"'{first}'", f"'{second}'")
    away = _separation(one.meta, other.meta)
    years = abs(one.time.mean() - other.time.mean()) / _YEAR
    beam = max(float(spectrum.meta.get("beam_arcsec", 0) or 0) for spectrum in (one, other)) / 3600
    moves = str(one.meta.get("target", "")).casefold() in BUILTIN_ERROR_ARCSEC
    if away > beam / 2 + _FASTEST * years and not moves:
        raise SettingsError(f"{name} and {another} cannot be stitched: "
                            f"'{one.meta.get('target', '')}' is {angle_text(away)} from itself, "
                            "more than half a beam and any proper motion")
    if one.polarizations != other.polarizations:
        refuse("the Stokes parameters are", " ".join(one.polarizations),
               " ".join(other.polarizations))
    if one.parallel_hands != other.parallel_hands:
        refuse("the correlations are", " and ".join(one.parallel_hands),
               " and ".join(other.parallel_hands))
    _refuse_other_handedness(one, other, refuse)
    calibrated = [bool(spectrum.meta.get("weights_calibrated", True)) for spectrum in (one, other)]
    if calibrated[0] != calibrated[1]:
        refuse("the weights are", *("1/sigma^2" if known else "without scale"
                                    for known in calibrated))
    if not calibrated[0]:
        scales = [spectrum.meta.get("weight_scale", {}) for spectrum in (one, other)]
        ratios = [scales[0][label] / scales[1][label] for label in scales[0].keys() & scales[1]]
        if any(not _SCALES[0] < ratio < _SCALES[1] for ratio in ratios):
            raise SettingsError(
                f"{name} and {another} cannot be stitched: the weights have no scale, and would "
                "need factors of {} and {} (visds-run --weights measured gives both one "
                "scale)".format(*(", ".join(f"{label} {scale:.3g}" for label, scale in
                                            scales_of.items()) for scales_of in scales)))
    for key, words in (("primary_beam", "corrected for the primary beam"),
                       ("smearing_corrected", "corrected for smearing")):
        done = [spectrum.meta.get(key, "none") not in ("none", False) for spectrum in (one, other)]
        if done[0] != done[1]:
            refuse("the flux densities are", *(words if yes else f"not {words}" for yes in done))
    frames = [spectrum.meta.get("frequency_frame", "") for spectrum in (one, other)]
    if frames[0] != frames[1]:
        refuse("the frames of the frequencies are", *frames)


def _refuse_other_handedness(one: DynamicSpectrum, other: DynamicSpectrum, refuse) -> None:
    """Refuse another convention of V, and signs that differ where no source says that they do."""
    first, second = (dict(spectrum.meta.get("handedness", {})) for spectrum in (one, other))
    if bool(first.get("pulsar_convention")) != bool(second.get("pulsar_convention")):
        refuse("the conventions of V are", *(
            "the pulsar's" if settled.get("pulsar_convention") else "the IAU's"
            for settled in (first, second)))
    signs = [(bool(settled.get("swap_feeds")), tuple(settled.get("negate", ())),
              float(settled.get("stokes_scale", 1))) for settled in (first, second)]
    # Another band or telescope may well have other signs, if it is known.
    is_known = first.get("source") and second.get("source")
    if signs[0] != signs[1] and not (is_known and not _same_channels(one, other).any()):
        refuse("what was done to the signs on reading (--handedness) is", *(
            f"swap={'yes' if swap else 'no'} negate={''.join(negate) or 'none'} scale={scale:g}"
            for swap, negate, scale in signs))


def _separation(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    places = [Direction(float(meta["ra_deg"]), float(meta["dec_deg"])) for meta in (one, other)
              if "ra_deg" in meta and "dec_deg" in meta]
    return float(separation(*places)) if len(places) == 2 else 0.0


def _same_channels(one: DynamicSpectrum, other: DynamicSpectrum) -> np.ndarray:
    """Return which pairs (F,F') of channels are the same, in frequency and width."""
    narrower = np.minimum(one.channel_width[:, None], other.channel_width)
    return ((np.abs(one.frequency[:, None] - other.frequency) <= _SAME * narrower)
            & (np.abs(one.channel_width[:, None] - other.channel_width) <= _SAME * narrower))


def _refuse_crossing(one: DynamicSpectrum, other: DynamicSpectrum, name: str,
                     another: str) -> None:
    apart = np.abs(one.frequency[:, None] - other.frequency)
    widths = (one.channel_width[:, None] + other.channel_width) / 2
    narrower = np.minimum(one.channel_width[:, None], other.channel_width)
    crossing = (widths - apart > 0.01 * narrower) & ~_same_channels(one, other)
    if crossing.any():
        i, j = np.argwhere(crossing)[0]
        raise SettingsError(
            f"{name} and {another} cannot be stitched: channels of {one.channel_width[i] / 1e6:g} "
            f"MHz at {one.frequency[i] / 1e6:.6g} MHz and of {other.channel_width[j] / 1e6:g} MHz "
            f"at {other.frequency[j] / 1e6:.6g} MHz lie across each other (the same "
            "--channel-bin, --band or --spw for both)")


def _refuse_twice(one: DynamicSpectrum, other: DynamicSpectrum, name: str, another: str) -> None:
    if not _same_channels(one, other).any():
        return
    order = np.argsort(one.time)
    start = (one.time - one.integration / _DAY / 2)[order]
    stop = np.maximum.accumulate((one.time + one.integration / _DAY / 2)[order])
    half = other.integration / _DAY / 2
    some = _SAME * np.minimum(one.integration.min(), other.integration.min()) / _DAY
    after = np.searchsorted(stop, other.time - half + some, "right")
    twice = (after < len(start)) & (start[np.minimum(after, len(start) - 1)]
                                    < other.time + half - some)
    if twice.any():
        raise SettingsError(
            f"{name} and {another} cannot be stitched: {counted(int(twice.sum()), 'integration')} "
            f"of {another}, from {date_and_time(other.time[twice].min())}, "
            f"{'is' if twice.sum() == 1 else 'are'} at times and frequencies that {name} holds, "
            "and would count twice")


def _scan_numbers(spectra: Sequence[DynamicSpectrum],
                  names: Sequence[str]) -> list[dict[int, int]]:
    """Return the new number of each scan of each run.

    Scans of two runs that overlap in time are one, as of two bands that were observed at once.
    """
    result: list[dict[int, int]] = [{} for _ in spectra]
    held: dict[int, _Scan] = {}
    for run in sorted(range(len(spectra)), key=lambda number: spectra[number].time.min()):
        scans = {int(scan): _scan_of(spectra[run], int(scan)) for scan in
                 np.unique(spectra[run].scan)}
        for scan, own in scans.items():
            known = [new for new, other in held.items() if own.overlaps(other)]
            if len(known) > 1 or (known and (known[0] in result[run].values() or abs(
                    own.length - held[known[0]].length) > 0.01 * own.length)):
                raise SettingsError(
                    f"{names[run]} cannot be stitched: its scan {scan}, of integrations of "
                    f"{own.length:g} s, overlaps in time with other scans or integrations of "
                    f"{held[known[0]].length:g} s in {' and '.join(_others(names, run))} "
                    "(visds-plot draws them together)")
            if known:
                result[run][scan] = known[0]
        new = [scan for scan in scans if scan not in result[run]]
        taken = held.keys() | result[run].values()
        raised = next(by for by in itertools.count(0, 1000)
                      if not any(scan + by in taken for scan in new))
        result[run] |= {scan: scan + raised for scan in new}
        for scan, own in scans.items():
            number = result[run][scan]
            held[number] = own.with_(held[number]) if number in held else own
    return result


def _others(names: Sequence[str], run: int) -> list[str]:
    return [name for number, name in enumerate(names) if number != run]


def _scan_of(spectrum: DynamicSpectrum, scan: int) -> "_Scan":
    member = spectrum.scan == scan
    half = spectrum.integration[member] / _DAY / 2
    return _Scan(float((spectrum.time[member] - half).min()),
                 float((spectrum.time[member] + half).max()),
                 float(np.median(spectrum.integration[member])))


def _window_numbers(spectra: Sequence[DynamicSpectrum]) -> list[dict[int, int]]:
    """Return the new number of each spectral window of each run."""
    held: dict[int, DynamicSpectrum] = {}
    result: list[dict[int, int]] = []
    originals: dict[int, int] = {}
    for spectrum in spectra:
        own: dict[int, int] = {}
        for window in map(int, np.unique(spectrum.spectral_window)):
            channels = spectrum.select_channels(spectrum.spectral_window == window)
            same = [new for new, other in held.items() if originals[new] == window
                    and _same_channels(channels, other).any()]
            new = same[0] if same else window
            while not same and new in held:
                new = max(held) + 1
            held.setdefault(new, channels)
            originals.setdefault(new, window)
            own[window] = new
        result.append(own)
    return result


def _band_numbers(spectra: Sequence[DynamicSpectrum]) -> list[int]:
    """Return a number for each run: the same for runs of the same channels."""
    firsts: list[DynamicSpectrum] = []
    numbers = []
    for spectrum in spectra:
        same = [number for number, first in enumerate(firsts)
                if len(first.frequency) == len(spectrum.frequency)
                and np.diagonal(_same_channels(first, spectrum)).all()]
        if not same:
            firsts.append(spectrum)
        numbers.append(same[0] if same else len(firsts) - 1)
    return numbers


def _renumbered(values: np.ndarray, numbers: Mapping[int, int]) -> np.ndarray:
    return np.array([numbers[int(value)] for value in values], values.dtype)


def _by_scan(spectrum: DynamicSpectrum):
    """Yield the scans of a spectrum in the form of blocks."""
    meta = {"flag_counts": {}, "longest_baseline_m": spectrum.meta.get("longest_baseline_m", 0.0),
            "repeated_baselines": spectrum.meta.get("repeated_baselines", 0)}
    for scan in np.unique(spectrum.scan):
        yield spectrum.select_times(spectrum.scan == scan).replace(meta=meta)


def _from_runs(stitched: DynamicSpectrum, spectra: Sequence[DynamicSpectrum]) -> dict[str, Any]:
    """Return arrival times, spectral windows and powers of the beam, as the runs have them."""
    arrival = np.full(len(stitched.time), np.nan)
    window = stitched.spectral_window.copy()
    power, runs = np.zeros(len(window)), np.zeros(len(window), int)
    for spectrum in spectra:
        for scan in np.unique(spectrum.scan):
            rows = np.flatnonzero(stitched.scan == scan)
            own = np.flatnonzero(spectrum.scan == scan)
            own = own[np.argsort(spectrum.time[own])]
            nearest = rows[_nearest(stitched.time[rows], spectrum.time[own])]
            delay = (spectrum.time_barycentre - spectrum.time)[own]
            arrival[nearest] = np.where(np.isnan(arrival[nearest]),
                                        stitched.time[nearest] + delay, arrival[nearest])
        places = _nearest(stitched.frequency, spectrum.frequency)
        window[places] = spectrum.spectral_window
        used = spectrum.primary_beam > 0
        power[places] += np.where(used, spectrum.primary_beam, 0)
        runs[places] += used
    return {"time_barycentre": arrival, "spectral_window": window,
            "primary_beam": power / np.maximum(runs, 1)}


def _nearest(axis: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the places of the nearest of an ascending axis."""
    right = np.clip(np.searchsorted(axis, values), 0, len(axis) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(axis[left] - values) <= np.abs(axis[right] - values), left, right)


def _meta(spectra: Sequence[DynamicSpectrum], names: Sequence[str],
          scans: Sequence[Mapping[int, int]], windows: Sequence[Mapping[int, int]]
          ) -> dict[str, Any]:
    metas = [spectrum.meta for spectrum in spectra]
    joined = {key: ", ".join(dict.fromkeys(str(meta[key]) for meta in metas if key in meta))
              for key in ("telescope", "measurement_set", "column", "weights", "model",
                          "primary_beam") if any(key in meta for meta in metas)}
    beams = [float(meta["beam_arcsec"]) for meta in metas if meta.get("beam_arcsec")]
    return metas[0] | joined | ({"beam_arcsec": max(beams)} if beams else {}) | {
        "flag_statistics": _flag_statistics(metas),
        "stitched": [{
            "name": name, "start": float(spectrum.time.min()), "stop": float(spectrum.time.max()),
            "scans": {str(old): new for old, new in scan.items()},
            "spectral_windows": {str(old): new for old, new in window.items()}}
            for name, spectrum, scan, window in zip(names, spectra, scans, windows, strict=True)]}


def _flag_statistics(metas: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the fractions of the visibilities of all runs."""
    held = [meta["flag_statistics"] for meta in metas if "flag_statistics" in meta]
    total = sum(one["visibilities"] for one in held)
    reasons = dict.fromkeys(reason for one in held for reason in one if reason != "visibilities")
    return {"visibilities": total} | {
        reason: sum(one.get(reason, 0.0) * one["visibilities"] for one in held) / max(total, 1)
        for reason in reasons}
