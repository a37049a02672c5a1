"""The table of what a blind search has found, as catalogues are read and matched."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from astropy.table import Table

from visds.core.catalogue import position_names
from visds.core.sky import Direction, separation
from visds.imaging.find import Search
from visds.imaging.image import Image
from visds.imaging.local_noise import expected_peaks
from visds.imaging.quiet_level import changes

COLUMNS = {
    "name": (str, None, "of the candidate: its position in the row of highest signal to noise"),
    "brightest": (bool, None, "whether that is this row"),
    "ra": (float, "deg", "of the fit, ICRS"),
    "dec": (float, "deg", "of the fit, ICRS"),
    "ra_error": (float, "arcsec", "standard error on the sky"),
    "dec_error": (float, "arcsec", "standard error"),
    "flux_density": (float, "Jy", "of the point source fitted; of a snapshot, above that of the "
                     "others: their mean, or the median of a light curve"),
    "flux_density_error": (float, "Jy", "its standard error"),
    "snr": (float, None, "highest value between pixels over the local noise, positive"),
    "false_alarm_probability": (float, None, "that anything but a source reaches this anywhere in "
                                "all images: noise or, in Stokes I, sidelobes such as are seen "
                                "as negative sources"),
    "rms": (float, "Jy", "local noise, per beam; or the scatter of a light curve, if larger"),
    "stokes": (str, None, "Stokes parameter"),
    "image": (str, None, "image in which it is, or that less the mean of the others"),
    "start": (float, "d", "begin of the image's first integration, MJD UTC"),
    "stop": (float, "d", "end of its last integration, MJD UTC"),
    "band_low": (float, "Hz", "lower edge of its lowest channel"),
    "band_high": (float, "Hz", "upper edge of its highest channel"),
}
SAME_BEAMS = 0.5
"""Within which rows are of one source."""
_PART_BEAMS = 2.0
_SAME_PEAK = 0.3
_ASSUMED = 2  # sidelobes of an excess of 1 sigma, beside those that were seen
_MANY = 12  # snapshots of which flares leave the most alone
_TYPES = {str: "U64", float: "f8", bool: "?"}


def found_rows(image: Image, search: Search, name: str, weight: float) -> list[dict]:
    """Return the rows of what was found in one image, called `name`; without what all images say.

    Beside the columns each has the beam (deg), the weight of the snapshot, and whether it is kept:
    a negative source in Stokes I that is of no difference only tells of sidelobes. `is_sidelobe`
    is whether a negative one does.
    """
    is_difference = image.content.name.endswith("difference")
    content = image.content
    return [{
        "ra": source.fit.ra, "dec": source.fit.dec, "ra_error": source.fit.ra_error,
        "dec_error": source.fit.dec_error, "flux_density": source.fit.flux_density,
        "flux_density_error": source.fit.flux_density_error, "snr": source.snr,
        "rms": source.noise, "stokes": image.stokes, "image": name, "start": content.start,
        "stop": content.stop, "band_low": content.band_low, "band_high": content.band_high,
        "beam": math.sqrt(image.beam.major * image.beam.minor), "weight": weight,
        "is_sidelobe": image.stokes == "I" and source.fit.flux_density < 0,
        "kept": image.stokes != "I" or is_difference or source.fit.flux_density > 0,
    } for source in search.sources]


def found_table(rows: Sequence[dict], beams: dict[str, float], threshold: float) -> Table:
    """Return the table of all that was found, the candidates in order of signal to noise.

    Rows within half a beam of each other are one candidate, whatever their image or Stokes
    parameter. In Stokes I negative candidates above what noise makes are sidelobes, and as many
    positive ones are expected (`sidelobe_alarms`); but for candidates of which a row says that it
    is none.

    Parameters
    ----------
    rows : of `found_rows`
    beams : dict
        Independent beams in all images that were searched, by Stokes parameter; each of both signs
        counted twice.
    threshold : float
        Of the search.
    """
    groups = candidates(rows)
    negative = np.array([group[0]["snr"] for group in groups
                         if all(row["is_sidelobe"] for row in group)])
    by_noise = float(expected_peaks(beams.get("I", 0.0) / 2, threshold, both_signs=False))
    every = sum(beams.values())
    whole = [group[0] for group in groups if group[0]["kept"]]
    parts = sum(any(row["image"] == other["image"]
                    and _apart(row, other) < _PART_BEAMS * row["beam"]
                    for other in whole[:number]) for number, row in enumerate(whole))

    def probability(row: dict) -> float:
        alarms = float(expected_peaks(every, row["snr"], both_signs=False))
        if row["stokes"] == "I":
            alarms += sidelobe_alarms(row["snr"], negative, threshold, by_noise)
        return -math.expm1(-alarms)

    groups = [group for group in groups if any(row["kept"] for row in group)]
    made = []
    for group in groups:
        first, *others = (row for row in group if row["kept"])
        name = str(position_names([first["ra"]], [first["dec"]])[0])
        others.sort(key=lambda row: (row["start"], row["image"], "IQUV".index(row["stokes"])))
        made += [row | {"name": name, "brightest": row is first,
                        "false_alarm_probability": probability(row)} for row in (first, *others)]
    table = Table()
    for name, (kind, unit, meaning) in COLUMNS.items():
        values = [row[name] for row in made]
        table[name] = np.array(values, _TYPES[kind])
        table[name].unit, table[name].description = unit, meaning
    table.meta = {"threshold": threshold, "independent_beams": round(every), "expected_false":
                  float(expected_peaks(every, threshold, both_signs=False)),
                  "candidates": len(groups), "negative_in_I": len(negative),
                  "beside_another": parts}
    return table


def _apart(row: dict, other: dict) -> float:
    return separation(Direction(row["ra"], row["dec"]), Direction(other["ra"], other["dec"]))


def sidelobe_alarms(snr: float, negative: np.ndarray, threshold: float, by_noise: float) -> float:
    """Return how many positive sidelobes of a signal to noise or more are expected.

    As many as there are negative ones beyond those of noise, whose excess over the threshold is
    taken to fall exponentially. Its scale is not known but by n of them, with their sum T: a next
    one is x or more above the threshold with a probability of (1 + x / (T + 2))^-(n + 2), which
    counts two more of an excess of 1. No fewer than there are negative ones as strong, and none
    where there are no more of these than noise makes.
    """
    beyond = len(negative) - by_noise
    if beyond <= 0:
        return 0.0
    count = len(negative) + _ASSUMED
    total = float((negative - threshold).sum()) + _ASSUMED
    tail = beyond * (1 + max(snr - threshold, 0.0) / total) ** -count
    return max(tail, float((negative >= snr).sum()))


def candidates(rows: Sequence[dict]) -> list[list[dict]]:
    """Return the rows by candidate, the row of highest signal to noise first of each."""
    groups: list[list[dict]] = []
    for row in sorted(rows, key=lambda row: (-row["snr"], row["image"], row["stokes"])):
        for group in groups:
            if _apart(row, group[0]) < SAME_BEAMS * max(row["beam"], group[0]["beam"]):
                group.append(row)
                break
        else:
            groups.append([row])
    return groups


def without_echoes(groups: Sequence[list[dict]], change: Sequence[Mapping[tuple, float]],
                   threshold: float) -> list[dict]:
    """Return the rows of snapshots without those that only flares in others have made.

    A flare is in the mean of the others, below which a quiet snapshot then is. Of the flux density
    in that itself, above the quiet ones (`visds.imaging.quiet_level`), nothing is left: a row stays
    if that has its sign and is half of the row's or above the threshold. Rows of a candidate of
    which none stays are returned too, not to be kept: what made them is no source that was found,
    so they tell of sidelobes.

    Parameters
    ----------
    groups : of `candidates`, of differences of snapshots
    change : of each candidate, Jy by (stokes, band_low, band_high, image)
        Rows of which nothing is said stay.
    threshold : float
    """
    kept = []
    for rows, known in zip(groups, change, strict=True):
        changed = []
        for row in rows:
            flux = row["flux_density"]
            above = known.get((*_kind(row), row["image"]), flux)
            if above * np.sign(flux) >= min(threshold * row["rms"], abs(flux) / 2):
                changed.append(row)
        kept += changed or [row | {"kept": False} for row in rows]
    return kept


def light_curve_rows(curves: Sequence[dict], threshold: float) -> list[dict]:
    """Return the rows of the snapshots in which known sources are not what they mostly are.

    The flux density of a row is what is above that (`visds.imaging.quiet_level`), its noise that of
    the image, or the scatter of the light curve (1.4826 times the median modulus) where that is
    larger.

    Parameters
    ----------
    curves : of `found_rows`, one for each snapshot and place
        With `place`, where the source is, and `peak`, its flux density there in Jy; that of the row
        is of a fit to what is above the usual.
    threshold : float
    """
    kept = []
    of_a_source: dict[tuple, dict[str, dict[str, dict]]] = {}
    for row in curves:
        of_a_band = of_a_source.setdefault((row["place"], *_kind(row)[1:]), {})
        of_a_band.setdefault(row["stokes"], {})[row["image"]] = row
    alike = [(rows, above) for of_a_band in of_a_source.values() for rows, above in zip(
        of_a_band.values(), changes({
            stokes: {name: row["peak"] for name, row in rows.items()}
            for stokes, rows in of_a_band.items()}).values(), strict=True)]
    for rows, change in alike:
        # Of sources that are always there too little is known to take out all of their sidelobes.
        scatter = (1.4826 * np.median(np.abs(list(change.values()))) if len(change) >= _MANY
                   else 0.0)
        for name, row in rows.items():
            above = change[name]
            rms = max(row["rms"], float(scatter))
            snr = abs(above) / rms
            if not snr >= threshold:
                continue
            made = row | {"flux_density": above, "snr": snr, "rms": rms,
                          "flux_density_error": max(row["flux_density_error"], rms)}
            if not abs(row["flux_density"] - above) < _SAME_PEAK * abs(above):
                width = 3600 * row["beam"] / math.sqrt(8 * math.log(2)) / snr
                made |= {"ra": row["place"].ra, "dec": row["place"].dec, "ra_error": width,
                         "dec_error": width, "flux_density_error": rms}
            kept.append(made)
    return kept


def _kind(row: dict) -> tuple:
    return row["stokes"], row["band_low"], row["band_high"]
