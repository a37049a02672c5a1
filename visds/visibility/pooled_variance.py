"""Variances measured on few differences each, held against what all of them tell together.

The noise of a baseline and channel is close to a product: of the system temperatures of its two
antennas, and of a profile over the channels. The many variances of a chunk tell both factors far
better than each tells its own noise. So each is drawn towards the product (moderated variances,
Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3, 3), by as much as the scatter of all about the product
allows; what differs from it significantly, as that of a broken antenna or a channel full of
interference does, keeps its own (Phipson et al. 2016, Ann. Appl. Stat. 10, 946).
"""

import numpy as np

LEAST_FREEDOM = 200.0
"""Degrees of freedom that a variance has at least once it is drawn towards the product."""
LEAST_PART = 1e-3
"""Of the usual antenna's part in the variance: one that has less gives nothing but zeros."""
_FEWEST = 1.9
_OUTLIER = 4.0
_MAD_TO_SIGMA = 1.4826


def pooled_variance(variance: np.ndarray, freedom: np.ndarray,
                    antennas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return variances and their degrees of freedom, each out of itself and all others.

    Parameters
    ----------
    variance : (B,G,P) array
        Of baselines, channels and correlations.
    freedom : (B,G,P) array
        Degrees of freedom; a variance of fewer than 1.9 is not used.
    antennas : (B,2) int
        Those of the baselines.

    Returns
    -------
    variance, freedom : (B,G,P) arrays
        Where nothing was measured it is what the product says; NaN and 0 for a correlation of
        which nothing was. Infinite on baselines with an antenna whose part in them is less than a
        thousandth of that of most: gains of next to nothing, which leave zeros with a good name.
    """
    pooled, known_by = [], []
    for own, nu in zip(np.moveaxis(variance, 2, 0).copy(), np.moveaxis(freedom, 2, 0).copy(),
                       strict=True):
        nu[~((nu >= _FEWEST) & (own > 0))] = 0
        own[nu == 0] = np.nan
        if nu.any():
            own, nu = _one_correlation(own, nu, antennas)
        pooled.append(own)
        known_by.append(nu)
    return np.stack(pooled, axis=-1), np.stack(known_by, axis=-1)


def _one_correlation(variance: np.ndarray, nu: np.ndarray,
                     antennas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    B, G = variance.shape
    level, profile, of_level, of_profile = _product(variance, nu)
    expected, of_expected, free, is_dead = _antenna_product(level, of_level, antennas)
    level, of_level = _drawn(level, of_level, expected, of_expected, free)
    model = level[:, None] * profile
    of_model = 1 / (1 / of_level[:, None] + 1 / of_profile)
    drawn, freedom = _drawn(variance, nu, model, of_model, (1 - 1 / B) * (1 - 1 / G))
    drawn[is_dead] = np.inf
    return drawn, freedom


def _product(variance, nu):
    """Return levels (B) and a profile (G) whose product fits, and their degrees of freedom.

    First by medians of logarithms, then by means without what lies far off.
    """
    known = nu > 0
    logarithm = np.log(variance) - _median_of_log(nu)
    profile = np.zeros(variance.shape[1])
    # Where nothing is missing a second round would change next to nothing.
    for _ in range(1 if known.all() else 3):
        level = _median(logarithm - profile, 1)
        profile = np.nan_to_num(_median(logarithm - level[:, None], 0))
    off = logarithm - level[:, None] - profile
    # A baseline without a variance has no level, and its place among the others is not missed.
    off = np.where(known, off, np.nan)
    spread = np.maximum(_variance_of_log(nu), _scatter(off) ** 2)
    share = np.where(known & ~_is_far(off, spread), nu, 0)
    ratio = np.where(share > 0, variance, 0) / np.exp(np.nan_to_num(level)[:, None] + profile)
    of_level, of_profile = share.sum(1), share.sum(0)
    change = (share * ratio).sum(1) / np.maximum(of_level, 1e-30)
    level = np.exp(level) * np.where(of_level > 0, change, 1)
    ratio /= np.where(of_level > 0, change, 1)[:, None]
    profile = np.exp(profile) * np.where(
        of_profile > 0, (share * ratio).sum(0) / np.maximum(of_profile, 1e-30), 1)
    return level, profile, of_level, np.where(of_profile > 0, of_profile, np.inf)


def _antenna_product(level, nu, antennas):
    """Return what the antennas' product makes of the levels (B), and its degrees of freedom.

    And the share of the levels' degrees of freedom that the antennas do not use up, and which
    baselines (B) are with an antenna that is dead.
    """
    names, places = np.unique(antennas, return_inverse=True)
    A = len(names)
    first, second = places.reshape(antennas.shape).T
    used = (nu > 0) & (level > 0)
    logarithm = np.where(used, np.log(np.where(used, level, 1)) + 1 / np.maximum(nu, 1), 0)
    for _ in range(3):
        weight = np.where(used, nu, 0)
        mean = np.average(logarithm, weights=weight)
        # An antenna that no level tells of is like the others.
        normal = 1e-6 * weight.max() * np.eye(A)
        for one, other in ((first, first), (second, second), (first, second), (second, first)):
            np.add.at(normal, (one, other), weight)
        inverse = np.linalg.inv(normal)
        sums = sum(np.bincount(one, weight * (logarithm - mean), A) for one in (first, second))
        part = inverse @ sums
        fit = mean + part[first] + part[second]
        off = np.where(used, logarithm - fit, np.nan)
        spread = np.maximum(_variance_of_log(nu), _scatter(off) ** 2)
        kept = used & ~_is_far(off, spread)
        if np.array_equal(kept, used):
            break
        used = kept
    expected = np.exp(fit)
    expected *= np.sum(weight * np.where(used, level, 0) / expected) / weight.sum()
    leverage = inverse[first, first] + inverse[second, second] + 2 * inverse[first, second]
    free = 1 - A / np.count_nonzero(weight)
    is_dead = part < np.median(part) + np.log(LEAST_PART)
    return (expected, 1 / (leverage + 1 / weight.sum()), max(0.0, free),
            is_dead[first] | is_dead[second])


def _drawn(variance, nu, model, of_model, free):
    """Return variances drawn towards a model, and their degrees of freedom.

    `free` is the share of the degrees of freedom that the model has left.
    """
    known = nu > 0
    off = np.where(known, np.log(np.where(known, variance, 1) / model) + 1 / np.maximum(nu, 1),
                   np.nan)
    noise = np.where(known, _variance_of_log(nu), 0)
    excess = 0.0
    if free > 0:
        excess = max(0.0, _scatter(off) ** 2 / free - float(np.median(noise[known])))
    prior = np.maximum(_freedom_of_log(excess), LEAST_FREEDOM - nu)
    is_far = _is_far(off, noise + excess)
    own = np.where(known, np.where(is_far, 1.0, nu / (nu + prior)), 0)
    drawn = np.where(own > 0, own * np.where(known, variance, 0), 0) + (1 - own) * model
    # As many as its two parts have, or fewer where the model was made of few.
    freedom = 1 / np.maximum(own / np.maximum(nu, 1e-30), (1 - own) / of_model)
    return drawn, freedom


def _is_far(off, spread):
    """Whether logarithms of variances are off zero as noise never is, whose variance is `spread`.

    The third root of a variance is nearly Gaussian (Wilson & Hilferty 1931, PNAS 17, 684), so that
    one of few degrees of freedom may be as small as it likes.
    """
    width = 2 / (9 * _freedom_of_log(spread))
    return np.abs(np.exp(np.nan_to_num(off) / 3) - 1 + width) > _OUTLIER * np.sqrt(width)


def _variance_of_log(nu):
    """Return the variance of the logarithm of a variance of `nu` degrees of freedom, nearly."""
    nu = np.maximum(nu, 1)
    return 2 / nu + 2 / nu**2


def _freedom_of_log(variance):
    """Return of how many degrees of freedom a logarithm has that variance."""
    variance = np.maximum(variance, 1e-12)
    return (1 + np.sqrt(1 + 2 * variance)) / variance


def _median_of_log(nu):
    """Return the median of the logarithm of a variance whose mean is 1 (Wilson & Hilferty)."""
    return 3 * np.log(1 - 2 / (9 * np.maximum(nu, 1)))


def _scatter(values: np.ndarray) -> float:
    """Return the robust scatter about zero of values that may be NaN; 0 of none."""
    size = np.abs(values[np.isfinite(values)]).astype(np.float32)
    return _MAD_TO_SIGMA * float(np.median(size, overwrite_input=True)) if len(size) else 0.0


def _median(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the median along an axis of the values that are not NaN; NaN of none."""
    # Of a copy in which the axis is contiguous, and of half the precision, which is faster.
    values = np.moveaxis(values, axis, -1).astype(np.float32, order="C")
    number = np.isfinite(values).sum(-1, keepdims=True)
    last = values.shape[-1] - 1
    if np.all(number == last + 1):
        return np.median(values, -1, overwrite_input=True)
    values.sort(axis=-1)
    low, high = np.maximum(number - 1, 0) // 2, np.minimum(number // 2, last)
    return (np.take_along_axis(values, low, -1) + np.take_along_axis(values, high, -1))[..., 0] / 2
