"""What a picture shows: a quantity of a dynamic spectrum by its name, its values and its unit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from visds.core.errors import SettingsError
from visds.core.polarization import STOKES
from visds.dynspec.brightness import brightness_temperature
from visds.dynspec.plots.levels import Level
from visds.dynspec.polarimetry import linear

if TYPE_CHECKING:  # reading the options needs no sums, nor what compiles them
    from visds.dynspec.dynamic_spectrum import DynamicSpectrum

HANDS = ("RR", "LL", "XX", "YY")
ANGLES = {"PA": "Position angle", "ellipticity": "Ellipticity angle"}
_PARTS = {"L": ("Q", "U"), "PA": ("Q", "U"), "ellipticity": ("Q", "U", "V")}
_LEAST_INTENSITY_SNR = 5
SYNTAX = ("I, Q, U, V, L, RR, LL, XX, YY, V/I, L/I, PA, ellipticity, imaginary:V, sigma:V, "
          "sigma_formal:V, sigma_empirical:V, sigma_robust:V or snr:V")
_PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M"}
_POWERS = {"Jy": 0, "mJy": -3, "uJy": -6}
_ERRORS = {"sigma_formal": "Formal σ", "sigma_empirical": "Empirical σ",
           "sigma_robust": "Robust σ"}
_KINDS = ("imaginary", "sigma", "snr", *_ERRORS)


@dataclass(frozen=True)
class Quantity:
    """A quantity per cell: `kind` flux, fraction, imaginary, sigma or snr of a `polarization`.

    Or one of the three errors, sigma_formal, sigma_empirical or sigma_robust, of a Stokes
    parameter. The polarization is a Stokes parameter, a parallel hand or L. Or the kind is angle,
    and the polarization PA or ellipticity, which are not given where what they are of is below
    `least_snr` sigma.
    """

    kind: str
    polarization: str
    least_snr: float = linear.LEAST_SNR

    @property
    def name(self) -> str:
        """What a user writes: ``V``, ``V/I`` or ``snr:V``."""
        if self.kind in ("flux", "angle"):
            return self.polarization
        if self.kind == "fraction":
            return f"{self.polarization}/I"
        return f"{self.kind}:{self.polarization}"

    @property
    def file_name(self) -> str:
        """The stem of its picture: ``dynspec_V``, ``dynspec_VI`` or ``snr_V``."""
        if self.kind in ("flux", "fraction", "angle"):
            return f"dynspec_{self.name.replace('/', '')}"
        return f"{self.kind}_{self.polarization}"

    @property
    def label(self) -> str:
        """The words beside its axis, without the unit."""
        if self.kind == "angle":
            return ANGLES[self.polarization]
        stokes = f"Stokes {self.polarization}" if self.polarization in STOKES \
            else self.polarization
        if self.kind in _ERRORS:
            return f"{_ERRORS[self.kind]} of {stokes}"
        return {"flux": stokes, "fraction": self.name, "imaginary": f"Im({stokes})",
                "sigma": f"σ of {stokes}", "snr": f"S/N of {stokes}"}[self.kind]

    @property
    def is_flux(self) -> bool:
        """Whether it has the unit of a flux density."""
        return self.kind in ("flux", "imaginary", "sigma", *_ERRORS)

    @property
    def is_signed(self) -> bool:
        """Whether zero is the middle of its scale."""
        if self.polarization == "L" or self.kind in _ERRORS:
            return False
        return (self.kind in ("fraction", "imaginary", "snr", "angle")
                or self.polarization in ("Q", "U", "V"))

    @property
    def not_given(self) -> str:
        """Why a cell with data may have no value, in symbols; empty where each has one."""
        if self.kind == "fraction":
            return f"I < {_LEAST_INTENSITY_SNR}σ"
        if self.kind == "angle":
            of = "L" if self.polarization == "PA" else "√(L²+V²)"
            return f"{of} < {self.least_snr:g}σ"
        return ""

    @property
    def needed(self) -> tuple[str, ...]:
        """The Stokes parameters that it is made of."""
        if self.polarization in HANDS:
            return ("I", "V") if self.polarization in ("RR", "LL") else ("I", "Q")
        parts = parts_of(self.polarization)
        return ("I", *parts) if self.kind == "fraction" else parts

    def values(self, spectrum: "DynamicSpectrum") -> np.ndarray:
        """Return the values (T,F): Jy, a fraction or a ratio; NaN where flagged or not given.

        Raises
        ------
        SettingsError
            If the spectrum does not hold the polarization.
        """
        check_held(self.name, self.polarization, spectrum)
        if self.kind == "fraction":
            check_held(self.name, "I", spectrum)
            return self._fraction(spectrum)[0]
        if self.kind == "angle":
            return self._angle(spectrum)[0]
        if self.kind == "imaginary":
            return spectrum.residual[..., spectrum.index(self.polarization)]
        if self.kind in _ERRORS:
            return getattr(spectrum, self.kind)[..., spectrum.index(self.polarization)]
        values, sigma = self._flux_density(spectrum)
        if self.kind == "snr":
            return values / np.where(sigma > 0, sigma, np.nan)
        return values if self.kind == "flux" else sigma

    def errors(self, spectrum: "DynamicSpectrum") -> np.ndarray | None:
        """Return the standard errors (T,F) of `values`; None of an error or a ratio to one."""
        if self.kind == "fraction":
            return self._fraction(spectrum)[1]
        if self.kind == "angle":
            return self._angle(spectrum)[1]
        return self._flux_density(spectrum)[1] if self.kind in ("flux", "imaginary") else None

    def flagged(self, spectrum: "DynamicSpectrum") -> np.ndarray:
        """Return which cells (T,F; bool) have no value because of flags."""
        if self.kind in ("fraction", "angle"):
            parts = [self.polarization, "I"] if self.polarization in HANDS else self.needed
            return np.any([np.isnan(spectrum.values(part)) for part in parts], axis=0)
        return np.isnan(self.values(spectrum))

    def _flux_density(self, spectrum: "DynamicSpectrum") -> tuple[np.ndarray, np.ndarray]:
        if self.polarization != "L":
            return spectrum.values(self.polarization), spectrum.errors(self.polarization)
        return linear.polarized_flux_density(*_values_and_errors(spectrum, "QU"))

    def _fraction(self, spectrum: "DynamicSpectrum") -> tuple[np.ndarray, np.ndarray]:
        if self.polarization != "L":
            return spectrum.fraction(self.polarization)
        part, sigma = self._flux_density(spectrum)
        whole, sigma_i = spectrum.values("I"), spectrum.errors("I")
        whole = np.where(whole >= _LEAST_INTENSITY_SNR * sigma_i, whole, np.nan)
        ratio = part / whole
        variance = sigma**2 + (ratio * sigma_i) ** 2
        if spectrum.has_parallel_pair and "XX" in spectrum.parallel_hands:
            q, u = spectrum.values("Q"), spectrum.values("U")
            along = np.divide(q, np.hypot(q, u), out=np.zeros(q.shape), where=np.hypot(q, u) > 0)
            variance = variance - 2 * ratio * along * spectrum.covariance
        return ratio, np.sqrt(np.maximum(variance, 0)) / whole

    def _angle(self, spectrum: "DynamicSpectrum") -> tuple[np.ndarray, np.ndarray]:
        made = linear.polarization_angle if self.polarization == "PA" else linear.ellipticity
        return made(*_values_and_errors(spectrum, self.needed), self.least_snr)


def _values_and_errors(spectrum: "DynamicSpectrum", polarizations: Sequence[str]
                       ) -> list[np.ndarray]:
    return [of(label) for of in (spectrum.values, spectrum.errors) for label in polarizations]


def quantity(text: str, least_snr: float = linear.LEAST_SNR) -> Quantity:
    """Return the quantity called `text`; ``imaginary``, ``snr`` and errors alone are of I.

    `least_snr` is that of angles.

    Raises
    ------
    SettingsError
        If there is no such quantity.
    """
    text = str(text).strip()
    kind, colon, of = text.partition(":")
    if kind in _KINDS:
        of = of or "I"
        if of in STOKES or (of in (*HANDS, "L") and kind in ("sigma", "snr")):
            return Quantity(kind, of)
    elif not colon and text in (*STOKES, *HANDS, "L"):
        return Quantity("flux", text)
    elif text in ANGLES:
        return Quantity("angle", text, least_snr)
    elif re.fullmatch(r"[QUVL]/I", text):
        return Quantity("fraction", text[0])
    raise SettingsError(f"'{text}' is not a quantity, which is {SYNTAX}")


def check_held(name: str, polarization: str, spectrum: "DynamicSpectrum") -> None:
    """Raise SettingsError if a spectrum does not hold a polarization that `name` needs."""
    held = list(spectrum.polarizations)
    if spectrum.has_parallel_pair:
        held += list(spectrum.parallel_hands)
    for part in parts_of(polarization):
        if part not in held:
            raise SettingsError(f"'{name}' needs {part}, which is not in this spectrum (it "
                                f"holds {', '.join(held)})")


def parts_of(polarization: str) -> tuple[str, ...]:
    """Return what a polarization is made of: Q and U of L, itself of Stokes and hands."""
    return _PARTS.get(polarization, (polarization,))


def usual_curves(polarizations: Sequence[str]) -> list[str]:
    """Return the polarizations of a light curve unless others are asked for: I and V, if held."""
    return [name for name in ("I", "V") if name in polarizations] or list(polarizations[:1])


@dataclass(frozen=True)
class Unit:
    """A unit of drawing: `label` for the axis and the `factor` (scalar or F) from Jy to it.

    `base` is Jy, K or, of fractions and ratios, empty; one of it is `per_base` in this unit.
    """

    label: str
    factor: np.ndarray | float
    base: str = ""
    per_base: float = 1.0

    def convert(self, level: Level, option: str) -> float:
        """Return the level that an option such as ``--mark-flux`` gives in this unit.

        Raises
        ------
        SettingsError
            If its unit does not fit.
        """
        if not level.unit:
            return level.value * (100 if self.label == "%" else 1)
        if level.unit == self.base:
            return level.value * self.per_base
        raise SettingsError(f"{option}: a level in {level.unit} does not fit a picture in "
                            f"{self.label or 'pure numbers'}"
                            + (" (--flux-unit K)" if self.base == "K" else ""))

    def scaled(self, largest: float, flux_unit: str) -> "Unit":
        """Return the unit of the same base in which `largest`, in this unit, is from 1 to 999.

        Or the one that the user asked for as `flux_unit`. A fraction is always in per cent.
        """
        if not self.base:
            return self
        largest = abs(largest) / self.per_base
        # 999.6 is written as 1000.
        power = 3 * int(np.floor(np.log10(largest / 0.9995) / 3 + 1e-9)) if largest > 0 else 0
        if self.base == "Jy":
            power = _POWERS.get(flux_unit, min(max(power, min(_PREFIXES)), max(_PREFIXES)))
            label = f"{_PREFIXES[power]}Jy"
        else:
            power = max(power, 0)
            label = rf"$10^{{{power}}}$ K" if power else "K"
        scale = 10.0 ** -power
        return Unit(label, self.factor / self.per_base * scale, self.base, scale)


def base_unit(quantity: Quantity, *, flux_unit: str, frequency: np.ndarray | float,
              radius_solar: float | None = None, distance_pc: float | None = None) -> Unit:
    """Return the unit in which a quantity is drawn, without a prefix: Jy, K, %, deg or none.

    `frequency` (F or scalar) in Hz, radius and distance are needed for brightness temperature.

    Raises
    ------
    SettingsError
        If the unit is K and the star's radius or distance is not given.
    """
    if quantity.kind == "fraction":
        return Unit("%", 100.0)
    if quantity.kind == "angle":
        return Unit("deg", 180 / np.pi)
    if not quantity.is_flux:
        return Unit("", 1.0)
    if flux_unit != "K":
        return Unit("Jy", 1.0, "Jy")
    if radius_solar is None or distance_pc is None:
        raise SettingsError("brightness temperature (--flux-unit K) needs --stellar-radius "
                            "and --stellar-distance")
    return Unit("K", brightness_temperature(1.0, frequency, radius_solar=radius_solar,
                                            distance_pc=distance_pc), "K")


def asked_range(quantity: Quantity, unit: Unit,
                levels: Sequence[Level]) -> tuple[float, float] | None:
    """Return the ends of the vertical axis that `--flux-range` gives to a quantity, if any.

    Raises
    ------
    SettingsError
        If they are not a lower and an upper end, in a unit that fits.
    """
    if quantity.kind != "flux":
        return None
    own = [level for level in levels if level.name == quantity.name] \
        or [level for level in levels if level.name is None]
    if not own:
        return None
    ends = [unit.convert(level, "--flux-range") for level in own]
    if len(ends) != 2 or ends[0] >= ends[1]:
        raise SettingsError(f"--flux-range needs a lower and an upper end for {quantity.name}, in "
                            "this order, e.g. 2.4Jy 2.6Jy or I=2.4Jy I=2.6Jy")
    return ends[0], ends[1]
