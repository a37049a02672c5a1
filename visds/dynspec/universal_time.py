"""Times of day and dates as a user writes them: ``05:12``, ``05:12:30``, ``2020-05-31T05:12``."""

import datetime
import re
from dataclasses import dataclass

import numpy as np

from visds.core.errors import SettingsError

MJD_ZERO = datetime.datetime(1858, 11, 17)
SYNTAX = "05:12, 05:12:30 or 2020-05-31T05:12:30"
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d*)?))?")


@dataclass(frozen=True)
class UniversalTime:
    """A UTC time: `day_fraction` of the day `day` (MJD), or of any day if `day` is None."""

    day: int | None
    day_fraction: float

    def __str__(self) -> str:
        """Return the time as a user writes it, to a millisecond."""
        if self.day is None:
            return date_and_time(self.day_fraction).partition("T")[2]
        return date_and_time(self.day + self.day_fraction)

    def between(self, first: float, last: float) -> list[float]:
        """Return the MJDs from `first` to `last` that this time stands for."""
        days = ([self.day] if self.day is not None
                else range(int(np.floor(first)), int(np.floor(last)) + 1))
        return [day + self.day_fraction for day in days if first <= day + self.day_fraction <= last]


def universal_time(text: str) -> UniversalTime:
    """Return the UTC time written as ``05:12``, ``05:12:30`` or ``2020-05-31T05:12:30``.

    Raises
    ------
    SettingsError
        If `text` is none of these.
    """
    text = str(text).strip()
    match = _CLOCK.fullmatch(text)
    if match:
        hour, minute, second = int(match[1]), int(match[2]), float(match[3] or 0)
        if hour < 24 and minute < 60 and second < 60:
            return UniversalTime(None, (hour * 3600 + minute * 60 + second) / 86400)
    elif "T" in text:
        try:
            moment = datetime.datetime.fromisoformat(text.removesuffix("Z"))
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is None:
            since = moment - MJD_ZERO
            return UniversalTime(since.days, since.seconds / 86400 + since.microseconds / 86400e6)
    raise SettingsError(f"'{text}' is not a time in UTC, written {SYNTAX}")


def time_range(text: str) -> tuple[UniversalTime, UniversalTime]:
    """Return the two ends of ``05:10-05:20`` or ``2020-05-31T23:50/2020-06-01T00:10``.

    Raises
    ------
    SettingsError
        If `text` is no such range, one end has a date and the other none, or a range with dates
        ends before it begins.
    """
    parts = str(text).split("/") if "/" in str(text) else str(text).split("-")
    if len(parts) != 2:
        raise SettingsError(f"'{text}' is not a range of times, written 05:10-05:20 or "
                            "2020-05-31T23:50/2020-06-01T00:10")
    start, stop = (universal_time(part) for part in parts)
    if (start.day is None) != (stop.day is None):
        raise SettingsError(f"'{text}' has a date at one end only")
    if start.day is not None and (stop.day, stop.day_fraction) < (start.day, start.day_fraction):
        raise SettingsError(f"'{text}' ends before it begins")
    return start, stop


def inside(time: np.ndarray, start: UniversalTime, stop: UniversalTime) -> np.ndarray:
    """Return which of `time` (T, MJD) lie in the range; without dates, on every day.

    A range of times of day whose start is after its stop goes over midnight.

    Raises
    ------
    SettingsError
        If it does and none of the midnights lies between the first and the last of `time`: the
        range would hold all but a part of the day.
    """
    if start.day is not None and stop.day is not None:
        return (time >= start.day + start.day_fraction) & (time <= stop.day + stop.day_fraction)
    fraction = np.mod(time, 1.0)
    after, before = fraction >= start.day_fraction, fraction <= stop.day_fraction
    if start.day_fraction <= stop.day_fraction:
        return after & before
    if np.floor(np.min(time)) == np.floor(np.max(time)):
        raise SettingsError(f"{start} is after {stop}, and no midnight lies between "
                            f"{date_and_time(np.min(time))} and {date_and_time(np.max(time))}")
    return after | before


def date_text(mjd: float, *, year: bool = True) -> str:
    """Return the date of an MJD as ``2020 May 31``, or ``31 May`` without the year."""
    date = MJD_ZERO + datetime.timedelta(days=int(np.floor(mjd)))
    # Not strftime("%b"): a picture must not depend on the locale.
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
             "Dec")[date.month - 1]
    return f"{date.year} {month} {date.day}" if year else f"{date.day} {month}"


def date_and_time(mjd: float) -> str:
    """Return an MJD as ``2020-05-31T05:12:30.000``, rounded to a millisecond."""
    moment = MJD_ZERO + datetime.timedelta(milliseconds=round(float(mjd) * 86400e3))
    return moment.isoformat(timespec="milliseconds")
