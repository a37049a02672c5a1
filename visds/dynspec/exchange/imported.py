"""What files of other programs become: dynamic spectra, with errors told from the data."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from visds.core.flags import Flag
from visds.core.polarization import Handedness
from visds.core.sky import Direction, barycentric_time
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.visibility.handedness import documented_doubt, known_handedness

_MAD_TO_SIGMA = 1.4826
_ENOUGH = 100
"""Values of a channel that tell its scatter within 12 %."""
_GAP = 5
"""Integrations that are missing between two scans."""


@dataclass(frozen=True, eq=False)
class Imported:
    """The dynamic spectrum of another program's file, and what to know of it, a line each."""

    spectrum: DynamicSpectrum
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Errors:
    """What is known of the errors of means, from a file or from the data.

    `sigma` (T,F,P; Jy) and the `covariance` (T,F; Jy2) of the parallel hands' Stokes parameters,
    `weight` (T,F,P; Jy-2) and `count` (T,F,P) of the visibilities of a cell; without these a cell
    counts as one visibility, of weight 1/sigma^2.
    """

    sigma: np.ndarray
    covariance: np.ndarray | None = None
    weight: np.ndarray | None = None
    count: np.ndarray | None = None


def axes_of(time: np.ndarray, frequency: np.ndarray, integration: np.ndarray | None = None,
            scan: np.ndarray | None = None, channel_width: np.ndarray | None = None
            ) -> dict[str, np.ndarray]:
    """Return the axes of a spectrum, those that a file does not hold from the spacing.

    An integration is as long as the median spacing of times, and a scan ends where five
    integrations or more are missing. A channel is as wide as its distance from the nearer
    neighbour. Frequencies come out ascending.

    Raises
    ------
    ValueError
        If times do not ascend, or there are fewer than two where a width has to be told.
    """
    spacing = np.diff(time)
    if np.any(spacing <= 0):
        raise ValueError("its times do not ascend")
    if integration is None or scan is None:
        if len(time) < 2:
            raise ValueError("it holds one integration, and not how long that is")
        usual = float(np.median(spacing))
        integration = np.full(len(time), usual * 86400)
        scan = 1 + np.append(0, np.cumsum(spacing > (_GAP + 0.5) * usual))
    order = np.argsort(frequency, kind="stable")
    frequency = frequency[order]
    if channel_width is None:
        steps = np.diff(frequency)
        if not len(steps) or np.any(steps <= 0):
            raise ValueError("it holds one channel, or some twice, and not how wide they are")
        channel_width = np.minimum(np.append(steps[0], steps), np.append(steps, steps[-1]))
    else:
        channel_width = channel_width[order]
    return {"time": time, "integration": integration, "scan": scan, "frequency": frequency,
            "channel_width": channel_width}


def robust_scatter(values: np.ndarray) -> np.ndarray:
    """Return the scatter about zero (F) of the channels of values (N,F), NaN being no value.

    It is 1.4826 times the median modulus of the channel where that has 100 values, of all values
    where not.
    """
    modulus = np.abs(values)
    number = np.isfinite(modulus).sum(0)
    scatter = np.full(modulus.shape[1], _MAD_TO_SIGMA * _median(modulus))
    for channel in np.flatnonzero(number >= _ENOUGH):
        scatter[channel] = _MAD_TO_SIGMA * _median(modulus[:, channel])
    return scatter


