"""MeerKAT's primary beam as katbeam has it: the widths that holography found."""

import functools
from dataclasses import dataclass

import numpy as np

from visds.core.errors import SettingsError

_MODELS = {"MKAT-AA-UHF-JIM-2020": (544e6, 1050e6), "MKAT-AA-L-JIM-2020": (856e6, 1712e6)}
_ANGLES = np.radians(np.arange(0, 180, 15))
# In half-power widths: the first null of the narrowest cut.
_FIRST_NULL = 1.5 / 1.18896478


@dataclass(frozen=True)
class KatBeam:
    """Stokes I of katbeam's JimBeam, averaged over the angles at which the dish stands to the sky.

    On an alt-az mount the beam, some 5 % longer than wide, turns on the sky. Beyond the first null
    it is 0: katbeam's side lobes are those of its formula, not of measurements.

    Attributes
    ----------
    model : str
        katbeam's name of it.
    """

    model: str

    def __call__(self, cosines: np.ndarray, frequency: np.ndarray) -> np.ndarray:
        """Return the power (...,F) at l, m (...,2) about the pointing; see `PrimaryBeam`."""
        beam = _load(self.model)
        sine = np.hypot(cosines[..., 0], cosines[..., 1])
        offset = np.degrees(np.arcsin(np.minimum(sine, 1)))
        x, y = (offset[..., np.newaxis] * part(_ANGLES) for part in (np.cos, np.sin))
        frequency = np.asarray(frequency, float)
        power = np.empty((*offset.shape, len(frequency)))
        for f, megahertz in enumerate(frequency / 1e6):
            width = min(np.interp(megahertz, beam.freqMHzlist, row) for row in beam.fwhmlist)
            # Both feeds point some arcseconds beside the middle.
            mean = beam.I(x, y, megahertz).mean(axis=-1) / beam.I(0.0, 0.0, megahertz)
            power[..., f] = np.where(offset < _FIRST_NULL * width, mean, 0)
        return power

    def describe(self) -> str:
        """Return in words which beam it is, and its source."""
        return f"MeerKAT (katbeam, {self.model}), averaged over angles, 0 beyond the first null"


def choose_katbeam(lowest: float, highest: float) -> KatBeam:
    """Return the beam of the band that holds all of the data's frequencies (Hz).

    Raises
    ------
    SettingsError
        If katbeam is not installed or knows no beam of such frequencies.
    """
    for model, (low, high) in _MODELS.items():
        if low <= lowest and highest <= high:
            _load(model)
            return KatBeam(model)
    raise SettingsError(f"--primary-beam katbeam: {lowest / 1e6:g} to {highest / 1e6:g} MHz are in "
                        "none of its bands, 544 to 1050 and 856 to 1712 MHz")


@functools.cache
def _load(model: str):
    try:
        from katbeam import JimBeam
    except ImportError:
        raise SettingsError("--primary-beam katbeam needs the package katbeam: pip install "
                            "visds[meerkat]") from None
    return JimBeam(model)
