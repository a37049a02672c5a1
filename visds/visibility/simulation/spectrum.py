"""The frequencies of the channels."""

from dataclasses import dataclass

import numpy as np

from visds.core.errors import SettingsError
from visds.visibility.simulation.settings import SpectrumSettings


@dataclass(frozen=True)
class Spectrum:
    """Spectral windows of equally many, evenly spaced channels.

    Attributes
    ----------
    first : tuple of float
        Centre of the first channel of each spectral window, Hz.
    step : float
        From a channel to the next, Hz; negative where frequencies descend.
    channels : int
    """

    first: tuple[float, ...]
    step: float
    channels: int

    @property
    def windows(self) -> int:
        """Number of spectral windows W."""
        return len(self.first)

    @property
    def frequency(self) -> np.ndarray:
        """Centre of every channel, Hz, (W, F)."""
        return np.array(self.first)[:, np.newaxis] + self.step * np.arange(self.channels)

    @property
    def centre(self) -> float:
        """Middle of all the channels, Hz: the reference frequency of the sky model."""
        return float((self.frequency.min() + self.frequency.max()) / 2)


def make_spectrum(settings: SpectrumSettings, lowest: float) -> Spectrum:
    """Return the spectral windows, upwards from the settings' frequency or else from `lowest`.

    Raises
    ------
    SettingsError
        If the channels have no width or a frequency is not positive.
    """
    width = abs(settings.channel_width)
    if width == 0:
        raise SettingsError("--channel-width must not be zero")
    start = lowest if settings.frequency is None else settings.frequency
    if start <= 0:
        raise SettingsError(f"--frequency must be positive, not {start:g} Hz")
    span = settings.channels * width + settings.spectral_window_gap
    if span <= 0:
        raise SettingsError("--spectral-window-gap: spectral windows would lie on each other")
    bottoms = [start + window * span for window in range(settings.spectral_windows)]
    if settings.descending or settings.channel_width < 0:
        top = (settings.channels - 1) * width
        return Spectrum(tuple(bottom + top for bottom in bottoms), -width, settings.channels)
    return Spectrum(tuple(bottoms), width, settings.channels)
