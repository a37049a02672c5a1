"""Settings of what is measured of polarization."""

from dataclasses import dataclass

from visds.core.errors import SettingsError
from visds.core.settings import setting


def _positive(text) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = 0.0
    if not 0 < value < float("inf"):
        raise SettingsError(f"'{text}' is not a number above zero")
    return value


def _probability(text) -> float:
    value = _positive(text)
    if value > 1:
        raise SettingsError(f"'{text}' is not a probability")
    return value


@dataclass(frozen=True)
class PolarizationSettings:
    """Polarization of the mean and of detections."""

    polarization_snr: float = setting(
        "3", "signal to noise of L below which no position angle is given, and of "
        "sqrt(L^2 + V^2) below which no ellipticity is", parse=_positive)
    rm_false_alarm: float = setting(
        "1e-4", "a rotation measure is given where noise has such a peak of the Faraday spectrum "
        "with at most this probability", parse=_probability)
    largest_rm: float | None = setting(
        None, "rotation measures to look for, of either sign, in rad/m2 (default: as far as the "
        "widest channel tells)", parse=_positive, metavar="RM")
