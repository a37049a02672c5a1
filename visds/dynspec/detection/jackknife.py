"""Whether an event comes from one antenna: its flux density without each of them, in turn."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from visds.core.flags import Flag
from visds.core.sky import Direction
from visds.core.track import Track
from visds.dynspec.block import make_block
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.visibility.chunk import VisibilityChunk

# An antenna alone takes more than half with it, and more than noise does in some 30 of them.
HALF, LIMIT = 0.5, 4.0
# Integrations before and after the box that make its level, in lengths of the box.
AROUND = 4.0


@dataclass(frozen=True)
class Jackknife:
    """The flux density of an event's best box without each antenna, on the level around it.

    Attributes
    ----------
    antennas : (A) array
        Numbers of the antennas.
    flux_density, sigma : (A) arrays
        In Jy, without that antenna; NaN where nothing is left.
    part : (A) array
        Share of the weight that is that antenna's.
    whole, whole_sigma : float
        Of all antennas, in Jy.
    """

    antennas: np.ndarray
    flux_density: np.ndarray
    sigma: np.ndarray
    part: np.ndarray
    whole: float
    whole_sigma: float

    @property
    def share(self) -> tuple[float, float, int]:
        """The largest share of the flux density that is gone without one antenna.

        With its signal to noise, and the antenna's number: (NaN, NaN, -1) of none. What is gone of
        a source is zero on average. Its variance is that without the antenna times the antenna's
        share of the weight: the scatter of all baselines would hold what the antenna alone sees.
        """
        gone = (self.whole - self.flux_density) / self.whole
        if not np.isfinite(gone).any():
            return np.nan, np.nan, -1
        worst = int(np.nanargmax(gone))
        error = self.sigma[worst] * np.sqrt(self.part[worst]) / abs(self.whole)
        return float(gone[worst]), float(gone[worst] / error), int(self.antennas[worst])


def jackknife(slabs: Iterable[VisibilityChunk], target: Direction | Track,
              correlations: tuple[str, ...], event: Mapping) -> Jackknife:
    """Return the flux density of an event without each antenna.

    Parameters
    ----------
    slabs : iterable of VisibilityChunk
        Of the chunk that holds the best box; integrations far from it are passed over.
    target : Direction or Track
        To which the visibilities are turned.
    correlations : tuple of str
        Of which Stokes parameters are made.
    event : mapping
        A row of the table of detections: its best box, its polarization and, of linear
        polarization, the angle of which is found again in all antennas together.

    Raises
    ------
    ValueError
        If no slab has an integration of the box, or no channel.
    """
    start, stop = event["box_start"], event["box_stop"]
    margin = AROUND * (stop - start)
    parts = [_part(slab, start - margin, stop + margin, event["box_low"], event["box_high"])
             for slab in slabs]
    parts = [part for part in parts if part is not None]
    if not any(np.any((part.time > start) & (part.time < stop)) for part in parts):
        raise ValueError("no visibilities of the box of the event")
    stokes = str(event["polarization"]).lstrip("+-")
    labels = ("Q", "U") if stokes == "L" else (stokes,)
    *whole, weight = _means(make_block(parts, target, labels, correlations), start, stop)
    direction = whole[0] / np.hypot.reduce(whole[0]) if stokes == "L" else np.ones(1)
    antennas = np.unique(parts[0].antennas)
    without = []
    for antenna in antennas:
        rest = [_without(part, antenna) for part in parts]
        mean, sigma, left = _means(make_block(rest, target, labels, correlations), start, stop)
        without.append((direction @ mean, np.sqrt(direction**2 @ sigma**2), 1 - left / weight))
    return Jackknife(antennas, *np.array(without).T, float(direction @ whole[0]),
                     float(np.sqrt(direction**2 @ whole[1] ** 2)))


def columns_of(found: Jackknife) -> dict:
    """Return the columns of the table of detections that a jackknife fills in."""
    share, snr, antenna = found.share
    return {"antenna_share": share, "antenna": antenna,
            "veto_antenna": bool(share > HALF and snr > LIMIT)}


def _part(slab: VisibilityChunk, start: float, stop: float, low: float, high: float
          ) -> VisibilityChunk | None:
    """Return the integrations and channels of a slab within limits; None if there are none."""
    times = np.flatnonzero((slab.time > start) & (slab.time < stop))
    channels = np.flatnonzero((slab.frequency > low) & (slab.frequency < high))
    if not len(times) or not len(channels):
        return None
    part = slab.select_times(times[0], times[-1] + 1)
    band = slice(channels[0], channels[-1] + 1)
    weight = part.weight if part.weight.shape[2] == 1 else part.weight[:, :, band]
    return part.replace(
        visibility=np.ascontiguousarray(part.visibility[:, :, band]),
        flags=np.ascontiguousarray(part.flags[:, :, band]), weight=np.ascontiguousarray(weight),
        frequency=part.frequency[band], channel_width=part.channel_width[band])


def _without(part: VisibilityChunk, antenna: int) -> VisibilityChunk:
    flags = part.flags.copy()
    flags[:, np.any(part.antennas == antenna, axis=1)] |= np.uint8(Flag.ABSENT)
    return part.replace(flags=flags)


def _means(block: DynamicSpectrum, start: float, stop: float
           ) -> tuple[np.ndarray, np.ndarray, float]:
    """Return flux density (P) in the box less that around it, errors, and the formal weight.

    NaN of nothing.
    """
    values, sigma = block.flux_density, block.sigma
    weight = np.where(np.isfinite(values) & (sigma > 0), 1 / np.where(sigma > 0, sigma, 1) ** 2, 0)
    values = np.nan_to_num(values)
    inside = (block.time > start) & (block.time < stop)
    sums = [(weight[times].sum(0), (weight[times] * values[times]).sum(0))
            for times in (inside, ~inside)]
    (w, wd), (u, ud) = sums
    known = (w > 0) & (u > 0)
    one = np.where(known, 1, 0)
    difference = wd / np.where(known, w, 1) - ud / np.where(known, u, 1)
    share = one / (1 / np.where(known, w, 1) + 1 / np.where(known, u, 1))
    total = share.sum(0)
    total = np.where(total > 0, total, np.nan)
    return ((share * difference).sum(0) / total, 1 / np.sqrt(total),
            float(block.sum_w[inside].sum()))
