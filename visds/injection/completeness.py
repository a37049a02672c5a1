"""How many flares are found: completeness with its errors, fluences at levels of it, and limits."""

from collections.abc import Iterator, Sequence

import numpy as np
from astropy.table import Table
from scipy.optimize import isotonic_regression

from visds.core.flux_text import flux_text
from visds.core.plural import counted
from visds.injection.flare import peak_of

LEVELS = (50, 90, 95)
LIMIT = 95
"""Per cent of the flares that are found at an upper limit."""
_SEARCHES = {"any": "recovered", "I": "recovered_I", "V": "recovered_V"}
_KEYS = ("place", "duration", "polarized")

COLUMNS = {
    "place": (None, "target, or field: elsewhere"),
    "duration": ("s", "of the flares"),
    "polarized": (None, "Stokes V as a share of I, without a sign: of either"),
    "searched": (None, "where they are found: in any polarization, in Stokes I, in Stokes V"),
    "fluence": ("Jy s", "of the flares, Stokes I"),
    "flux_density": ("Jy", "Stokes I at the peak"),
    "trials": (None, "number of flares"),
    "found": (None, "number of those that were found"),
    "completeness": (None, "share of those"),
    "completeness_low": (None, "lower end of its 68 % interval (Wilson)"),
    "completeness_high": (None, "upper end"),
    "snr": (None, "mean signal to noise of the flares, in templates of their own shape"),
    "vetoed": (None, "share of those found that have a veto"),
    "fluence_ratio": (None, "mean of measured over true fluence of those found; NaN of fewer than "
                      "two"),
    "fluence_ratio_error": (None, "its standard error"),
    "forced_ratio": (None, "mean of fitted over true fluence (Stokes I) of all, found or not"),
    "forced_ratio_error": (None, "its standard error"),
    "delay": ("s", "mean of measured less true time of the peak of those found"),
    "delay_scatter": ("s", "standard deviation of that"),
}
LIMIT_COLUMNS = {
    "place": (None, "target, or field: elsewhere"),
    "duration": ("s", "of the flares"),
    "polarized": (None, "Stokes V as a share of I, without a sign: of either"),
    "searched": (None, "where they are found: in any polarization, in Stokes I, in Stokes V"),
    **{name: (unit, meaning) for level in LEVELS for name, unit, meaning in (
        (f"fluence_{level}", "Jy s", f"of which {level} % are found: Stokes I, of those found in V "
         "Stokes V; NaN where the fluences that were put in do not tell"),
        (f"fluence_{level}_low", "Jy s", "where the upper end of completeness is there"),
        (f"fluence_{level}_high", "Jy s", "where the lower end of completeness is there"))},
    f"flux_density_{LIMIT}": ("Jy", f"at the peak of a flare of fluence_{LIMIT}"),
}


