"""Cuts by the sign of V, by polarization and by flux density: flags beside the data.

Each biases what it leaves, as its help says: the cells are chosen by the very noise that is then
averaged. So none is on by default, no value is changed and no estimate, light curve or search
leaves these cells out: a cut is a bit in `flags`, which pictures heed, and a word in the table of
detections, for whoever chooses candidates.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from visds.core.errors import SettingsError
from visds.core.flags import Flag
from visds.core.flux_text import flux_text
from visds.core.polarization import STOKES
from visds.core.settings import setting
from visds.dynspec.plots.levels import Level, flux_density, level

if TYPE_CHECKING:  # reading the options needs no sums, nor what compiles them
    from astropy.table import Table

    from visds.dynspec.dynamic_spectrum import DynamicSpectrum

CUTS = Flag.SIGN_V | Flag.WEAK_POLARIZATION | Flag.OVER_POLARIZED | Flag.FLUX_LIMIT
NAMES = {Flag.SIGN_V: "sign of V", Flag.WEAK_POLARIZATION: "weak polarization",
         Flag.OVER_POLARIZED: "over-polarized", Flag.FLUX_LIMIT: "flux limit"}
"""What the column `cut` of the detections says."""
COLUMN = "cut"
_LIMITS = "5mJy (any Stokes parameter), I=40mJy or V/I=100%"
_FLOORS = "I=0Jy"


def _sign(text: Any) -> int:
    if str(text) not in ("-1", "1", "+1"):
        raise SettingsError(f"'{text}' is not a sign, +1 or -1")
    return int(text)


def _percentage(text: Any) -> float:
    try:
        value = float(str(text).strip().removesuffix("%")) / 100
    except ValueError:
        value = np.nan
    if not 0 < value <= 1 or "%" not in str(text):
        raise SettingsError(f"'{text}' is not a percentage up to 100%, such as 4%")
    return value


def _positive(text: Any) -> float:
    value = flux_density(text)
    if value <= 0:
        raise SettingsError(f"'{text}' is not a flux density above zero")
    return value


def _tolerance(text: Any) -> float:
    value = flux_density(text)
    if value < 0:
        raise SettingsError(f"'{text}' is below zero")
    return value


def _upper(text: Any) -> Level:
    found = level(text)
    if found.name == "V/I":
        if not 0 < found.value <= 1:
            raise SettingsError(f"'{text}' is {100 * found.value:g} %, and a fraction is at most "
                                f"100 %: written V/I=80% or V/I=0.8")
        return found
    if found.name not in (None, *STOKES) or found.unit != "Jy" or found.value <= 0:
        raise SettingsError(f"'{text}' is not a limit, written {_LIMITS}")
    return found


def _lower(text: Any) -> Level:
    found = level(text)
    # Of V it would be an expected sign by another name.
    if found.name != "I" or found.unit != "Jy":
        raise SettingsError(f"'{text}' is not a lower limit of I, written {_FLOORS}")
    return found


@dataclass(frozen=True)
class CutSettings:
    """Cuts of cells in pictures and of detections as candidates; what a cut leaves is biased."""

    expected_sign: int | None = setting(
        None, "sign of V, +1 or -1: flag V of the other sign. Of noise what is left averages to "
        "+0.80 sigma of a cell in that sign; with a tolerance of 1 or 2 sigma to 0.29 or 0.06",
        parse=_sign, metavar="SIGN")
    sign_tolerance: float = setting(
        "0Jy", "V of the other sign up to this flux density is not flagged", parse=_tolerance,
        metavar="FLUX")
    least_polarization: float | None = setting(
        None, "circular polarization that strong cells have at least, such as 4%: flag I and V of "
        "others. Of an unpolarized flare the cells are left whose noise looks like polarization: "
        "where the least is 2 sigma of V, they scatter in V by 2.4 sigma", parse=_percentage,
        metavar="PERCENT")
    strong: float = setting(
        "40mJy", "I above which --least-polarization holds", parse=_positive, metavar="FLUX")
    polarization_rule: str = setting(
        "fraction", "what --least-polarization flags: a polarized fraction below it, or a ratio of "
        "I to polarized fraction above that of --strong to it, so that twice as bright has to be "
        "twice as polarized", choices=("fraction", "ratio"))
    mask_above: tuple[Level, ...] = setting(
        None, "flag values whose modulus is above a level, e.g. "
        f"{_LIMITS}. A source as bright as the limit is left 0.80 sigma of a cell too faint; V of "
        "one polarized by 100 % is left 0.56 sigma too small by V/I=100%", parse=_upper,
        many=True, metavar="LEVEL")
    mask_below: tuple[Level, ...] = setting(
        None, f"flag I at or below a level, e.g. {_FLOORS}. Of noise what is left averages to "
        "+0.80 sigma of a cell", parse=_lower, many=True, metavar="LEVEL")

    @property
    def is_any(self) -> bool:
        """Whether anything is to be cut."""
        return bool(self.expected_sign or self.least_polarization or self.mask_above
                    or self.mask_below)

    def words(self) -> dict[str, dict[str, str]]:
        """Return by the name of a flag and by Stokes parameter what is cut, for a legend."""
        said: dict[str, dict[str, str]] = {}
        if self.expected_sign:
            said[Flag.SIGN_V.name] = {"V": "V < 0" if self.expected_sign > 0 else "V > 0"}
        if self.least_polarization:
            least = f"{100 * self.least_polarization:g} %"
            told = (f"|V/I| < {least}, I > {flux_text(self.strong)}"
                    if self.polarization_rule == "fraction" else
                    f"I/|V/I| > {flux_text(self.strong)}/{least}")
            said[Flag.WEAK_POLARIZATION.name] = {"I": told, "V": told}
        for one in self.mask_above:
            if one.name == "V/I":
                said[Flag.OVER_POLARIZED.name] = {"V": f"|V/I| > {100 * one.value:g} %"}
        limits = {}
        for label in STOKES:
            told = [f"|{label}| > {flux_text(limit)}"
                    for limit in filter(None, [self.upper(label)])]
            told += [f"I ≤ {flux_text(one.value)}" for one in self.mask_below if label == "I"]
            if told:
                limits[label] = ", ".join(told)
        if limits:
            said[Flag.FLUX_LIMIT.name] = limits
        return said

    def upper(self, polarization: str) -> float | None:
        """Return the limit in Jy of a Stokes parameter: its own, else that of all, else None."""
        own = [one.value for one in self.mask_above if one.name == polarization]
        common = [one.value for one in self.mask_above if one.name is None]
        return own[-1] if own else common[-1] if common else None


CUT_OPTIONS = frozenset(field.name for field in dataclasses.fields(CutSettings))


def check_cuts(settings: CutSettings, polarizations: Sequence[str]) -> None:
    """Raise SettingsError for a cut that needs a Stokes parameter that is not there."""
    needed = {"--expected-sign": "V" * bool(settings.expected_sign),
              "--least-polarization": "IV" * bool(settings.least_polarization),
              "--mask-above": "".join((one.name or "").replace("/", "")
                                      for one in settings.mask_above),
              "--mask-below": "I" * bool(settings.mask_below)}
    for option, labels in needed.items():
        for label in labels:
            if label not in polarizations:
                raise SettingsError(f"{option} needs {label}, which is not in this spectrum (it "
                                    f"holds {', '.join(polarizations)})")


def cut_bits(values: Mapping[str, np.ndarray], settings: CutSettings) -> dict[str, np.ndarray]:
    """Return the flag bits of the cuts, by Stokes parameter, of flux densities in Jy.

    The sign of V and a polarization of more than there can be are said of V alone: I chosen by
    what V is would be another I. Too weak a polarization is said of I and V. NaN is not cut.
    """
    bits = {label: np.zeros(np.shape(one), np.uint16) for label, one in values.items()}

    def mark(flag: Flag, labels: str, where: np.ndarray) -> None:
        for label in labels:
            bits[label] |= np.where(where, int(flag), 0).astype(np.uint16)

    if settings.expected_sign:
        mark(Flag.SIGN_V, "V", values["V"] * settings.expected_sign < -settings.sign_tolerance)
    if settings.least_polarization:
        intensity, circular = values["I"], np.abs(values["V"])
        least = settings.least_polarization * (
            intensity if settings.polarization_rule == "fraction"
            else intensity**2 / settings.strong)
        mark(Flag.WEAK_POLARIZATION, "IV", (intensity > settings.strong) & (circular < least))
    for one in settings.mask_above:
        if one.name == "V/I":
            mark(Flag.OVER_POLARIZED, "V",
                 np.abs(values["V"]) > one.value * np.abs(values["I"]))
    for label, one in values.items():
        limit = settings.upper(label)
        if limit is not None:
            mark(Flag.FLUX_LIMIT, label, np.abs(one) > limit)
    for floor in settings.mask_below:
        mark(Flag.FLUX_LIMIT, "I", values["I"] <= floor.value)
    return bits


def cut_cells(spectrum: "DynamicSpectrum", settings: CutSettings) -> "DynamicSpectrum":
    """Return the spectrum with the flags of these cuts, and of no others, and its values as before.

    `meta["cuts"]` says what was cut, by the flag's name and Stokes parameter. Nothing is summed:
    the cuts are those of the cells as they are, and bins made of them afterwards have none.

    Raises
    ------
    SettingsError
        As `check_cuts`.
    """
    check_cuts(settings, spectrum.polarizations)
    flags = spectrum.flags & np.uint16(~int(CUTS) & 0xFFFF)
    meta = {name: value for name, value in spectrum.meta.items() if name != "cuts"}
    if settings.is_any:
        values = {label: spectrum.values(label) for label in spectrum.polarizations}
        for label, bits in cut_bits(values, settings).items():
            flags[..., spectrum.index(label)] |= bits
        meta["cuts"] = settings.words()
    return spectrum.replace(flags=flags, meta=meta)


def has_cuts(spectrum: "DynamicSpectrum") -> bool:
    """Whether cells of a spectrum may carry flags of cuts."""
    return bool(spectrum.meta.get("cuts"))


def cut_of(spectrum: "DynamicSpectrum", polarizations: Sequence[str]) -> tuple[np.ndarray, str]:
    """Return which cells (T,F; bool) are cut in any of some polarizations, and by what, in words.

    The words are of those cuts that took a cell.
    """
    bits = np.zeros(spectrum.flags.shape[:2], np.uint16)
    words: dict[str, None] = {}
    for label in polarizations:
        own = spectrum.flags[..., spectrum.index(label)] & np.uint16(CUTS)
        bits |= own
        taken = int(np.bitwise_or.reduce(own, axis=None)) if own.size else 0
        for flag in NAMES:
            if taken & flag:
                words[spectrum.meta.get("cuts", {}).get(flag.name, {}).get(
                    label, flag.description)] = None
    return bits != 0, ", ".join(words)


def cut_detections(detections: "Table", settings: CutSettings) -> "Table":
    """Return the detections with a column `cut`: the names of the cuts that an event does not pass.

    It is the event that is judged, by the flux densities of its best box, not its cells, which
    are noisier. Its Stokes parameters that were not measured are not cut. No row is taken away.
    """
    detections = detections.copy()
    bits = np.zeros(len(detections), np.uint16)
    held = [label for label in STOKES if f"flux_density_{label}" in detections.colnames]
    for own in cut_bits({label: np.array(detections[f"flux_density_{label}"], float)
                         for label in held}, settings).values():
        bits |= own
    detections[COLUMN] = np.array(
        [", ".join(name for flag, name in NAMES.items() if one & flag) for one in bits], "U128")
    detections[COLUMN].description = ("names of the cuts that leave it out of the candidates; "
                                      "empty if none does")
    return detections


def is_candidate(detections: "Table") -> np.ndarray:
    """Return which rows (bool) of a table of detections no cut leaves out."""
    if COLUMN not in detections.colnames:
        return np.ones(len(detections), bool)
    # An empty text is a masked one in a table that was read.
    return np.array([not str(text) for text in np.ma.filled(detections[COLUMN], "")], bool)
