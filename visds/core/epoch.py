"""Epochs of positions as Julian years."""

import datetime
import re

from visds.core.errors import SettingsError


def julian_year(text: str | float) -> float:
    """Return an epoch as a Julian year from ``2019.47``, ``J2019.47`` or ``2019-06-22T10:00:00``.

    The difference of UTC and TT, a minute, is left out: 1e-6 of a year.

    Raises
    ------
    SettingsError
        If it is neither, or not between 1800 and 2200.
    """
    match = re.fullmatch(r"\s*J?(\d{4}(?:\.\d*)?)\s*", str(text))
    if match:
        year = float(match[1])
    else:
        try:
            date = datetime.datetime.fromisoformat(str(text).strip())
        except ValueError:
            raise SettingsError(f"'{text}' is not an epoch: expected a Julian year such as "
                                "2019.47 or a date such as 2019-06-22") from None
        date = date.replace(tzinfo=None) - (date.utcoffset() or datetime.timedelta())
        year = 2000.0 + (date - datetime.datetime(2000, 1, 1, 12)) / datetime.timedelta(365.25)
    if not 1800 <= year <= 2200:
        raise SettingsError(f"epoch '{text}' is not between 1800 and 2200")
    return year
