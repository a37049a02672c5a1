"""The estimator once more, slow and straight from the definition: no code of the package.

Rows of a measurement set are read one by one with python-casacore; every bin is summed over its
own visibilities, so a rebinned spectrum is checked against sums that were never binned before.
"""

from dataclasses import dataclass, field

import numpy as np
from casacore import tables

CORR_TYPES = {5: "RR", 6: "RL", 7: "LR", 8: "LL", 9: "XX", 10: "XY", 11: "YX", 12: "YY"}
SWAPPED = str.maketrans("RLXY", "LRYX")


@dataclass
class Samples:
    """Visibilities of one field and data description, one entry of `rows` a cross-correlation.

    A row: (time in MJD seconds as stored, scan, Stokes (F,4) complex, pair weights (F,4)); the
    weight of a sample that is not to be used is 0. Frequencies are in the order stored.
    """

    frequency: np.ndarray
    rows: list = field(default_factory=list)

    @property
    def times(self) -> np.ndarray:
        """The distinct times, ascending."""
        return np.unique([row[0] for row in self.rows])


def _subtable(path, name):
    return tables.table(f"{path}::{name}", ack=False, lockoptions="usernoread")


def cosines(ra, dec, ra0, dec0):
    """Return l, m, n (all angles in degrees): the target's unit vector on the axes of uvw."""
    a, d, a0, d0 = np.radians([ra, dec, ra0, dec0])
    target = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    east = np.array([-np.sin(a0), np.cos(a0), 0])
    north = np.array([-np.sin(d0) * np.cos(a0), -np.sin(d0) * np.sin(a0), np.cos(d0)])
    centre = np.array([np.cos(d0) * np.cos(a0), np.cos(d0) * np.sin(a0), np.sin(d0)])
    return east @ target, north @ target, centre @ target


def read(path, *, column="DATA", field=0, data_description=0, weights="row", target=None,
         scale=1.0, swap=False, uv_min=0.0, scan=None) -> Samples:
    """Return the samples turned to `target` (ra, dec in degrees, in the frame of the field)."""
    main = tables.table(str(path), ack=False, lockoptions="usernoread")
    window = int(_subtable(path, "DATA_DESCRIPTION").getcell("SPECTRAL_WINDOW_ID",
                                                            data_description))
    setup = int(_subtable(path, "DATA_DESCRIPTION").getcell("POLARIZATION_ID", data_description))
    frequency = _subtable(path, "SPECTRAL_WINDOW").getcell("CHAN_FREQ", window)
    labels = [CORR_TYPES[int(code)]
              for code in _subtable(path, "POLARIZATION").getcell("CORR_TYPE", setup)]
    if swap:
        labels = [label.translate(SWAPPED) for label in labels]
    ra0, dec0 = np.degrees(_subtable(path, "FIELD").getcell("PHASE_DIR", field)[0])
    l, m, n = cosines(*target, ra0, dec0) if target else (0.0, 0.0, 1.0)  # noqa: E741
    samples = Samples(frequency)
    for number in range(main.nrows()):
        if main.getcell("ANTENNA1", number) == main.getcell("ANTENNA2", number):
            continue
        if (main.getcell("FIELD_ID", number) != field
                or main.getcell("DATA_DESC_ID", number) != data_description
                or (scan is not None and main.getcell("SCAN_NUMBER", number) != scan)):
            continue
        u, v, w = main.getcell("UVW", number)
        visibility = main.getcell(column, number).astype(complex) * scale
        bad = (main.getcell("FLAG", number) | bool(main.getcell("FLAG_ROW", number))
               | bool(np.sqrt(u**2 + v**2) < uv_min))
        weight = np.ones(visibility.shape)
        if weights == "row":
            weight = weight * main.getcell("WEIGHT", number)
        elif weights == "spectrum":
            weight = weight * main.getcell("WEIGHT_SPECTRUM", number)
        weight = weight / scale**2
        turn = np.exp(-2j * np.pi * frequency / 299792458.0 * (u * l + v * m + w * (n - 1)))
        vis = {label: visibility[:, p] * turn for p, label in enumerate(labels)}
        good = {label: ~bad[:, p] & np.isfinite(visibility[:, p].real)
                & np.isfinite(visibility[:, p].imag) & (weight[:, p] > 0)
                & np.isfinite(weight[:, p]) for p, label in enumerate(labels)}
        var = {label: 1 / np.where(good[label], weight[:, p], 1)
               for p, label in enumerate(labels)}
        stokes = np.zeros((len(frequency), 4), complex)
        used = np.zeros((len(frequency), 4))
        for a, b, sums in (("RR", "LL", "I V"), ("XX", "YY", "I Q"), ("RL", "LR", "Q U"),
                           ("XY", "YX", "U V")):
            if a not in vis or b not in vis:
                continue
            first, second = ("IQUV".index(name) for name in sums.split())
            both = good[a] & good[b]
            half = 0.5 if a[0] == a[1] else -0.5j
            stokes[both, first] = ((vis[a] + vis[b]) / 2)[both]
            stokes[both, second] = (half * (vis[a] - vis[b]))[both]
            used[both, first] = used[both, second] = (4 / (var[a] + var[b]))[both]
        samples.rows.append((main.getcell("TIME", number), main.getcell("SCAN_NUMBER", number),
                             stokes, used))
    return samples


