"""What an image is of and how it was made, in the words of a caption."""

import re
from datetime import datetime, timedelta

import numpy as np

from visds.imaging.image import Content

_MJD_ZERO = datetime(1858, 11, 17)
_DETECTION = {"on": "the burst", "off": "the time around the burst",
              "difference": "burst less the time around it"}


def content_text(name: str) -> str:
    """Return in words what an image of this name is of: ``scan00002_00001`` is scan 2, part 2."""
    name, _, band = name.partition("_band")
    if match := re.fullmatch(r"detection(\d+)_(on|off|difference)", name):
        text = f"detection {int(match[1])}: {_DETECTION[match[2]]}"
    elif match := re.fullmatch(r"scan(\d+)(?:_(\d+))?", name):
        text = f"scan {int(match[1])}" + (f", part {int(match[2]) + 1}" if match[2] else "")
    else:
        text = {"all": "whole observation", "field": "whole observation"}.get(name, name)
    return text + (f", band {int(band) + 1}" if band else "")


def duration_text(seconds: float) -> str:
    """Return a duration in words, rounded: ``89 s``, ``12.5 min`` or ``3.2 h``."""
    if seconds < 1:
        return f"{seconds:.3g} s"
    size, unit, digits = next(step for step in (
        (1.0, "s", 0 if seconds >= 9.95 else 1), (60.0, "min", 1), (3600.0, "h", 1))
        if seconds < 300 * step[0] or step[1] == "h")
    return f"{seconds / size:.{digits}f}".removesuffix(".0") + f" {unit}"


def utc(mjd: float, step: float = 1.0) -> datetime:
    """Return a time (MJD UTC) rounded to a step in s, without regard to leap seconds."""
    return _MJD_ZERO + timedelta(seconds=round(float(mjd) * 86400 / step) * step)


def span_text(content: Content) -> str:
    """Return from when to when an image is: ``2024-05-01 04:00:10 to 04:01:40 UTC``.

    Seconds have digits where the span is shorter than ten; the second date is left out where it is
    the first.
    """
    length = (content.stop - content.start) * 86400
    digits = max(0, 2 - int(np.floor(np.log10(max(length, 1e-3))))) if length < 9.5 else 0
    start, stop = (utc(mjd, 10.0**-digits) for mjd in (content.start, content.stop))

    def clock(moment: datetime) -> str:
        seconds = moment.second + moment.microsecond / 1e6
        width = 2 + (digits + 1 if digits else 0)
        return f"{moment:%H:%M}:{seconds:0{width}.{digits}f}"

    until = clock(stop) if stop.date() == start.date() else f"{stop:%Y-%m-%d} {clock(stop)}"
    return f"{start:%Y-%m-%d} {clock(start)} to {until} UTC"
