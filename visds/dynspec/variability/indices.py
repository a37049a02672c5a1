"""Does a light curve vary: the statistics by which surveys compare sources.

With N flux densities S of errors sigma and weights w = 1/sigma^2: eta and V of the Transients
Pipeline (Swinbank et al. 2015, Astronomy and Computing 11, 25), excess variance
(Vaughan et al. 2003, MNRAS 345, 1271), and Vs and m of a pair of measurements (Mooley et al. 2016,
ApJ 818, 105). The same of the imaginary part, which holds no flux density
of a point source, tells how much of it is calibration or confusion.
"""

import numpy as np
from astropy.table import Table
from scipy import special

from visds.dynspec.light_curve import LightCurve
from visds.dynspec.variability.measured import Measured

COLUMNS = {
    "polarization": (str, None, "Stokes parameter"),
    "number": (int, None, "number N of measurements"),
    "mean": (float, "Jy", "weighted mean"),
    "mean_error": (float, "Jy", "standard error of the weighted mean"),
    "eta": (float, None, "reduced chi^2 of a constant: sum((S - mean)^2 / sigma^2) / (N - 1)"),
    "V": (float, None, "standard deviation over absolute mean, neither weighted"),
    "probability": (float, None, "that a constant source gives this eta or a larger one"),
    "excess_variance": (
        float, None, "(variance - mean of sigma^2) / mean^2; negative by chance if constant"),
    "excess_variance_error": (
        float, None, "its standard error by noise alone (Vaughan et al. 2003, eq. 11)"),
    "modulation_index": (float, None, "root of the excess variance, zero if that is negative"),
    "eta_imaginary": (float, None, "eta of the imaginary part; 1 if the errors are right"),
    "probability_imaginary": (
        float, None, "that a constant source with the scatter of the imaginary part gives this "
        "eta or a larger one (F test)"),
    "pair_Vs": (
        float, None, "largest absolute Vs = difference / its error of any two measurements"),
    "pair_m": (float, None, "m = difference / mean of these two, later less earlier"),
    "pair_first": (float, "d", "time of the earlier of the two, MJD UTC"),
    "pair_second": (float, "d", "time of the later of the two, MJD UTC"),
}


def statistics(light_curve: LightCurve) -> Table:
    """Return the variability statistics of a light curve, a row for each polarization.

    Measurements that are NaN, or have no positive error, are left out; what cannot be told from
    those that remain is NaN. The probabilities are those of a single look at one light curve;
    `pair_Vs` is the largest of N (N - 1) / 2 pairs and grows with N.
    """
    table = Table()
    rows = [_row(light_curve, p) for p in range(len(light_curve.polarizations))]
    for name, (kind, unit, meaning) in COLUMNS.items():
        dtype = {str: "U4", float: "f8", int: "i8"}[kind]
        table[name] = np.array([row[name] for row in rows], dtype)
        table[name].unit = unit
        table[name].description = meaning
    table.meta["band_Hz"] = list(light_curve.band)
    return table


def weighted_mean(values: np.ndarray, sigma: np.ndarray) -> tuple[float, float]:
    """Return the weighted mean of values (N) with errors (N), and its standard error."""
    w = 1 / sigma**2
    return float(np.sum(w * values) / np.sum(w)), float(1 / np.sqrt(np.sum(w)))


def eta(values: np.ndarray, sigma: np.ndarray) -> float:
    """Return eta, the reduced chi^2 about the weighted mean, of at least two values (N).

    Swinbank et al. 2015, in the form that does not take the difference of large sums.
    """
    mean, _ = weighted_mean(values, sigma)
    return float(np.sum(((values - mean) / sigma) ** 2) / (len(values) - 1))


def largest_pair(values: np.ndarray, sigma: np.ndarray) -> tuple[float, int, int]:
    """Return the largest Vs = |S_i - S_j| / sqrt(sigma_i^2 + sigma_j^2), and i < j, of N >= 2."""
    # No pair of a measurement is larger than this; few can hold the largest of all.
    limit = (np.maximum(values.max() - values, values - values.min())
             / np.hypot(sigma, sigma.min()))
    best = (-1.0, 0, 1)
    for i in np.argsort(-limit, kind="stable"):
        if limit[i] * (1 + 1e-9) < best[0]:
            break
        vs = np.abs(values - values[i]) / np.hypot(sigma, sigma[i])
        j = int(np.argmax(np.where(np.arange(len(values)) == i, -1.0, vs)))
        if vs[j] > best[0]:
            best = (float(vs[j]), int(min(i, j)), int(max(i, j)))
    return best


def _row(light_curve: LightCurve, p: int) -> dict:
    measured = Measured.of(light_curve, p)
    values, sigma, imaginary = measured.values, measured.sigma, measured.imaginary
    number = len(measured)
    row = {name: np.nan for name, (kind, _, _) in COLUMNS.items() if kind is float}
    row |= {"polarization": light_curve.polarizations[p], "number": number}
    if number:
        row["mean"], row["mean_error"] = weighted_mean(values, sigma)
    if number < 2:
        return row
    freedom = number - 1
    row["eta"], row["eta_imaginary"] = eta(values, sigma), eta(imaginary, sigma)
    row["probability"] = float(special.chdtrc(freedom, row["eta"] * freedom))
    if row["eta_imaginary"] > 0:
        row["probability_imaginary"] = float(
            special.fdtrc(freedom, freedom, row["eta"] / row["eta_imaginary"]))
    row |= _relative(values, sigma)
    row["pair_Vs"], i, j = largest_pair(values, sigma)
    row["pair_first"], row["pair_second"] = measured.time[i], measured.time[j]
    middle = (values[i] + values[j]) / 2
    if middle != 0:
        row["pair_m"] = (values[j] - values[i]) / middle
    return row


def _relative(values: np.ndarray, sigma: np.ndarray) -> dict[str, float]:
    """Return the statistics that are relative to the mean; none of a mean of exactly zero."""
    mean = values.mean()
    if mean == 0:
        return {}
    variance, noise = values.var(ddof=1), np.mean(sigma**2)
    excess = (variance - noise) / mean**2
    index = np.sqrt(max(excess, 0))
    number = len(values)
    error = np.hypot(np.sqrt(2 / number) * noise / mean**2,
                     2 * index * np.sqrt(noise / number) / abs(mean))
    return {"V": float(np.sqrt(variance) / abs(mean)), "excess_variance": float(excess),
            "excess_variance_error": float(error), "modulation_index": float(index)}
