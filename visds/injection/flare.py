"""A flare that is put into data: its flux density over time and frequency, and its fluence."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import erf

GAUSSIAN, BOX = "gaussian", "box"
_AREA = {GAUSSIAN: math.sqrt(math.pi / (4 * math.log(2))), BOX: 1.0}
# A Gaussian ends at so many full widths from its peak: exp(-25).
_REACH = {GAUSSIAN: 3.0, BOX: 0.5}
_DAY = 86400.0


@dataclass(frozen=True)
class Flare:
    """A flare of one shape in time and frequency.

    Attributes
    ----------
    peak : float
        Its middle at the centre frequency, MJD UTC.
    duration, bandwidth : float
        s and Hz: full widths at half maximum of a Gaussian, or the widths of a box; the bandwidth
        is infinite of a flat spectrum.
    frequency : float
        Its centre, Hz.
    drift : float
        Hz/s; infinite where all frequencies peak at once.
    stokes : tuple of 4 floats
        Flux density I, Q, U, V at its peak, Jy.
    shape : str
        "gaussian" or "box".
    """

    peak: float
    duration: float
    frequency: float
    stokes: tuple[float, float, float, float]
    bandwidth: float = math.inf
    drift: float = math.inf
    shape: str = GAUSSIAN

    @property
    def fluence(self) -> float:
        """Stokes I summed over time at the centre frequency, Jy s."""
        return self.stokes[0] * self.duration * _AREA[self.shape]

    def of(self, polarization: str) -> float:
        """Return the flux density at the peak in I, Q, U or V, Jy; of L without a sign."""
        if polarization == "L":
            return math.hypot(self.stokes[1], self.stokes[2])
        return self.stokes["IQUV".index(polarization)]

    def reach(self, time: np.ndarray, integration: np.ndarray,
              frequency: np.ndarray) -> np.ndarray:
        """Return the numbers of the integrations that hold anything of it."""
        first, last = self.span(float(np.min(frequency)), float(np.max(frequency)))
        half = integration / 2 / _DAY
        return np.flatnonzero((time + half > first) & (time - half < last))

    def span(self, low: float, high: float) -> tuple[float, float]:
        """Return when it begins and ends (MJD UTC) between two frequencies (Hz)."""
        wide = _REACH[self.shape] * self.bandwidth
        ends = np.clip([self.frequency - wide, self.frequency + wide], low, high)
        delays = (ends - self.frequency) / self.drift
        half = _REACH[self.shape] * self.duration
        return (self.peak + float(delays.min() - half) / _DAY,
                self.peak + float(delays.max() + half) / _DAY)

    def core(self, low: float, high: float) -> tuple[float, float, float, float]:
        """Return start and stop (MJD UTC) and band (Hz) of what is above half of its peak.

        Of what lies between two frequencies (Hz).
        """
        ends = np.clip([self.frequency - self.bandwidth / 2, self.frequency + self.bandwidth / 2],
                       low, high)
        delays = (ends - self.frequency) / self.drift
        return (self.peak + float(delays.min() - self.duration / 2) / _DAY,
                self.peak + float(delays.max() + self.duration / 2) / _DAY,
                float(ends[0]), float(ends[1]))

    def profile(self, time: np.ndarray, integration: np.ndarray, frequency: np.ndarray,
                channel_width: np.ndarray) -> np.ndarray:
        """Return the mean over cells of its brightness, (T,F), where its peak is 1.

        In time that of the integration, however short the flare is; in frequency that of the
        channel, the drift inside of a channel left out.

        Parameters
        ----------
        time, integration : (T)
            Centres, MJD UTC, and lengths, s.
        frequency, channel_width : (F) Hz
        """
        delay = (frequency - self.frequency) / self.drift
        since = (time - self.peak)[:, np.newaxis] * _DAY - delay
        in_time = _mean(since, integration[:, np.newaxis], self.duration, self.shape)
        if math.isinf(self.bandwidth):
            return in_time
        return in_time * _mean(frequency - self.frequency, channel_width, self.bandwidth,
                               self.shape)

    def fluence_in(self, polarization: str, low: float, high: float, frequency: np.ndarray,
                   channel_width: np.ndarray) -> float:
        """Return its fluence (Jy s) in a polarization, averaged over a band (Hz) of channels."""
        inside = (frequency >= low) & (frequency <= high)
        share = 1.0
        if not math.isinf(self.bandwidth) and inside.any():
            share = float(np.average(
                _mean(frequency - self.frequency, channel_width, self.bandwidth,
                      self.shape)[inside], weights=channel_width[inside]))
        return self.of(polarization) * self.duration * _AREA[self.shape] * share


def peak_of(fluence: float, duration: float, shape: str) -> float:
    """Return the flux density (Jy) at the peak of a flare of a fluence in Jy s."""
    return fluence / duration / _AREA[shape]


def _mean(centre: np.ndarray, length: np.ndarray, width: float, shape: str) -> np.ndarray:
    """Return the mean of a profile of a width about 0 over `length` about `centre`."""
    low, high = centre - length / 2, centre + length / 2
    if shape == BOX:
        covered = np.minimum(high, width / 2) - np.maximum(low, -width / 2)
        return np.clip(covered, 0, None) / length
    scale = 2 * math.sqrt(math.log(2)) / width
    return _AREA[GAUSSIAN] * width * (erf(scale * high) - erf(scale * low)) / 2 / length
