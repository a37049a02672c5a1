"""Detections: what varies in a dynamic spectrum, found by a matched filter at a known rate.

The stage searches Stokes I for bursts and Stokes V for bursts of either sign, above a threshold
that noise alone exceeds as often as `DetectSettings.false_alarm_rate` says: see `false_alarm` for
how that is known, `matched_filter` for the filter and `events` for what makes one event.

By default the quiescent level, the weighted mean in time of each channel, is taken off, so that a
constant source is not an event; whether it is there, and varies slowly, is told by
`variability.statistics` of its light curve. A trend over the observation is variation, and is
found as a long event. A resolved source changes its mean over baselines as they rotate without
varying. The scatter across baselines tells how far (`noise.structure_error`), but not when: a
light curve alone cannot tell a change of a few such errors from variation.
"""

from collections.abc import Iterable

import numpy as np
from astropy.table import Table

from visds.core.quantities import Bin
from visds.dynspec.detection.boxes import Boxes, scan_slices
from visds.dynspec.detection.columns import empty_table, measured
from visds.dynspec.detection.events import Tile, find_tiles, join
from visds.dynspec.detection.false_alarm import FalseAlarms, calibrate
from visds.dynspec.detection.matched_filter import MatchedFilter
from visds.dynspec.detection.noise import Plane, planes
from visds.dynspec.detection.settings import DetectSettings
from visds.dynspec.dynamic_spectrum import DynamicSpectrum


def detect(spectrum: DynamicSpectrum, settings: DetectSettings) -> Table:
    """Return the events of a dynamic spectrum, a row each, in the order of their start.

    All columns of `columns.COLUMNS` are there even if there is no event; what is not
    known is NaN. The position is that of the target (``ra_deg`` and ``dec_deg`` of
    ``spectrum.meta``): it is assumed, not measured, and its error is what a fit could tell at
    best, half the beam (``beam_arcsec``) over the signal to noise.

    The best box of an event is the one of highest signal to noise; start, stop and band are those
    of all that is detected. A box is found because noise lifted it, too: flux densities within a
    sigma or two of the threshold are too high, by 14 % on average where the true signal to noise
    is at the threshold, by 1 % where it is half as much again. The fluence misses what is not
    detected: the wings of a Gaussian burst, 34 % of it at a signal to noise of 7, 14 % at 20,
    3 % at 60.

    The table's meta data hold the threshold, the false alarm rate, how it was calibrated, the
    largest signal to noise in data without the source (imaginary part, and Stokes I with its sign
    flipped), and the epoch of the middle of the observation. Where Stokes I with its sign flipped
    reaches the signal to noise of an event, the level itself varies, by gains or by nature, and
    the event is no burst from a quiet state.
    """
    boxes = _boxes(spectrum, settings)
    searched = planes(spectrum, settings.detection_polarizations, boxes,
                      gain_error=settings.gain_error, with_structure=settings.structure_error)
    signs = {name: value for name, value in
             {"I": ("I", 1), "+V": ("V", 1), "-V": ("V", -1)}.items() if value[0] in searched}
    alarms = calibrate(list(searched.values()), boxes, len(signs), settings.realizations)
    table = empty_table()
    table.meta.update(_observation(spectrum, settings, list(signs)))
    if alarms is None:
        return table
    imaginary = _largest(searched.values(), boxes)
    threshold, calibration = _threshold(alarms, imaginary, settings)
    tiles = find_tiles(searched, signs, boxes, threshold)
    table.meta.update(
        threshold=threshold, false_alarm_rate=float(alarms.rate(threshold)),
        calibration=calibration, noise_realizations=alarms.realizations,
        largest_snr_imaginary=imaginary,
        coherent_error_Jy={p: float(np.median(found.coherent)) for p, found in searched.items()},
        largest_snr_sign_flipped=_largest_sign_flipped(searched, boxes, tiles))
    used = np.any([p.weight > 0 for p in searched.values()], axis=0)
    groups = join(tiles, spectrum.time, spectrum.integration, used)
    rows = measured(spectrum, searched, signs, boxes, groups, threshold, alarms)
    for row in sorted(rows, key=lambda row: (row["start"], row["band_low"])):
        table.add_row(row)
    return table


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
        good_fraction=settings.good_fraction, quiescent=settings.quiescent)


def _samples(width: Bin | None, sample: float, rounding) -> int | None:
    if width is None:
        return None
    # The spacing of samples is not exact to the last digit: 20 s are two samples of 10.0001 s.
    return width.count or max(1, int(rounding(round(width.width / sample, 3))))


def _largest(planes: Iterable[Plane], boxes: Boxes) -> float:
    """Return the largest signal to noise, of either sign, of the imaginary parts."""
    found = [MatchedFilter(p.weight, boxes, scatter=p.scatter).extremes(p.imaginary[None])
             for p in planes]
    return float(np.nanmax(np.abs(found)))


def _largest_sign_flipped(planes: dict[str, Plane], boxes: Boxes, tiles: list[Tile]) -> float:
    """Return the largest signal to noise of Stokes I below zero, outside the tiles; NaN of none."""
    if "I" not in planes:
        return np.nan
    p = planes["I"]
    weight = p.weight.copy()
    for tile in tiles:
        weight[tile.cells] = 0
    matched_filter = MatchedFilter(weight, boxes, coherent=p.coherent, scatter=p.scatter)
    return float(-matched_filter.extremes(p.values[None], (np.inf, 0.0))[1][0])


def _threshold(alarms: FalseAlarms, imaginary: float, settings: DetectSettings
               ) -> tuple[float, str]:
    """Return the threshold and how it was found.

    An imaginary part that peaks where one noise realization in a thousand does holds errors that
    the realizations lack; the threshold is then its peak.
    """
    how = "noise realizations drawn from the imaginary part (smoothed bootstrap, Gumbel tail)"
    if settings.detection_threshold is not None:
        return settings.detection_threshold, f"threshold given; its rate from {how}"
    threshold = alarms.threshold(settings.false_alarm_rate)
    if imaginary > threshold and alarms.probability(imaginary) < 1e-3:
        return imaginary, f"largest peak of the imaginary part, which is above that of {how}"
    return threshold, how


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
        "largest_snr_imaginary": np.nan,
        "largest_snr_sign_flipped": np.nan,
    }