def imported_spectrum(axes: dict[str, np.ndarray], sums: dict[str, np.ndarray],
                      polarizations: Sequence[str], parallel_hands: Sequence[str],
                      meta: dict[str, Any], errors: Errors | None = None) -> DynamicSpectrum:
    """Return the dynamic spectrum of axes and sums over visibilities of weight 1.

    Where `errors` are known the sums become such that the spectrum has the same means and these
    errors. Times of arrival are told for the observatory in `meta`, or for the centre of the
    Earth, which is 21 ms away at most.
    """
    if errors is not None:
        partner = "V" if "RR" in parallel_hands else "Q"
        pair = ((polarizations.index("I"), polarizations.index(partner))
                if {"I", partner} <= set(polarizations) else None)
        scales = meta.get("weight_scale", {})
        sums = _weighted(sums, errors, pair,
                         np.array([scales.get(label, 1.0) for label in polarizations]))
    flags = np.where(sums["sum_w"] > 0, 0, int(Flag.EMPTY)).astype("u2")
    meta = {"observatory_m": [0.0, 0.0, 0.0], "frequency_frame": "", "model": "as in the file",
            "smearing_corrected": False, "dish_diameter_m": 0.0,
            "handedness": dataclasses.asdict(Handedness(source="as in the file")),
            "phase_centre_deg": [meta["ra_deg"], meta["dec_deg"]],
            "phase_centre_frame": "ICRS"} | meta
    spectrum = DynamicSpectrum(
        **axes, **sums, flags=flags, polarizations=tuple(polarizations),
        parallel_hands=tuple(parallel_hands), meta=meta,
        time_barycentre=barycentric_time(axes["time"], Direction(meta["ra_deg"], meta["dec_deg"]),
                                         np.array(meta["observatory_m"])),
        spectral_window=np.zeros(len(axes["frequency"]), int),
        primary_beam=np.ones(len(axes["frequency"])),
        inflation=np.ones((len(axes["frequency"]), len(polarizations))))
    if meta["weights_calibrated"] or "weight_scale" in meta:
        return spectrum
    return spectrum.replace(
        meta=spectrum.meta | {"weight_scale": spectrum.measured_weight_scale()})


def doubt_of_handedness(spectrum: DynamicSpectrum) -> str:
    """Return what is known of a telescope's correlations, which an import does not apply."""
    telescope = str(spectrum.meta.get("telescope", ""))
    frequency, mjd = float(np.mean(spectrum.frequency)), float(np.mean(spectrum.time))
    known = known_handedness(telescope, frequency, mjd)
    said = [documented_doubt(telescope, frequency, mjd)]
    if known is not None and (known.swap_feeds or known.negate or known.stokes_scale != 1):
        said.append(known.source)
    if not any(said):
        return ""
    return f"nothing was corrected for {telescope}: {'; '.join(filter(None, said))}"


def _weighted(sums: dict[str, np.ndarray], errors: Errors, pair: tuple[int, int] | None,
              scale: np.ndarray) -> dict[str, np.ndarray]:
    """Return sums of the same means that say the errors that are known."""
    sigma = errors.sigma
    good = (sums["count"] > 0) & np.isfinite(sigma) & (sigma > 0)
    weight = (np.divide(1, sigma**2, out=np.zeros(sigma.shape), where=good)
              if errors.weight is None else np.where(good, errors.weight, 0))
    count = np.where(good, 1 if errors.count is None else errors.count, 0)
    mean = np.divide(sums["sum_wv"], sums["count"], out=np.zeros(sigma.shape, complex), where=good)
    square = np.divide(weight**2, count, out=np.zeros(sigma.shape), where=good)
    freedom = weight**2 - square
    result = {"count": count, "sum_w": weight, "sum_wv": weight * mean, "sum_w2": square,
              "sum_w2v": square * mean,
              "sum_w2v2": square * np.abs(mean)**2 + 2 * np.where(good, sigma, 0)**2 * freedom,
              "sum_w2_cross": np.zeros(sigma.shape[:2]),
              "sum_w2_covariance": np.zeros(sigma.shape[:2])}
    if pair is not None and errors.covariance is not None:
        i, p = pair
        covariance = np.nan_to_num(errors.covariance)
        result["sum_w2_cross"] = (square[..., p] * (mean[..., i].conj() * mean[..., p]).real
                                  + 2 * covariance * freedom[..., i])
        result["sum_w2_covariance"] = covariance * weight[..., i]**2 / (scale[i] * scale[p])
    return result


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else np.nan