def wilson(found: np.ndarray, trials: np.ndarray, z: float = 1.0
           ) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the interval of a binomial probability, z sigma (Wilson 1927)."""
    found, trials = np.asarray(found, float), np.asarray(trials, float)
    middle = (found + z**2 / 2) / (trials + z**2)
    half = z / (trials + z**2) * np.sqrt(found * (trials - found) / trials + z**2 / 4)
    return np.maximum(middle - half, 0), np.minimum(middle + half, 1)


def completeness(injections: Table) -> Table:
    """Return how many flares of each kind and fluence were found, a row each and search.

    `injections.meta["searched"]` are the polarizations that were searched.
    """
    rows = []
    for kind in _kinds(injections):
        for fluence in np.unique(kind["fluence"]):
            flares = kind[kind["fluence"] == fluence]
            for searched, column in _searches(kind):
                rows.append(_row(flares, searched, np.asarray(flares[column])))
    table = _table(rows, COLUMNS)
    table.meta["interval"] = "68 % (Wilson)"
    return table


def of_search(completeness: Table, row: Table.Row) -> Table:
    """Return the rows of completeness that a row of the limits was made of."""
    return completeness[np.all([completeness[name] == row[name]
                                for name in (*_KEYS, "searched")], axis=0)]


def limits(completeness: Table, shape: str) -> Table:
    """Return the fluences at which half, nine tenths and 95 % of flares are found.

    Completeness is made to rise with fluence (isotonic regression, Barlow et al. 1972) and
    interpolated linearly. The fluence of 95 % is an upper limit where nothing is found: any flare
    as strong would have been found so often (Kashyap et al. 2010, ApJ 719, 900).
    """
    rows = []
    for kind in _kinds(completeness):
        for searched in dict.fromkeys(kind["searched"]):
            one = kind[kind["searched"] == searched]
            share = _searched_share(one)
            row = {name: one[name][0] for name in (*_KEYS, "searched")}
            for level in LEVELS:
                for ending, column in (("", "completeness"), ("_low", "completeness_high"),
                                       ("_high", "completeness_low")):
                    row[f"fluence_{level}{ending}"] = _rounded(share * fluence_at(
                        level / 100, one["fluence"], one[column], one["trials"]))
            row[f"flux_density_{LIMIT}"] = _rounded(
                peak_of(row[f"fluence_{LIMIT}"], row["duration"], shape))
            rows.append(row)
    return _table(rows, LIMIT_COLUMNS)


def _rounded(value: float) -> float:
    """Return a number without digits that are of the arithmetic alone: 9.55, not 9.549999999."""
    return float(f"{value:.8g}")


def fluence_at(level: float, fluence: np.ndarray, completeness: np.ndarray,
               trials: np.ndarray) -> float:
    """Return the fluence at which completeness reaches a level; NaN if between none of these."""
    fluence, rising = _rising(fluence, completeness, trials)
    above = int(np.argmax(rising >= level))
    if rising[above] < level or above == 0:
        return np.nan
    share = (level - rising[above - 1]) / (rising[above] - rising[above - 1])
    return float(fluence[above - 1] + share * (fluence[above] - fluence[above - 1]))


def level_text(level: float, made: Table) -> str:
    """Return in words where completeness reaches a level: a fluence, or on which side of all.

    `made` are the rows of `completeness` of one kind of flares and one search.
    """
    columns = _searched_share(made) * made["fluence"], made["completeness"], made["trials"]
    found = fluence_at(level, *columns)
    if np.isfinite(found):
        return f"{flux_text(found)} s"
    fluence, rising = _rising(*columns)
    is_least = rising[-1] >= level
    return (f"less than {flux_text(fluence[0])} s (the least put in)" if is_least else
            f"more than {flux_text(fluence[-1])} s (the most put in)")


def interval_text(level: float, made: Table) -> str:
    """Return in words the 68 % interval of the fluence at which completeness reaches a level."""
    fluence = _searched_share(made) * made["fluence"]
    low, high = (fluence_at(level, fluence, made[column], made["trials"])
                 for column in ("completeness_high", "completeness_low"))
    least, most = float(np.min(fluence)), float(np.max(fluence))
    below = flux_text(low) if np.isfinite(low) else f"less than {flux_text(least)}"
    if np.isfinite(high):
        return f"68 % interval {below} s to {flux_text(high)} s"
    trials = int(np.max(made["trials"]))
    few = wilson(trials, trials)[0] < level
    return f"68 % interval {below} s to " + (
        f"unknown: {counted(trials, 'flare')} of each fluence are too few to bound it" if few else
        f"more than {flux_text(most)} s, the most put in")


def _rising(fluence: np.ndarray, completeness: np.ndarray,
            trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return fluences that ascend, and completeness made to rise with them."""
    order = np.argsort(fluence)
    return np.asarray(fluence, float)[order], isotonic_regression(
        np.asarray(completeness, float)[order], weights=np.asarray(trials, float)[order]).x


def _kinds(table: Table) -> Iterator[Table]:
    """Yield the rows of each place, duration and polarization, the target first."""
    kinds = list(zip(*(table[name] for name in _KEYS), strict=True))
    for kind in sorted(set(kinds), key=lambda one: (one[0] != "target", *one)):
        yield table[[one == kind for one in kinds]]


def _searches(kind: Table) -> list[tuple[str, str]]:
    """Return where flares of a kind can be found, and the column that says whether they were."""
    return [(name, column) for name, column in _SEARCHES.items()
            if name == "any" or (name in kind.meta["searched"] and (
                name == "I" or _share(kind["polarized"][0]) > 0))]


def _share(polarized: str) -> float:
    return float(str(polarized).strip("+-%")) / 100


def _searched_share(rows: Table) -> float:
    """Return the share of the fluences, of Stokes I, in what is searched."""
    return _share(rows["polarized"][0]) if rows["searched"][0] == "V" else 1.0


def _row(flares: Table, searched: str, found: np.ndarray) -> dict:
    trials, number = len(flares), int(found.sum())
    low, high = wilson(number, trials)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(flares["event_fluence"] / flares["true_fluence"])[found]
        forced = np.asarray(flares["forced_fluence_I"] / flares["fluence"])
    delay = np.asarray(flares["event_delay"])[found]
    mean_ratio, ratio_error, _ = _mean(ratio)
    mean_forced, forced_error, _ = _mean(forced)
    mean_delay, _, scatter = _mean(delay)
    return {
        "place": str(flares["place"][0]), "duration": float(flares["duration"][0]),
        "polarized": str(flares["polarized"][0]), "searched": searched,
        "fluence": float(flares["fluence"][0]),
        "flux_density": float(flares["flux_density_I"][0]), "trials": trials, "found": number,
        "completeness": number / trials, "completeness_low": float(low),
        "completeness_high": float(high), "snr": float(np.mean(flares["snr"])),
        "vetoed": float(np.mean(flares["veto"][found] != "")) if number else np.nan,
        "fluence_ratio": mean_ratio, "fluence_ratio_error": ratio_error,
        "forced_ratio": mean_forced, "forced_ratio_error": forced_error,
        "delay": mean_delay, "delay_scatter": scatter}


def _mean(values: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of the finite values, its standard error and their scatter; NaN of one."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return np.nan, np.nan, np.nan
    scatter = float(np.std(values, ddof=1))
    return float(np.mean(values)), scatter / len(values) ** 0.5, scatter


def _table(rows: Sequence[dict], columns: dict[str, tuple[str | None, str]]) -> Table:
    table = Table({name: [row[name] for row in rows] for name in columns})
    for name, (unit, meaning) in columns.items():
        table[name].unit = unit
        table[name].description = meaning
    return table
