"""Settings of the search for bursts."""

import math
from dataclasses import dataclass

from visds.core.errors import SettingsError
from visds.core.quantities import Bin, channel_bin, time_bin
from visds.core.settings import setting


def _positive(text) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = 0.0
    if not 0 < value < math.inf:
        raise SettingsError(f"'{text}' is not a number above zero")
    return value


def _fraction(text) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = -1.0
    if not 0 <= value <= 1:
        raise SettingsError(f"'{text}' is not a number from 0 to 1")
    return value


def _count(text) -> int:
    if not str(text).strip().isdigit() or int(text) < 8:
        raise SettingsError(f"'{text}' is not a count of at least 8")
    return int(text)


@dataclass(frozen=True)
class DetectSettings:
    """Search for bursts in the dynamic spectrum."""

    false_alarm_rate: float = setting(
        "0.01", "false events expected per observation", parse=_positive)
    detection_threshold: float | None = setting(
        None, "signal to noise of an event, instead of that of the false alarm rate",
        parse=_positive)
    detection_polarizations: tuple[str, ...] = setting(
        ("I", "V"), "Stokes parameters to search; V of either sign; L is linear polarization, of Q "
        "and U, in which leakage that turns with the parallactic angle is found too",
        choices=("I", "V", "L"), many=True)
    detection_templates: tuple[str, ...] = setting(
        ("box", "gaussian"), "shapes of the templates, in time and frequency",
        choices=("box", "gaussian"), many=True)
    quiescent: str = setting(
        "observation", "level that events stand on: mean of each channel over the observation or "
        "the scan, or none (a steady source is then an event)",
        choices=("observation", "scan", "none"))
    gain_error: float = setting(
        "0.01", "fraction of the steady flux density (the median in time of Stokes I) by which "
        "gains may vary in all channels together", parse=_fraction)
    structure_error: bool = setting(
        True, "where baselines see different amplitudes (a resolved source), count that as an "
        "error of their mean that does not average down")
    minimum_duration: Bin | None = setting(
        None, "shortest box, such as 20s", parse=time_bin)
    maximum_duration: Bin | None = setting(
        None, "longest box, such as 1h", parse=time_bin)
    minimum_bandwidth: Bin | None = setting(
        None, "narrowest box, such as 4MHz", parse=channel_bin)
    maximum_bandwidth: Bin | None = setting(
        None, "widest box, such as 100MHz", parse=channel_bin)
    across_scans: bool = setting(False, "let boxes reach over the gap between scans")
    good_fraction: float = setting(
        "0.5", "least fraction of unflagged cells in a box", parse=_fraction)
    realizations: int | None = setting(
        None, "noise realizations that calibrate the false alarms (default: 32 to 256)",
        parse=_count, metavar="NUMBER")
    rfi_bands: str = setting(
        "known", "bands of known interference, which mark events: a table with columns low and "
        "high (Hz), name and telescope; the bands that visds knows; or none", metavar="FILE")
