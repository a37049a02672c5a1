"""The Lomb-Scargle periodogram of a light curve: its strongest period, and how likely by chance."""

from dataclasses import dataclass, field

import numpy as np
from astropy.timeseries import LombScargle
from scipy import optimize

from visds.dynspec.variability.fold import Ephemeris
from visds.dynspec.variability.measured import Measured

LEAST_MEASUREMENTS = 10
MOST_FREQUENCIES = 200_000
_OVERSAMPLING = 8
"""Frequencies in the width 1 / span of a peak."""
_ALIAS = 0.5
"""Least share of the highest power that a period has to have to be told as an alias of it."""
_DAY = 86400.0


@dataclass(frozen=True, eq=False)
class Periodogram:
    """Lomb-Scargle power at frequencies (K), and the period of the highest.

    Times are those at the barycentre. NaN where it cannot be told.

    Attributes
    ----------
    frequency : (K) 1/d, ascending and even
    power : (K) share of chi^2 about the mean that a sinusoid of this frequency and a new mean take
        away, 0 to 1
    window : (K) power that the sampling alone gives a constant, 0 to 1
    false_alarm_probability : that white noise of this sampling has anywhere so high a power
    imaginary_false_alarm_probability : the same of the imaginary part, which has the errors of
        calibration and no flux density of the target
    levels : power by false-alarm probability, for 0.1, 0.01 and 0.001
    period, period_error : s; the error is NaN where the power still rises at an end of the range
    amplitude, amplitude_error : Jy, half of the range of the sinusoid, as averaged by integrations
    epoch, epoch_error : MJD TDB at the barycentre and d, of the maximum nearest to the middle
    aliases : periods in s of peaks that the gaps in the sampling may have made of this one, or this
        one of them, the highest first
    """

    frequency: np.ndarray
    power: np.ndarray
    window: np.ndarray
    false_alarm_probability: float = np.nan
    imaginary_false_alarm_probability: float = np.nan
    levels: dict[float, float] = field(default_factory=dict)
    period: float = np.nan
    period_error: float = np.nan
    amplitude: float = np.nan
    amplitude_error: float = np.nan
    epoch: float = np.nan
    epoch_error: float = np.nan
    aliases: tuple[float, ...] = ()

    @property
    def ephemeris(self) -> Ephemeris | None:
        """The period and the epoch, None if there is none."""
        return Ephemeris(self.period, self.epoch) if np.isfinite(self.period) else None


def periodogram(measured: Measured, *, shortest: float | None = None,
                longest: float | None = None) -> Periodogram:
    """Return the generalized Lomb-Scargle periodogram of a light curve's measurements.

    Zechmeister & Kuerster (2009, A&A 496, 577): a sinusoid with a mean of its own. The false-alarm
    probability is that of Baluev (2008, MNRAS 385, 1279), of white noise: a light curve whose
    neighbours are alike, as that of a flare or a drift, has power at long periods that is none.

    Parameters
    ----------
    measured : Measured
    shortest, longest : float, optional
        Ends of the range of periods in s; by default twice the usual step from measurement to
        measurement, and half of the span of the data.

    Raises
    ------
    ValueError
        If the times at the barycentre are not known, or the range holds no period.
    """
    if not np.isfinite(measured.time_barycentre).all():
        raise ValueError("times at the barycentre are not known")
    if len(measured) < LEAST_MEASUREMENTS or np.ptp(measured.time_barycentre) <= 0:
        return Periodogram(*(np.zeros(0) for _ in range(3)))
    middle = measured.time_barycentre.mean()
    time = measured.time_barycentre - middle
    frequency = _frequencies(time, shortest, longest)
    power, at, levels = _powers(time, measured.values, measured.sigma, frequency)
    if not np.isfinite(power).all():
        return Periodogram(frequency, power, np.full(len(power), np.nan))
    window = LombScargle(time, np.ones(len(time)), measured.sigma, fit_mean=False,
                         center_data=False).power(frequency)
    best = int(np.argmax(power))
    return Periodogram(
        frequency, power, window, at(power[best]),
        _imaginary_probability(time, measured, frequency), levels,
        aliases=_aliases(frequency, power, window, best, np.ptp(time)),
        **_fitted(time, measured, frequency, best, middle))


def _frequencies(time: np.ndarray, shortest: float | None, longest: float | None) -> np.ndarray:
    """Return the frequencies (1/d) to look at, for times in d."""
    span = np.ptp(time)
    steps = np.diff(time)
    shortest = 2 * np.median(steps[steps > 0]) if shortest is None else shortest / _DAY
    longest = span / 2 if longest is None else longest / _DAY
    if not 0 < shortest < longest:
        raise ValueError(f"no period is between {shortest * _DAY:.6g} and {longest * _DAY:.6g} s")
    step = 1 / (_OVERSAMPLING * span)
    number = int((1 / shortest - 1 / longest) / step) + 1
    return 1 / longest + step * np.arange(min(max(number, 3), MOST_FREQUENCIES))


