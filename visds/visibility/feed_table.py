"""The feeds that a measurement set's FEED subtable describes."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class FeedTable:
    """Rows of a FEED subtable, one entry a row.

    `antenna` and `feed` are numbers; `spectral_window` too, negative for all windows; `begin` and
    `end` say when the row holds (s, as TIME is stored), infinite for always; `angle` is the
    receptor angle (rad) and `offset` the distance of the beam from the pointing (rad) of the first
    receptor, X or R, NaN where not given. The second's angle is that plus 90 degrees, but many
    tables repeat the first or say zero: it is not read.
    """

    antenna: np.ndarray
    feed: np.ndarray
    spectral_window: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    angle: np.ndarray
    offset: np.ndarray

    def of(self, antennas: np.ndarray, *, feed: int, spectral_window: int, begin: float,
           end: float) -> "FeedTable":
        """Return the rows with a receptor angle for some antennas.

        The rows of an antenna are those of the feed, of the spectral window, and that hold between
        `begin` and `end` (s); a condition that none of its rows fulfils is left out, because
        numbers and intervals often go stale.
        """
        conditions = (self.feed == feed,
                      (self.spectral_window == spectral_window) | (self.spectral_window < 0),
                      (self.begin <= end) & (self.end >= begin))
        found = [np.zeros(0, int)]
        for antenna in antennas:
            rows = np.flatnonzero((self.antenna == antenna) & np.isfinite(self.angle))
            for condition in conditions:
                if np.any(condition[rows]):
                    rows = rows[condition[rows]]
            found.append(rows)
        rows = np.concatenate(found)
        return FeedTable(**{name: values[rows] for name, values in vars(self).items()})
