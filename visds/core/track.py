"""Where a body that moves is: positions at some times, and between them."""

from dataclasses import dataclass

import numpy as np

from visds.core.astrometry import ra_dec, unit_vectors
from visds.core.sky import Direction

_NODES = 4


@dataclass(frozen=True, eq=False)
class Track:
    """Positions (N; ICRS, deg) of a body at ascending times (N; MJD UTC), of which there are four.

    Between them it is interpolated by cubics through the nearest four. With nodes a time h apart a
    motion on a circle of radius a and angular velocity omega is right to (9/384) (omega h)^4 a: of
    the 57 arcmin by which the Moon is displaced as the Earth turns, 0.02 mas for h = 300 s.

    Raises
    ------
    ValueError
        If there are fewer times, they do not ascend, or there is not a position for each.
    """

    time: np.ndarray
    ra: np.ndarray
    dec: np.ndarray

    def __post_init__(self):
        for name in ("time", "ra", "dec"):
            values = np.array(getattr(self, name), float)
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        if not (self.time.shape == self.ra.shape == self.dec.shape) or self.time.ndim != 1:
            raise ValueError(f"a track of {self.time.shape} times has {self.ra.shape} right "
                             f"ascensions and {self.dec.shape} declinations")
        if len(self.time) < _NODES or not np.all(np.diff(self.time) > 0):
            raise ValueError(f"a track needs {_NODES} times or more, which ascend")

    def at(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return right ascensions and declinations (T; ICRS, deg) at times (T; MJD UTC).

        Raises
        ------
        ValueError
            For a time outside the track.
        """
        time = np.asarray(time, float)
        outside = ~((time >= self.time[0]) & (time <= self.time[-1]))
        if outside.any():
            raise ValueError(f"MJD {time[outside][0]:.6f} is outside the track, which is known "
                             f"from {self.time[0]:.6f} to {self.time[-1]:.6f}")
        after = np.searchsorted(self.time, time)
        first = np.clip(after - _NODES // 2, 0, len(self.time) - _NODES)
        chosen = first[..., None] + np.arange(_NODES)
        # From the first of the nodes, so that no digits of the MJD are lost.
        nodes = self.time[chosen] - self.time[chosen[..., :1]]
        since = (time - self.time[first])[..., None]
        places = unit_vectors(self.ra[chosen], self.dec[chosen])
        total = np.zeros((*time.shape, 3))
        for k in range(_NODES):
            others = np.delete(nodes, k, axis=-1)
            weight = np.prod((since - others) / (nodes[..., k:k + 1] - others), axis=-1)
            total += weight[..., None] * places[..., k, :]
        return ra_dec(total)

    @property
    def middle(self) -> Direction:
        """Position in the middle of the track."""
        ra, dec = self.at(np.array([(self.time[0] + self.time[-1]) / 2]))
        return Direction(float(ra[0]), float(dec[0]))
