"""Flares of a star: Gaussian in time, drifting in frequency, written in one word."""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from visds.core.errors import SettingsError
from visds.core.quantities import HERTZ, parse, seconds
from visds.visibility.simulation.values import flux_density

_KEYS = ("time", "duration", "I", "Q", "U", "V", "frequency", "bandwidth", "drift")
HALF_MAXIMUM = 4 * math.log(2)


@dataclass(frozen=True)
class Flare:
    """A flare as a user asks for it.

    Attributes
    ----------
    time : float
        Peak at the centre frequency: s from the start, or the fraction of the time on the target
        if `is_fraction`.
    is_fraction : bool
    duration : float
        Full width at half maximum in time, s.
    stokes : tuple of 4 floats
        Peak flux density I, Q, U, V, Jy.
    frequency : float or None
        Centre, Hz; None for the centre of the band.
    bandwidth : float
        Full width at half maximum in frequency, Hz; infinite for a flat spectrum.
    drift : float
        Hz/s; infinite where all frequencies peak at once.
    """

    time: float
    is_fraction: bool
    duration: float
    stokes: tuple[float, float, float, float]
    frequency: float | None = None
    bandwidth: float = math.inf
    drift: float = math.inf


def flare_profile(seconds_from_peak: np.ndarray, hertz_from_centre: np.ndarray, *,
                  duration: float, bandwidth: float, drift: float) -> np.ndarray:
    """Return the relative brightness of a flare over time and frequency, 1 at its peak.

    Every frequency has a Gaussian light curve of the same duration whose peak comes later by
    (frequency - centre) / drift, under a Gaussian envelope in frequency.

    Parameters
    ----------
    seconds_from_peak : ndarray (T)
        Time since the peak at the centre frequency, s.
    hertz_from_centre : ndarray (F)
        Frequency above the centre, Hz.
    duration, bandwidth : float
        Full widths at half maximum, s and Hz.
    drift : float
        Hz/s, of either sign.

    Returns
    -------
    ndarray (T, F)
    """
    delay = hertz_from_centre / drift
    in_time = (seconds_from_peak[:, np.newaxis] - delay) / duration
    in_frequency = hertz_from_centre / bandwidth
    return np.exp(-HALF_MAXIMUM * (in_time**2 + in_frequency**2))


def parse_flare(text: Any) -> Flare:
    """Return the flare written as ``time=120s,duration=40s,I=0.3,V=-70%,drift=2MHz/s``.

    Raises
    ------
    SettingsError
        For an unknown key, a value that is no quantity, or a missing time, duration or I.
    """
    if isinstance(text, Flare):
        return text
    words = {}
    for item in str(text).split(","):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals or key not in _KEYS:
            raise SettingsError(f"'{item.strip()}' in flare '{text}' is not one of "
                                f"{'=, '.join(_KEYS)}=")
        words[key] = value
    missing = [key for key in ("time", "duration", "I") if key not in words]
    if missing:
        raise SettingsError(f"flare '{text}' lacks {'=, '.join(missing)}=")
    try:
        return _flare(words)
    except SettingsError as error:
        raise SettingsError(f"flare '{text}': {error}") from error


def _flare(words: dict[str, str]) -> Flare:
    intensity = flux_density(words["I"])
    stokes = (intensity, *(_polarized(words.get(name, "0"), intensity) for name in "QUV"))
    duration = seconds(words["duration"])
    bandwidth = parse(words["bandwidth"], HERTZ) if "bandwidth" in words else math.inf
    drift = parse(words["drift"].removesuffix("/s"), HERTZ, bare=1e6) if "drift" in words \
        else math.inf
    if duration <= 0 or bandwidth <= 0:
        raise SettingsError("duration and bandwidth must be positive")
    if drift == 0:
        raise SettingsError("a drift of 0 would never cross the band; leave it out for none")
    percent = _percent(words["time"])
    return Flare(time=seconds(words["time"]) if percent is None else percent,
                 is_fraction=percent is not None, duration=duration, stokes=stokes,
                 frequency=parse(words["frequency"], HERTZ) if "frequency" in words else None,
                 bandwidth=bandwidth, drift=drift)


def _polarized(text: str, intensity: float) -> float:
    percent = _percent(text)
    return flux_density(text) if percent is None else percent * intensity


def _percent(text: str) -> float | None:
    match = re.fullmatch(r"(.*)%\s*", text)
    return None if match is None else parse(match[1], {}, bare=0.01)
