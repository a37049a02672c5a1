"""Vetoes: what an event looks like that is no burst of the target. They mark it and remove nothing.

* off source: the same box of a direction without a source has half of its signal to noise, and
  more than noise has in any of these directions one time in a hundred. A burst at the target
  leaves there the sidelobe of the beam, a few per cent of it for an array of many antennas;
  interference, and a burst of another source, as much as here or more.
* incoherent: the baselines scatter more in the best box than outside of all events, by a flux
  density of single visibilities above that of the event. A point source at the target is the same
  flux density on all baselines and leaves their scatter as it is. Interference that is not from
  its direction has phases at random, and is by the root of the number of visibilities stronger in
  one of them than in their mean; another source is stronger too, by one over its sidelobe here.
  Gain errors of a few per cent, and sources resolved by less than half, are below.
* RFI band: more than half of the best box' band is known to be used by transmitters.
* edge: by a quarter more of the border of the best box is flagged than of all cells: what was not
  flagged of interference that mostly was. Channels at the ends of the band without any data in the
  scan, and integrations at the ends of the scan, are beyond its border: no event reaches them.
* antenna: the event is gone without one antenna; see `jackknife`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from astropy.table import Table
from scipy.special import ndtri

from visds.dynspec.detection.boxes import Boxes
from visds.dynspec.detection.events import Tile
from visds.dynspec.detection.measure import mean_flux_density, quiescent_level
from visds.dynspec.detection.noise import Plane
from visds.dynspec.detection.rfi_bands import RfiBand, covered
from visds.dynspec.dynamic_spectrum import DynamicSpectrum

NAMES = {"veto_off_source": "off source", "veto_incoherent": "incoherent",
         "veto_antenna": "antenna", "veto_rfi_band": "RFI band", "veto_edge": "edge"}
# A share of the signal to noise, and of the band; the chance of noise.
HALF, CHANCE = 0.5, 0.01
INCOHERENT_SNR = 5.0
BORDER = 0.25


def off_source_snr(plane: Plane, boxes: Boxes, box: Tile, events: np.ndarray) -> float:
    """Return the signal to noise of a box in a plane of another direction.

    `events` (T,F; bool) are the cells that its level leaves out. Linear polarization has that of
    both components. NaN without data there.
    """
    parts = [mean_flux_density(part, box, quiescent_level(part, boxes, events, events))
             for part in plane.components]
    snr = [mean / error for mean, error in parts]
    return float(snr[0] if len(snr) == 1 else np.hypot(*snr))


def is_off_source(snr: float, elsewhere: float, directions: int) -> bool:
    """Whether an event is off source, too, by `off_source_snr` in some directions."""
    limit = -ndtri(CHANCE / 2 / max(directions, 1))
    return bool(abs(elsewhere) > max(HALF * snr, limit))


def incoherent_excess(spectrum: DynamicSpectrum, polarization: str, box: Tile,
                      events: np.ndarray) -> tuple[float, float]:
    """Return by what flux density (Jy) visibilities scatter more in a box, and its S/N.

    The root of the excess of the mean square of visibilities about their mean in a cell, over that
    of the same channels outside `events` (T,F; bool); negative where they scatter less. In the
    scatter's units a cell with N visibilities has 2 (N - 1) degrees of freedom. NaN where the
    spectrum does not tell, as of cells of one visibility.
    """
    squares, squared_errors = 0.0, 0.0
    for label in ("Q", "U") if polarization == "L" else (polarization,):
        p = spectrum.index(label)
        channels = slice(box.low, box.high)
        formal = spectrum.sigma_formal[:, channels, p] ** 2
        ratio = spectrum.sigma_empirical[:, channels, p] ** 2 / formal
        known = np.isfinite(ratio) & (spectrum.count[:, channels, p] > 1)
        ratio = np.where(known, ratio, 0)
        degrees = np.where(known, 2.0 * (spectrum.count[:, channels, p] - 1), 0)
        quiet = np.where(events[:, channels], 0, degrees)
        outside = quiet.sum(0)
        level = np.divide((quiet * ratio).sum(0), outside, out=np.zeros(len(outside)),
                          where=outside > 0)
        inside = slice(box.start, box.stop)
        weight = np.where(level > 0, degrees[inside], 0)
        total = weight.sum()
        if not total > 0:
            return np.nan, np.nan
        # Mean square of the real part of one visibility's noise: what its cell averages, undone.
        of_one = np.where(weight > 0, formal[inside] * level
                          * spectrum.sum_w[inside, channels, p] ** 2
                          / spectrum.sum_w2[inside, channels, p], 0)
        share = weight * of_one / total
        known = level > 0
        relative = np.divide(ratio[inside], level, out=np.ones(share.shape),
                             where=np.broadcast_to(known, share.shape))
        squares += float((share * (relative - 1)).sum())
        squared_errors += float(
            (share**2 * 2 / np.where(weight > 0, weight, 1)).sum()
            + (share.sum(0) ** 2 * 2 / np.where(known, outside, 1)).sum())
    # Twice, for real and imaginary parts share the scatter.
    return (float(np.sign(squares) * np.sqrt(2 * abs(squares))),
            float(squares / np.sqrt(squared_errors)))


def is_incoherent(flux_density: float, excess: float, snr: float) -> bool:
    """Whether an event of a flux density is incoherent, by `incoherent_excess`."""
    return bool(snr > INCOHERENT_SNR and excess > abs(flux_density))


def flagged_border(used: np.ndarray, scan: slice, box: Tile) -> float:
    """Return the flagged share of the cells around a box; NaN where there are none.

    `used` (T,F; bool) are the cells with data. Beyond the first and last integration of the scan
    with data, and its lowest and highest channel with data, there are no cells.
    """
    in_time = scan.start + np.flatnonzero(used[scan].any(axis=1))
    in_frequency = np.flatnonzero(used[scan].any(axis=0))
    times = slice(max(in_time[0], box.start - 1), min(in_time[-1] + 1, box.stop + 1))
    channels = slice(max(in_frequency[0], box.low - 1), min(in_frequency[-1] + 1, box.high + 1))
    border = np.zeros(used.shape, bool)
    border[times, channels] = True
    border[box.cells] = False
    around = used[border]
    return float(np.mean(~around)) if len(around) else np.nan


def vetoed(values: Mapping[str, float | bool]) -> str:
    """Return the names of the vetoes of an event that are set, with commas between."""
    return ", ".join(name for column, name in NAMES.items() if values[column])


def in_words(table: Table) -> str:
    """Return how many events have which vetoes, such as "2 of 5 are vetoed (off source 1, ...)".

    Empty where there is none.
    """
    marked = int(np.sum(table["veto"] != "")) if len(table) else 0
    if not marked:
        return ""
    counts = {name: int(np.sum(table[column])) for column, name in NAMES.items()}
    said = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    return f"{marked} of {len(table)} {'is' if marked == 1 else 'are'} vetoed ({said})"


def band_columns(bands: Sequence[RfiBand], low: float, high: float) -> dict:
    """Return the columns of the bands of known interference, of a box' band in Hz."""
    share, name = covered(bands, low, high)
    return {"rfi_band": name, "rfi_band_share": share, "veto_rfi_band": bool(share > HALF)}
