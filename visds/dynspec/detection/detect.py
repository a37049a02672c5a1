"""Detections: what varies in a dynamic spectrum, found by a matched filter at a known rate.

The stage searches Stokes I for bursts, Stokes V for bursts of either sign and, if asked, linear
polarization, above thresholds that noise alone exceeds as often as
`DetectSettings.false_alarm_rate` says: see `false_alarm` and `controls` for how that is known,
`matched_filter` for the filter and `events` for what makes one event. Q and U are summed as they
are: Faraday rotation that turns them within a template takes of its signal.

By default the quiescent level, the weighted mean in time of each channel, is taken off, so that a
constant source is not an event; whether it is there, and varies slowly, is told by
`variability.statistics` of its light curve. A trend over the observation is variation, and is
found as a long event. A resolved source changes its mean over baselines as they rotate without
varying. The scatter across baselines tells how far (`noise.structure_error`), but not when: a
light curve alone cannot tell a change of a few such errors from variation.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np
from astropy.table import Table

from visds.core.quantities import Bin
from visds.dynspec.detection.boxes import Boxes, scan_slices
from visds.dynspec.detection.columns import Search, empty_table, measured
from visds.dynspec.detection.controls import (
    ControlPlanes,
    imaginary_peaks,
    outside,
    peaks,
    raised,
    sign_flipped_peak,
)
from visds.dynspec.detection.events import Tile, find_tiles, join
from visds.dynspec.detection.false_alarm import FalseAlarms, calibrate
from visds.dynspec.detection.matched_filter import MatchedFilter
from visds.dynspec.detection.noise import Plane, planes
from visds.dynspec.detection.rfi_bands import read_rfi_bands
from visds.dynspec.detection.settings import DetectSettings
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.polarimetry.settings import PolarizationSettings


def detect(spectrum: DynamicSpectrum, settings: DetectSettings,
           controls: Sequence[DynamicSpectrum] = (),
           polarization: PolarizationSettings | None = None) -> Table:
    """Return the events of a dynamic spectrum, a row each, in the order of their start.

    All columns of `columns.COLUMNS` are there even if there is no event; what is not
    known is NaN. The position is that of the target (``ra_deg`` and ``dec_deg`` of
    ``spectrum.meta``): it is assumed, not measured, and its error is what a fit could tell at
    best, half the beam (``beam_arcsec``) over the signal to noise.

    The best box of an event is the one of highest signal to noise, or the one that suits its best
    Gaussian; start, stop and band are those of all that is detected. A template is found because
    noise lifted it, too: flux densities within a sigma or two of the threshold are too high, by
    some 15 % on average where the true signal to noise is at the threshold, by 1 % where it is
    half as much again. The fluence misses what is not detected: the wings of a burst.

    The table's meta data hold the threshold, the false alarm rate, how it was calibrated, the
    largest signal to noise in data without the source (imaginary part, and Stokes I with its sign
    flipped), and the epoch of the middle of the observation. Where Stokes I with its sign flipped
    reaches the signal to noise of an event, the level itself varies, by gains or by nature, and
    the event is no burst from a quiet state.

    Parameters
    ----------
    spectrum : DynamicSpectrum
        The spectrum of the target.
    settings : DetectSettings
        The settings of the search.
    controls : sequence of DynamicSpectrum
        Spectra of directions without a source, of the same cells: their peaks are held against
        those of the noise realizations (see `controls`), and they tell which events are there too
        (see `vetoes`).
    polarization : PolarizationSettings, optional
        What is told of the polarization of events; by default as those say.

    Raises
    ------
    ValueError
        If a control has other cells than the spectrum.
    """
    boxes = _boxes(spectrum, settings)
    with_errors = functools.partial(planes, boxes=boxes, gain_error=settings.gain_error,
                                    with_structure=settings.structure_error)
    searched = with_errors(spectrum, settings.detection_polarizations)
    signs = {name: value for name, value in
             {"I": ("I", 1), "+V": ("V", 1), "-V": ("V", -1), "L": ("L", 1)}.items()
             if value[0] in searched}
    families = [names for names in ([p for p in searched if p != "L"],
                                    [p for p in searched if p == "L"]) if names]
    found = [calibrate([searched[p] for p in names], boxes, len(signs), settings.realizations)
             for names in families]
    table = empty_table()
    table.meta.update(_observation(spectrum, settings, list(signs)))
    if not found or None in found:
        return table
    alarms = {p: one for names, one in zip(families, found, strict=True) for p in names}
    tiles = find_tiles(searched, signs, boxes, _thresholds(alarms, settings))
    others = ControlPlanes(controls, spectrum.flags.shape[:2], functools.partial(
        with_errors, polarizations=tuple(searched)))
    measured_controls = _measured_controls(searched, others, boxes, tiles)
    alarms, thresholds, calibration = _calibrated(families, alarms, measured_controls, settings)
    tiles = [tile for tile in tiles if tile.snr >= thresholds[signs[tile.search][0]]]
    first = next(iter(thresholds))
    table.meta.update(
        threshold=thresholds[first], false_alarm_rate=_rate(alarms, thresholds, signs),
        calibration=calibration, noise_realizations=alarms[first].realizations,
        threshold_of_noise=found[0].threshold(settings.false_alarm_rate),
        control_directions=len(controls),
        largest_snr_imaginary=_largest(measured_controls, "imaginary"),
        largest_snr_off_source=_largest(measured_controls, "off source"),
        coherent_error_Jy={p: float(np.median(one.coherent)) for p, one in searched.items()},
        largest_snr_sign_flipped=_largest_sign_flipped(searched, boxes, tiles))
    if "L" in thresholds:
        table.meta["threshold_L"] = thresholds["L"]
    used = np.any([p.weight > 0 for p in searched.values()], axis=0)
    groups = join(tiles, spectrum.time, spectrum.integration, used, boxes.scans)
    search = Search(spectrum, searched, signs, boxes, thresholds, alarms)
    bands = read_rfi_bands(settings.rfi_bands, str(spectrum.meta.get("telescope", "")))
    rows = measured(search, groups, others, bands, polarization or PolarizationSettings())
    for row in sorted(rows, key=lambda row: (row["start"], row["band_low"])):
        table.add_row(row)
    table.meta["vetoed"] = int(np.sum(table["veto"] != ""))
    return table


def _thresholds(alarms: Mapping[str, FalseAlarms], settings: DetectSettings) -> dict[str, float]:
    """Return the threshold of each polarization that the settings and the false alarms give.

    One that is given is that of I and V; that of L has the same false alarm rate.
    """
    given = settings.detection_threshold
    if given is None:
        return {p: one.threshold(settings.false_alarm_rate) for p, one in alarms.items()}
    rate = next(iter(alarms.values())).rate(given)
    return {p: given if p != "L" or len(alarms) == 1 else one.threshold(rate)
            for p, one in alarms.items()}


def _measured_controls(searched: dict[str, Plane], others: Sequence[dict[str, Plane]], boxes: Boxes,
                       tiles: list[Tile]) -> dict[str, list[dict[str, list[float]]]]:
    """Return the peaks of the controls by their kind, a dict of polarization to peaks each."""
    flipped = (sign_flipped_peak(searched["I"], boxes, tiles) if "I" in searched else np.nan)
    return {"imaginary": [imaginary_peaks(searched, boxes)],
            "sign flipped": [{"I": [flipped]}] if np.isfinite(flipped) else [],
            "off source": [peaks(one, boxes, tiles) for one in others]}


def _calibrated(families: Sequence[Sequence[str]], alarms: dict[str, FalseAlarms],
                measured_controls: dict[str, list[dict[str, list[float]]]],
                settings: DetectSettings
                ) -> tuple[dict[str, FalseAlarms], dict[str, float], str]:
    """Return false alarms and thresholds as the controls leave them, and how they were found."""
    how = "noise realizations drawn from the imaginary part (smoothed bootstrap, Gumbel tail)"
    alarms, thresholds, texts = dict(alarms), _thresholds(alarms, settings), []
    for names in families:
        found = [snr for kind in measured_controls.values() for one in kind
                 for p in names for snr in one.get(p, ())]
        known, threshold, said = raised(alarms[names[0]], found, settings.false_alarm_rate)
        alarms |= dict.fromkeys(names, known)
        if said and settings.detection_threshold is None:
            thresholds |= dict.fromkeys(names, threshold)
        if said:
            texts.append(f"{', '.join(names)}: {said} {how}")
    if settings.detection_threshold is not None:
        return alarms, thresholds, f"threshold given; its rate from {'; '.join(texts) or how}"
    return alarms, thresholds, "; ".join(texts) or how


def _rate(alarms: dict[str, FalseAlarms], thresholds: dict[str, float],
          signs: dict[str, tuple[str, int]]) -> float:
    """Return the false alarm rate of an observation at the thresholds: the sum of all searches."""
    one = [float(alarms[p].rate(thresholds[p])) for p, _ in signs.values()]
    # Each rate is that of all searches, had they all its false alarms.
    return one[0] if len(set(one)) == 1 else float(np.mean(one))


def _boxes(spectrum: DynamicSpectrum, settings: DetectSettings) -> Boxes:
    step = np.diff(spectrum.time)[np.diff(spectrum.scan) == 0] * 86400
    seconds = float(np.median(step)) if len(step) else float(np.median(spectrum.integration))
    hertz = float(np.median(spectrum.channel_width))
    return Boxes(
        scans=scan_slices(spectrum.scan, settings.across_scans), channels=len(spectrum.frequency),
        minimum=(_samples(settings.minimum_duration, seconds, np.ceil) or 1,
                 _samples(settings.minimum_bandwidth, hertz, np.ceil) or 1),
        maximum=(_samples(settings.maximum_duration, seconds, np.floor),
                 _samples(settings.maximum_bandwidth, hertz, np.floor)),
        good_fraction=settings.good_fraction, quiescent=settings.quiescent,
        templates=settings.detection_templates)


def _samples(width: Bin | None, sample: float, rounding) -> int | None:
    if width is None:
        return None
    # The spacing of samples is not exact to the last digit: 20 s are two samples of 10.0001 s.
    return width.count or max(1, int(rounding(round(width.width / sample, 3))))


def _largest(measured_controls: dict[str, list[dict[str, list[float]]]], kind: str) -> float:
    """Return the largest signal to noise of the controls of a kind; NaN of none."""
    found = [snr for one in measured_controls[kind] for peaks in one.values() for snr in peaks]
    return max(found, default=np.nan)


def _largest_sign_flipped(planes: dict[str, Plane], boxes: Boxes, tiles: list[Tile]) -> float:
    """Return the largest signal to noise of boxes of Stokes I below zero, outside the tiles.

    NaN of none.
    """
    if "I" not in planes:
        return np.nan
    p = planes["I"]
    only_boxes = dataclasses.replace(boxes, templates=("box",))
    matched_filter = MatchedFilter(outside(p.weight, tiles), only_boxes, coherent=p.coherent,
                                   scatter=p.scatter)
    return float(-matched_filter.extremes(p.values[None], (np.inf, 0.0))[1][0])


def _observation(spectrum: DynamicSpectrum, settings: DetectSettings, searches: list[str]) -> dict:
    middle = (float(spectrum.time.min() + spectrum.time.max()) / 2 if len(spectrum.time)
              else np.nan)
    return {
        "target": str(spectrum.meta.get("target", "")),
        "position": "assumed: direction of the target, not measured",
        "epoch_jyear": 2000 + (middle - 51544.5) / 365.25,
        "searches": searches,
        "quiescent": settings.quiescent,
        "threshold": np.nan,
        "false_alarm_rate": np.nan,
        "calibration": "none: no unflagged box to search",
        "threshold_of_noise": np.nan,
        "control_directions": 0,
        "vetoed": 0,
        "largest_snr_imaginary": np.nan,
        "largest_snr_off_source": np.nan,
        "largest_snr_sign_flipped": np.nan,
    }
