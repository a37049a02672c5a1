"""From templates above the threshold to events: tiles that share no cell, joined where they touch.

The template of highest signal to noise is a tile: of a Gaussian, the box that suits it best. Its
cells are taken out, the quiescent level is found anew without them, and the search is made again
until nothing is above the threshold. A strong event thereby leaves neither a halo of boxes that
merely touch it nor dips beside it, and a drifting one becomes a chain of tiles along its drift.
Tiles closer than their own size are one event, whatever polarization found them, unless that would
join V of both signs without I.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from visds.dynspec.detection.boxes import Boxes
from visds.dynspec.detection.matched_filter import Found, Gaussian, MatchedFilter, nothing_found
from visds.dynspec.detection.noise import Plane

# Templates of one pass that are at least this fraction of its highest are not made by its dips.
COMPARABLE = 0.7
PASSES = 60


@dataclass(frozen=True)
class Tile:
    """A box of integrations `start` to `stop` and channels `low` to `high`, ends not included.

    Where it was found by a Gaussian template, that is `gaussian`, and the box suits it best.
    """

    search: str
    snr: float
    start: int
    stop: int
    low: int
    high: int
    gaussian: Gaussian | None = None

    @property
    def cells(self) -> tuple[slice, slice]:
        """The slices (T,F) of the cells in the tile."""
        return slice(self.start, self.stop), slice(self.low, self.high)


def find_tiles(planes: Mapping[str, Plane], signs: Mapping[str, tuple[str, int]], boxes: Boxes,
               thresholds: Mapping[str, float]) -> list[Tile]:
    """Return the tiles above the threshold, in the order in which they were found.

    Parameters
    ----------
    planes : dict
        Polarization to plane.
    signs : dict
        Name of a search ("I", "+V", "-V", "L") to polarization and sign.
    boxes : Boxes
        The boxes.
    thresholds : dict
        Polarization to the least signal to noise of a tile. What is found in two polarizations
        is that of the one whose square is farther above that of its threshold, which is less
        likely to be noise.
    """
    tiles: list[Tile] = []
    taken = np.zeros(next(iter(planes.values())).weight.shape, bool)
    filters = {p: MatchedFilter(plane.weight.copy(), boxes, coherent=plane.coherent,
                                scatter=plane.scatter) for p, plane in planes.items()}
    for _ in range(PASSES):
        name, found = _highest_search(planes, filters, signs, thresholds)
        if not name:
            break
        before = taken.copy()
        p = signs[name][0]
        new = _disjoint_tiles(name, found, filters[p], boxes, planes[p].weight, taken)
        if not new:
            break
        tiles += new
        for matched_filter in filters.values():
            matched_filter.take_out(taken & ~before)
    return tiles


def join(tiles: Sequence[Tile], time: np.ndarray, integration: np.ndarray, used: np.ndarray,
         scans: Sequence[slice]) -> list[list[Tile]]:
    """Return the tiles of each event, events in the order of their first tile.

    Two tiles belong together where the gap between them, less what is flagged in it, is no wider
    than the narrower of them, in time and in frequency; and so what is together in a scan with what
    is in another, if nothing was observed between them.

    Parameters
    ----------
    tiles : sequence of Tile
        The tiles.
    time, integration : (T) arrays
        Centre in d and length in s of the integrations.
    used : (T,F) array of bool
        Cells that have weight in any polarization.
    scans : sequence of slice
        The integrations of each scan; a tile lies in one.
    """
    seen = used.any(1), used.any(0)

    def near(one: Sequence[Tile], other: Sequence[Tile]) -> bool:
        return any(_near(a, b, time, integration, *seen) for a in one for b in other)

    # I first: two tiles of V that are each near a tile of I come together through it.
    ordered = sorted(tiles, key=lambda tile: tile.search != "I")
    def parts_near(one: Sequence[Tile], other: Sequence[Tile]) -> bool:
        return any(_near(a, b, time, integration, *seen)
                   and not seen[0][min(a.stop, b.stop):max(a.start, b.start)].any()
                   for a in _parts(one, scans) for b in _parts(other, scans))

    return _joined(_joined([[tile] for tile in ordered], near), parts_near)


def _joined(groups: Sequence[list[Tile]],
            near: Callable[[Sequence[Tile], Sequence[Tile]], bool]) -> list[list[Tile]]:
    """Return groups put together where they are near each other and not of opposite V."""
    found: list[list[Tile]] = []
    for group in groups:
        merged = list(group)
        for other in [other for other in found if near(group, other)]:
            if _one_sign(merged + other):
                merged = other + merged
                found.remove(other)
        found.append(merged)
    return found


def _parts(tiles: Sequence[Tile], scans: Sequence[slice]) -> list[Tile]:
    """Return the boxes around the tiles of an event in each scan."""
    found = []
    for scan in scans:
        inside = [tile for tile in tiles if scan.start <= tile.start < scan.stop]
        if inside:
            found.append(replace(
                inside[0], start=min(tile.start for tile in inside),
                stop=max(tile.stop for tile in inside), low=min(tile.low for tile in inside),
                high=max(tile.high for tile in inside), gaussian=None))
    return found


def _highest_search(planes: Mapping[str, Plane], filters: Mapping[str, MatchedFilter],
                    signs: Mapping[str, tuple[str, int]], thresholds: Mapping[str, float]
                    ) -> tuple[str, Found]:
    """Return the search whose best template is the highest of all, and those comparable with it.

    No search ("") if none reaches its threshold.
    """
    best, found = "", nothing_found((0, 0))
    reference = min(thresholds.values())
    # Signals to noise are compared as those of the search of lowest threshold.
    highest = np.nextafter(reference, 0)
    for polarization, matched_filter in filters.items():
        values, threshold = planes[polarization].values, thresholds[polarization]
        own = _moved(highest, threshold**2 - reference**2)
        names = {sign: name for name, (p, sign) in signs.items() if p == polarization}
        chosen = list(names)
        if len(names) > 1:
            # One look at both signs, and one for the templates if it is worth it.
            ends = matched_filter.extremes(values[None], (own, -own))
            chosen = [sign for sign, end in zip((1, -1), ends, strict=True)
                      if sign * end[0] > own]
        for sign in chosen:
            templates = matched_filter.best(sign * values, max(threshold, COMPARABLE * own),
                                            COMPARABLE)
            reached = templates.snr.max(initial=-np.inf)
            if reached > own:
                best, found, own = names[sign], templates, float(reached)
                highest = _moved(own, reference**2 - threshold**2)
    return best, found


def _moved(snr: float, difference: float) -> float:
    """Return the signal to noise whose square is larger by the difference."""
    return float(np.sqrt(max(snr**2 + difference, 0))) if difference else float(snr)


def _disjoint_tiles(name: str, found: Found, matched_filter: MatchedFilter, boxes: Boxes,
                    weight: np.ndarray, taken: np.ndarray) -> list[Tile]:
    """Return the best templates that share no cell, and mark their cells as taken."""
    highest = found.snr.max(initial=-np.inf)
    if not np.isfinite(highest):
        return []
    rows, columns = np.nonzero(found.snr >= COMPARABLE * highest)
    order = np.argsort(-found.snr[rows, columns], kind="stable")[:1000]
    tiles = []
    before = taken.copy()
    usable = (weight > 0) & ~taken
    for row, column in zip(rows[order], columns[order], strict=True):
        box, gaussian = matched_filter.template(found, row, column)
        if (taken[box] & ~before[box]).any():
            continue
        box = _beside_level(box, boxes, usable)
        inside = (weight[box] > 0) & ~before[box]
        if not inside.any():
            continue
        rows_used, columns_used = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        taken[box] = True
        usable[box] = False
        start, low = box[0].start, box[1].start
        tiles.append(Tile(name, float(found.snr[row, column]),
                          int(start + rows_used[0]), int(start + rows_used[-1] + 1),
                          int(low + columns_used[0]), int(low + columns_used[-1] + 1), gaussian))
    return tiles


def _beside_level(box: tuple[slice, slice], boxes: Boxes, usable: np.ndarray
                  ) -> tuple[slice, slice]:
    """Return a box, narrowed in time until there are `usable` cells (T,F; bool) beside it.

    The box that suits a Gaussian may cover all of the level that the Gaussian stands out from.
    """
    if boxes.quiescent == "none":
        return box
    times, channels = box
    ends = ((0, len(usable)) if boxes.quiescent == "observation"
            else next((scan.start, scan.stop) for scan in boxes.scans
                      if scan.start <= times.start < scan.stop))
    while times.stop - times.start > 2:
        before, after = slice(ends[0], times.start), slice(times.stop, ends[1])
        if usable[before, channels].any() or usable[after, channels].any():
            break
        times = slice(times.start + 1, times.stop - 1)
    return times, channels


def _near(a: Tile, b: Tile, time: np.ndarray, integration: np.ndarray, used_times: np.ndarray,
          used_channels: np.ndarray) -> bool:
    first, second = (a, b) if a.start <= b.start else (b, a)
    lower, upper = (a, b) if a.low <= b.low else (b, a)
    between = slice(lower.high, max(lower.high, upper.low))
    gap = int(used_channels[between].sum())
    if gap > min(a.high - a.low, b.high - b.low):
        return False
    if first.stop > second.start:
        return True
    between = slice(first.stop, second.start)
    flagged = float(integration[between][~used_times[between]].sum())
    seconds = ((time[second.start] - time[first.stop - 1]) * 86400
               - (integration[second.start] + integration[first.stop - 1]) / 2 - flagged)
    shortest = min(_duration(a, time, integration), _duration(b, time, integration))
    # A microsecond, for times are rounded.
    return seconds <= shortest + 1e-6


def _duration(tile: Tile, time: np.ndarray, integration: np.ndarray) -> float:
    return ((time[tile.stop - 1] - time[tile.start]) * 86400
            + (integration[tile.start] + integration[tile.stop - 1]) / 2)


def _one_sign(tiles: Sequence[Tile]) -> bool:
    searches = {tile.search for tile in tiles}
    return "I" in searches or not {"+V", "-V"} <= searches
