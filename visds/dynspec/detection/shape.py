"""The shape of an event in time and frequency: how it drifts, rises and decays.

A burst is fitted as one pulse that arrives in each channel at its own time,
S(t, f) = A_f p(t - t0 - k (f - f0)): a pulse p that rises to its peak and decays, with a time of
each, a delay k per frequency, and heights A_f of sub-bands, which are as many as the signal to
noise allows. Whatever its spectrum is, the delay is so that of the time of arrival. It starts from
a search over delays (a Radon transform): sums along straight lines in the dynamic spectrum. Errors
are those of least squares, enlarged by the root of the reduced chi-squared where that is above one.

The times are those from half of the peak to the peak and back. Each flank is 2^-(|t|/time)^a, as a
mean over the integrations, of an exponent a of its own between that of an exponential (1) and of a
Gaussian (2), which is fitted too. Of a weak burst, whose exponents the data do not tell, the errors
hold what that leaves open.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from visds.dynspec.detection.events import Tile
from visds.dynspec.detection.measure import Level
from visds.dynspec.detection.noise import Plane

# Signal to noise of a sub-band, and most of these.
BAND_SNR, MOST_BANDS = 5.0, 12
# Errors of a delay beyond which it is a drift, and those of a time that is known.
DRIFT_ERRORS, KNOWN = 3.0, 2.0
# Slopes of the search, of either sign, the steepest of which crosses the band in the time that is
# looked at, and places and widths.
SLOPES, PLACES, WIDTHS = 31, 24, 4
# Exponents of flanks, and how far off their logarithm is where the data do not tell.
EXPONENTS, EXPONENT_SCATTER = (1.0, 2.0), np.log(2) / 2
# Steps of a fit at most: what is not found by then is a shape that the data do not tell.
MOST_STEPS = 30


@dataclass(frozen=True)
class Shape:
    """The shape of an event; NaN where it is not measurable.

    Attributes
    ----------
    delay, delay_error : float
        Time of arrival per frequency in s/Hz: positive where it is later at higher frequency.
    drift_rate, drift_rate_error : float
        The inverse in Hz/s, where the delay is above three of its errors; of a burst within an
        integration, where the band is crossed in more than one.
    rise_time, rise_time_error, decay_time, decay_time_error : float
        From half of the peak to the peak, and from there to the half, in s, without the drift.
        Where the time is not known to half of itself, or is below half an integration, it is an
        upper limit and the error is NaN; none that is longer than what was looked at.
    """

    delay: float = np.nan
    delay_error: float = np.nan
    drift_rate: float = np.nan
    drift_rate_error: float = np.nan
    rise_time: float = np.nan
    rise_time_error: float = np.nan
    decay_time: float = np.nan
    decay_time_error: float = np.nan


def shape_of(plane: Plane, sign: int, hull: Tile, scan: slice, level: Level, others: np.ndarray,
             time: np.ndarray, integration: np.ndarray, frequency: np.ndarray) -> Shape:
    """Return the shape of the event inside `hull`.

    Parameters
    ----------
    plane, sign
        The polarization in which it was found, and its sign there.
    hull : Tile
        All that was detected of it; as much time before and after is looked at too.
    scan : slice
        The integrations that may be looked at.
    level : Level
        The quiescent level.
    others : (T,F) array of bool
        Cells of other events, which are left out.
    time, integration, frequency : (T), (T), (F) arrays
        In d, s and Hz.
    """
    length = max(2, hull.stop - hull.start)
    rows = slice(max(scan.start, hull.start - length), min(scan.stop, hull.stop + length))
    cells = rows, slice(hull.low, hull.high)
    usable = ~others[cells] & (level.weight[cells] > 0)
    weight = np.where(usable, plane.weight[cells], 0)
    values = np.where(usable, sign * (plane.values[cells] - level.value[cells]), 0)
    seconds = (time[rows] - time[rows.start]) * 86400
    return fitted(values, weight, seconds, integration[rows], frequency[cells[1]], hull.snr)


def fitted(values: np.ndarray, weight: np.ndarray, seconds: np.ndarray, integration: np.ndarray,
           frequency: np.ndarray, snr: float) -> Shape:
    """Return the shape of a burst in values (T,F) in Jy above the level, of weight (T,F; Jy-2).

    `seconds` and `integration` (T) are the times and lengths of the integrations, `frequency` (F)
    is in Hz, ascending, and `snr` that of the burst, which says how finely it can be split up.
    """
    data = _sub_bands(values, weight, frequency, snr)
    if data is None or np.count_nonzero(data[1].any(1)) < 4:
        return Shape()
    values, weight, frequency, width = data
    start = _start(values, weight, seconds, integration, frequency)
    fit = _fit(start, values, weight, seconds, integration, frequency, width)
    if fit is None:
        return Shape()
    (delay, rise, decay), (delay_error, rise_error, decay_error) = fit
    found = {}
    shortest = float(np.median(integration)) / 2
    for name, width, width_error in (("rise", rise, rise_error), ("decay", decay, decay_error)):
        if width < shortest or width < KNOWN * width_error:
            limit = max(shortest, width + KNOWN * width_error)
            # Of what is longer than what was looked at, nothing is known.
            found[f"{name}_time"] = limit if limit < np.ptp(seconds) else np.nan
        else:
            found |= {f"{name}_time": width, f"{name}_time_error": width_error}
    bandwidth = np.ptp(frequency)
    if bandwidth > 0:
        is_resolved = max(rise, decay) > shortest
        if not is_resolved:
            # When in its integration a shorter burst is, nothing tells.
            delay_error = np.hypot(delay_error, 2 * shortest / np.sqrt(12) / bandwidth)
        found |= {"delay": delay, "delay_error": delay_error}
        if abs(delay) > DRIFT_ERRORS * delay_error and (
                is_resolved or abs(delay) * bandwidth > 2 * shortest):
            found |= {"drift_rate": 1 / delay, "drift_rate_error": delay_error / delay**2}
    return Shape(**{name: float(value) for name, value in found.items()})


def _sub_bands(values: np.ndarray, weight: np.ndarray, frequency: np.ndarray, snr: float
               ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """Return means (T,N), weights (T,N), frequencies and widths (N) of sub-bands in Hz.

    They have much the same weight and are as wide as a box in which weight scatters so. Their
    frequency is where the burst is in them, whose spectrum slopes as from band to band. None where
    nothing has weight.
    """
    of_channel = weight.sum(0)
    if not of_channel.any():
        return None
    number = int(np.clip((snr / BAND_SNR) ** 2, 1, MOST_BANDS))
    before = np.cumsum(of_channel) - of_channel / 2
    band = np.minimum((before / of_channel.sum() * number).astype(int), number - 1)
    band = np.unique(band[of_channel > 0], return_inverse=True)[1]
    used = np.flatnonzero(of_channel > 0)
    total = np.zeros((len(values), band.max() + 1))
    sums, centres, shares = np.zeros(total.shape), np.zeros(total.shape[1]), np.zeros(
        total.shape[1])
    np.add.at(total.T, band, weight[:, used].T)
    np.add.at(sums.T, band, (weight * values)[:, used].T)
    np.add.at(centres, band, (of_channel * frequency)[used])
    np.add.at(shares, band, of_channel[used])
    centres /= shares
    scatter = np.zeros(len(centres))
    np.add.at(scatter, band, of_channel[used] * (frequency[used] - centres[band]) ** 2)
    width = np.sqrt(12 * scatter / shares)
    if len(centres) > 1:
        spectrum = sums.sum(0) / shares
        slope = np.divide(np.gradient(spectrum, centres) * width, spectrum,
                          out=np.zeros(len(centres)), where=spectrum > 0)
        centres += width / 12 * np.clip(slope, -2, 2)
    return (np.divide(sums, total, out=np.zeros(total.shape), where=total > 0), total, centres,
            width)


def _integral(t: np.ndarray, rise: float, decay: float, first: float, second: float) -> np.ndarray:
    """Return the integral from 0 to t of a pulse of height one at 0.

    2^-(|t|/rise)^first before and 2^-(t/decay)^second after.
    """
    exponent = np.where(t < 0, first, second)
    scale = np.where(t < 0, rise, decay) / np.log(2) ** (1 / exponent)
    return (np.sign(t) * scale * special.gamma(1 + 1 / exponent)
            * special.gammainc(1 / exponent, (np.abs(t) / scale) ** exponent))


def _fit(start: np.ndarray, values: np.ndarray, weight: np.ndarray, seconds: np.ndarray,
         integration: np.ndarray, frequency: np.ndarray, width: np.ndarray
         ) -> tuple[np.ndarray, np.ndarray] | None:
    """Return delay, rise and decay, and their errors; None without a fit."""
    root = np.sqrt(weight)
    known = weight > 0
    middle = (frequency * weight.sum(0)).sum() / weight.sum()
    offset = frequency - middle
    span = np.ptp(seconds)
    band = np.ptp(frequency)
    shortest = float(np.median(integration)) / 10

    def profile(parameters: np.ndarray) -> np.ndarray:
        t0, delay, shape = parameters[0], parameters[1], np.exp(parameters[2:])
        t = seconds[:, None] - t0 - delay * offset
        # A mean over the integration, and over the time in which it drifts through the sub-band.
        half = np.hypot(integration[:, None], delay * width) / 2
        return (_integral(t + half, *shape) - _integral(t - half, *shape)) / (2 * half)

    def heights(shape: np.ndarray) -> np.ndarray:
        norm = (weight * shape**2).sum(0)
        return np.divide((weight * shape * values).sum(0), norm, out=np.zeros(len(norm)),
                         where=norm > 0)

    def residuals(parameters: np.ndarray) -> np.ndarray:
        shape = profile(parameters)
        return (root * (values - heights(shape) * shape))[known]

    low, high = np.log(EXPONENTS)
    start = np.append(start, [high - 0.02] * 2)
    limits = (np.array([-span, -np.inf, np.log(shortest), np.log(shortest), low, low]),
              np.array([2 * span, np.inf, np.log(4 * span), np.log(4 * span), high, high]))
    scale = np.array([max(span / 10, shortest), max(span / 10, shortest) / band if band else 1.0,
                      *[1.0] * 4])
    if not band:
        limits[0][1], limits[1][1] = -1e-30, 1e-30
    result = optimize.least_squares(residuals, start, bounds=limits, x_scale=scale,
                                    max_nfev=MOST_STEPS)
    best = result.x
    chi_2 = 2 * result.cost
    # Errors with the heights free: their derivatives are the profile itself. A flank that is not
    # resolved has those of the shortest one that is: what is linear about none holds nowhere else.
    at = best.copy()
    at[2:4] = np.maximum(best[2:4], np.log(5 * shortest))
    A = heights(profile(at))
    step = np.array([1e-3 * np.exp(at[2:4]).max()] * len(at))
    step[1], step[2:] = step[0] / band if band else 0.0, 1e-3
    columns = []
    for number in np.flatnonzero(step):
        move = np.zeros(len(at))
        move[number] = step[number]
        change = (profile(at + move) - profile(at - move)) / (2 * step[number])
        columns.append(np.append((root * A * change)[known],
                                 (np.arange(4, 6) == number) / EXPONENT_SCATTER))
    shape = root * profile(at)
    for n in range(values.shape[1]):
        column = np.zeros(values.shape)
        column[:, n] = shape[:, n]
        columns.append(np.append(column[known], [0, 0]))
    jacobian = np.array(columns).T
    size = np.linalg.norm(jacobian, axis=0)
    if not np.all(size > 0):
        return None
    inverse = np.linalg.pinv((jacobian / size).T @ (jacobian / size), rcond=1e-12)
    errors = np.sqrt(np.maximum(np.diag(inverse), 0)) / size
    freedom = len(jacobian) - jacobian.shape[1]
    errors *= np.sqrt(max(1.0, chi_2 / freedom)) if freedom > 0 else np.inf
    rise, decay = np.exp(best[2:4])
    rise_scale, decay_scale = np.exp(at[2:4])
    delay, delay_error = (best[1], errors[1]) if band else (0.0, np.nan)
    rise_error, decay_error = errors[2:4] if band else errors[1:3]
    return (np.array([delay, rise, decay]),
            np.array([delay_error, rise_error * rise_scale, decay_error * decay_scale]))


def _start(values: np.ndarray, weight: np.ndarray, seconds: np.ndarray, integration: np.ndarray,
           frequency: np.ndarray) -> np.ndarray:
    """Return t0, delay and the logarithms of rise and decay from sums along straight lines."""
    span, band = np.ptp(seconds), np.ptp(frequency)
    offset = frequency - (frequency * weight.sum(0)).sum() / weight.sum()
    places = np.linspace(*seconds[[0, -1]], min(PLACES, len(seconds)))
    steepest = span / band if band else 0.0
    best, found = -np.inf, np.zeros(4)
    for delay in np.linspace(-steepest, steepest, SLOPES if band else 1):
        since = seconds[:, None] - delay * offset - places[:, None, None]
        for width in np.geomspace(max(np.median(integration) / 2, span / 40), span / 3, WIDTHS):
            shape = np.exp2(-((since / width) ** 2))
            norm = (weight * shape**2).sum(1)
            each = np.divide((weight * values * shape).sum(1), np.sqrt(norm),
                             out=np.zeros(norm.shape), where=norm > 0)
            # Heights are free but not negative.
            total = (np.maximum(each, 0) ** 2).sum(1)
            place = int(np.argmax(total))
            if total[place] > best:
                best = total[place]
                found = np.array([places[place], delay, np.log(width), np.log(width)])
    return found