@dataclass
class Estimate:
    """What the sums of one bin give, for I, Q, U, V (4); NaN where nothing is left."""

    flux_density: np.ndarray
    residual: np.ndarray
    sigma_formal: np.ndarray
    sigma_empirical: np.ndarray
    count: np.ndarray


def estimate(samples: Samples, times, channels) -> Estimate:
    """Return the estimate of all visibilities at `times` (as stored) in `channels` together."""
    times = set(np.atleast_1d(times).tolist())
    chosen = [row for row in samples.rows if row[0] in times]
    values = {name: np.full(4, np.nan) for name in
              ("flux_density", "residual", "sigma_formal", "sigma_empirical")}
    count = np.zeros(4, int)
    for p in range(4):
        s = np.array([row[2][channels, p] for row in chosen]).ravel()
        w = np.array([row[3][channels, p] for row in chosen]).ravel()
        s, w = s[w > 0], w[w > 0]
        count[p] = len(w)
        if not len(w):
            continue
        mean = np.sum(w * s) / np.sum(w)
        values["flux_density"][p], values["residual"][p] = mean.real, mean.imag
        values["sigma_formal"][p] = 1 / np.sqrt(np.sum(w))
        if len(w) > 1:
            values["sigma_empirical"][p] = np.sqrt(
                np.sum(w**2 * np.abs(s - mean) ** 2)
                / (2 * (np.sum(w) ** 2 - np.sum(w**2))))
    return Estimate(count=count, **values)


def weight_scale(samples: Samples) -> np.ndarray:
    """Return by what factor (4) the scatter of all cells is larger than their formal errors."""
    cells = [estimate(samples, time, [channel])
             for time in samples.times for channel in range(len(samples.frequency))]
    ratio = np.array([(cell.sigma_empirical / cell.sigma_formal) ** 2 for cell in cells])
    freedom = np.array([cell.count - 1.0 for cell in cells])
    freedom[~np.isfinite(ratio)] = 0
    total = freedom.sum(axis=0)
    return np.sqrt(np.nansum(freedom * ratio, axis=0) / np.where(total > 0, total, np.nan))


def error_of_the_mean_of_cells(samples: Samples, times, channels, scale) -> np.ndarray:
    """Return sqrt(sum W^2 var) / sum W (4) over cells, var from the scatter across baselines.

    What differs between cells, a spectrum or a burst, is no error of their mean. A cell of one
    visibility has its formal error times `scale` (4).
    """
    cells = [estimate(samples, time, [channel])
             for time in np.atleast_1d(times) for channel in np.atleast_1d(channels)]
    weight = np.array([cell.sigma_formal**-2.0 for cell in cells])
    error = np.array([np.where(cell.count > 1, cell.sigma_empirical,
                               cell.sigma_formal * scale) for cell in cells])
    total = np.nansum(weight, axis=0)
    several = sum(cell.count for cell in cells) > 1
    return np.where(several, np.sqrt(np.nansum(weight**2 * error**2, axis=0))
                    / np.where(total > 0, total, np.nan), np.nan)


def assert_same(spectrum, samples: Samples, time_groups, channel_groups, rtol=1e-6) -> None:
    """Check every cell of a spectrum against the bins of the reference.

    `time_groups` and `channel_groups` are lists of lists: the stored times and the places of
    the stored channels in each bin of the spectrum.
    """
    assert spectrum.sum_w.shape[:2] == (len(time_groups), len(channel_groups))
    places = ["IQUV".index(name) for name in spectrum.polarizations]
    scale = weight_scale(samples)
    for t, times in enumerate(time_groups):
        for f, channels in enumerate(channel_groups):
            expected = estimate(samples, times, channels)
            expected.sigma_empirical = error_of_the_mean_of_cells(samples, times, channels,
                                                                  scale)
            where = f"bin {t}, {f}"
            np.testing.assert_array_equal(spectrum.count[t, f], expected.count[places], where)
            for name in ("flux_density", "residual"):
                # The imaginary part and weak Stokes parameters are differences of large numbers.
                size = np.nanmax(np.abs(expected.flux_density), initial=1e-30)
                np.testing.assert_allclose(getattr(spectrum, name)[t, f],
                                           getattr(expected, name)[places], rtol=rtol,
                                           atol=rtol * size, err_msg=f"{where}: {name}")
            for name in ("sigma_formal", "sigma_empirical"):
                np.testing.assert_allclose(getattr(spectrum, name)[t, f],
                                           getattr(expected, name)[places], rtol=rtol,
                                           atol=1e-9, err_msg=f"{where}: {name}")