def _powers(time: np.ndarray, values: np.ndarray, sigma: np.ndarray, frequency: np.ndarray):
    """Return the powers (K), the false-alarm probability as a function of power, and levels."""
    if np.ptp(values) == 0:
        return np.full(len(frequency), np.nan), None, {}
    scargle = LombScargle(time, values, sigma)
    power = np.clip(scargle.power(frequency, assume_regular_frequency=True), 0.0, 1.0)
    # The formula counts the independent frequencies from zero on.
    options = {"method": "baluev", "minimum_frequency": 0.0,
               "maximum_frequency": frequency[-1] - frequency[0]}

    def probability(highest: float) -> float:
        return float(scargle.false_alarm_probability(highest, **options))

    levels = {p: float(scargle.false_alarm_level(p, **options)) for p in (0.1, 0.01, 0.001)}
    return power, probability, levels


def _imaginary_probability(time: np.ndarray, measured: Measured, frequency: np.ndarray) -> float:
    power, at, _ = _powers(time, measured.imaginary, measured.sigma, frequency)
    return at(power.max()) if np.isfinite(power).all() else np.nan


def _fitted(time: np.ndarray, measured: Measured, frequency: np.ndarray, best: int,
            middle: float) -> dict[str, float]:
    """Return period, amplitude and epoch of the sinusoid that fits best, with their errors."""
    f, covariance = frequency[best], None
    w = measured.sigma**-2.0
    zero = np.average(time, weights=w)

    def terms(f: float) -> np.ndarray:
        angle = 2 * np.pi * f * (time - zero)
        return np.stack([np.cos(angle), np.sin(angle), np.ones(len(time))])

    def sinusoid(_, f: float, a: float, b: float, c: float) -> np.ndarray:
        return np.array([a, b, c]) @ terms(f)

    start = np.linalg.lstsq((terms(f) / measured.sigma).T, measured.values / measured.sigma,
                            rcond=None)[0]
    (f, a, b, c), is_inside = (frequency[best], *start), 0 < best < len(frequency) - 1
    scale = 1.0
    if is_inside:
        try:
            found, covariance = optimize.curve_fit(
                sinusoid, time, measured.values, (f, a, b, c), measured.sigma, absolute_sigma=True)
        except RuntimeError:
            covariance = None
        if covariance is not None and abs(found[0] - f) < 1 / np.ptp(time):
            f, a, b, c = found
            # Scatter that errors and sinusoid do not explain makes the errors larger.
            chi = np.sum(w * (measured.values - sinusoid(time, *found)) ** 2)
            scale = max(1.0, chi / max(len(time) - 4, 1))
        else:
            covariance = None
    amplitude, phase = np.hypot(a, b), np.arctan2(b, a)
    if covariance is None:
        f_error = amplitude_error = phase_error = np.nan
    else:
        covariance = covariance * scale
        along, across = np.array([a, b]) / amplitude, np.array([-b, a]) / amplitude**2
        f_error = np.sqrt(covariance[0, 0])
        amplitude_error = np.sqrt(along @ covariance[1:3, 1:3] @ along)
        phase_error = np.sqrt(across @ covariance[1:3, 1:3] @ across)
    return {"period": float(_DAY / f), "period_error": float(_DAY * f_error / f**2),
            "amplitude": float(amplitude), "amplitude_error": float(amplitude_error),
            "epoch": float(middle + zero + phase / (2 * np.pi * f)),
            "epoch_error": float(phase_error / (2 * np.pi * f))}


def _aliases(frequency: np.ndarray, power: np.ndarray, window: np.ndarray, best: int,
             span: float) -> tuple[float, ...]:
    """Return the periods of peaks that the strongest peaks of the window join to the highest."""
    peaks = np.flatnonzero((window[1:-1] > window[:-2]) & (window[1:-1] >= window[2:])) + 1
    peaks = peaks[frequency[peaks] > 2 / span]
    peaks = peaks[np.argsort(-window[peaks], kind="stable")][:5]
    width = _OVERSAMPLING // 2
    found = {}
    for shift in frequency[peaks]:
        for other in (frequency[best] + shift, abs(frequency[best] - shift)):
            near = round((other - frequency[0]) / (frequency[1] - frequency[0]))
            if not 0 <= near < len(frequency):
                continue
            first = max(near - width, 0)
            place = first + int(np.argmax(power[first:near + width + 1]))
            if abs(place - best) > _OVERSAMPLING and power[place] > _ALIAS * power[best]:
                found[place] = power[place]
    return tuple(float(_DAY / frequency[place])
                 for place in sorted(found, key=found.get, reverse=True))
