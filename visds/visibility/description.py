"""What a measurement set says of itself."""

from dataclasses import dataclass

import numpy as np

from visds.core.sky import Direction
from visds.visibility.feed_table import FeedTable


@dataclass(frozen=True)
class Field:
    """A field: its name and phase centre."""

    name: str
    phase_centre: Direction


@dataclass(frozen=True, eq=False)
class SpectralWindow:
    """A spectral window: `frequency` and `channel_width` (F) in Hz, in the order stored."""

    frequency: np.ndarray
    channel_width: np.ndarray
    frame: str


@dataclass(frozen=True, eq=False)
class Description:
    """What a measurement set says of itself in its subtables.

    `data_descriptions` gives (spectral window, polarization setup) by DATA_DESC_ID;
    `correlations` the labels by polarization setup; `antenna_position` is (antenna, 3) ITRF m;
    `dish_diameter` (antenna) m, 0 where unknown; `mounts` (antenna) in small letters, empty where
    unknown; `time_scale` that of the TIME column; `data_columns` those of complex numbers. `parts`
    are the folders that hold the rows: its own, and those that it puts together or refers to.
    """

    path: str
    parts: tuple[str, ...]
    telescope: str
    fields: tuple[Field, ...]
    spectral_windows: tuple[SpectralWindow, ...]
    data_descriptions: tuple[tuple[int, int], ...]
    correlations: tuple[tuple[str, ...], ...]
    antenna_names: tuple[str, ...]
    antenna_position: np.ndarray
    dish_diameter: np.ndarray
    mounts: tuple[str, ...]
    feeds: FeedTable
    time_scale: str
    columns: tuple[str, ...]
    data_columns: tuple[str, ...]

    @property
    def usual_dish_diameter(self) -> float:
        """Median diameter of the dishes that have one, m; 0 where none has.

        Some writers leave that of a part of the antennas at zero.
        """
        known = self.dish_diameter[self.dish_diameter > 0]
        return float(np.median(known)) if len(known) else 0.0

    @property
    def placed_antennas(self) -> np.ndarray:
        """Positions (antenna, 3) of the antennas that have one, ITRF m.

        Antennas that took no part are often rows of zeros; the centre of the Earth is no place.
        """
        placed = np.any(self.antenna_position != 0, axis=1)
        return self.antenna_position[placed] if placed.any() else self.antenna_position

    @property
    def position(self) -> np.ndarray:
        """Mean position (3) of the antennas, ITRF m."""
        return self.placed_antennas.mean(axis=0)
