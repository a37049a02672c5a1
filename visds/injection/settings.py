"""Settings of the injection of flares."""

import re
from dataclasses import dataclass

from visds.core import quantities
from visds.core.errors import SettingsError
from visds.core.quantities import bare_number
from visds.core.settings import setting

_FLUENCE = {"Jys": 1.0, "mJys": 1e-3, "uJys": 1e-6}
_DRIFT = {"Hz/s": 1.0, "kHz/s": 1e3, "MHz/s": 1e6, "GHz/s": 1e9}
SUMS, VISIBILITIES = "sums", "visibilities"


@dataclass(frozen=True)
class Fraction:
    """A share of Stokes I; with `sign` 0 each flare draws its own."""

    value: float
    sign: int
    text: str


def _trials(text) -> int:
    if not str(text).isdigit() or int(text) < 1:
        raise SettingsError(f"'{text}' is not a number of flares")
    return int(text)


def _directions(text) -> int:
    if not str(text).isdigit():
        raise SettingsError(f"'{text}' is not a number of directions")
    return int(text)


def _seed(text) -> int:
    if not str(text).isdigit():
        raise SettingsError(f"'{text}' is not a whole number of 0 or more")
    return int(text)


@bare_number("Jy s")
def _fluence(text) -> float:
    value = quantities.parse(str(text).replace(" ", ""), _FLUENCE, bare=1.0)
    if value < 0:
        raise SettingsError(f"a fluence is not negative, as '{text}' is")
    return value


@bare_number("seconds")
def _duration(text) -> float:
    value = quantities.seconds(text)
    if value <= 0:
        raise SettingsError(f"a duration must be longer than zero, not '{text}'")
    return value


@bare_number("refused")
def _bandwidth(text) -> float:
    value = quantities.parse(text, quantities.HERTZ)
    if value <= 0:
        raise SettingsError(f"a bandwidth must be wider than zero, not '{text}'")
    return value


@bare_number("MHz/s")
def _drift(text) -> float:
    match = re.fullmatch(r"\s*([^\sA-Za-z]+(?:[eE][+-]?\d+)?)\s*([kMG]?Hz/s)?\s*", str(text))
    if match is None:
        raise SettingsError(f"'{text}' is not a drift such as -2MHz/s")
    value = quantities.parse(match[1], {}, bare=_DRIFT[match[2] or "MHz/s"])
    if value == 0:
        raise SettingsError("a drift of 0 would never cross the band; leave it out for none")
    return value


@bare_number("a fraction, as 0.7 of 70%")
def _fraction(text) -> Fraction:
    if isinstance(text, Fraction):
        return text
    words = str(text).strip()
    value = quantities.parse(words.removesuffix("%"), {},
                             bare=0.01 if words.endswith("%") else 1.0)
    if abs(value) > 1:
        raise SettingsError(f"'{text}' is more than all of Stokes I")
    sign = {"+": 1, "-": -1}.get(words[:1], 0)
    return Fraction(abs(value), sign, f"{'' if sign == 0 else '+' if sign > 0 else '-'}"
                                      f"{100 * abs(value):g}%")


@bare_number("refused")
def _within(text) -> float:
    value = quantities.angle(text)
    if not 0 < value < 90:
        raise SettingsError(f"'{text}' is not an angle between 0 and 90 degrees")
    return value


@dataclass(frozen=True)
class InjectSettings:
    """Flares that are put in, and where."""

    trials: int = setting("50", "flares of each strength, duration and polarization, "
                          "at the target and as many elsewhere",
                          parse=_trials)
    fluence: tuple[float, ...] = setting(
        None, "fluences of the flares, Stokes I summed over time, such as 0.5Jys 2Jys (default: "
        "ten about the threshold of the search, half of it to ten times)", parse=_fluence,
        many=True)
    duration: tuple[float, ...] = setting(
        None, "durations, full widths at half maximum of Gaussians or lengths of boxes, such as "
        "20s 2min (default: 2 and 8 integrations)", parse=_duration, many=True)
    shape: str = setting("gaussian", "shape in time, and in frequency with --bandwidth",
                         choices=("gaussian", "box"))
    bandwidth: float | None = setting(
        None, "width in frequency, about a centre at random (default: all of the band)",
        parse=_bandwidth)
    drift: float | None = setting(
        None, "drift in frequency, of either sign, such as -2MHz/s (default: none)", parse=_drift)
    fraction_v: tuple[Fraction, ...] = setting(
        ("0%", "100%"), "Stokes V as a share of I: with + or - of that sign, else of either sign "
        "at random", parse=_fraction, many=True, metavar="SHARE")
    fraction_l: Fraction = setting(
        "0%", "linear polarization as a share of I, at angles at random", parse=_fraction,
        metavar="SHARE")
    at: tuple[str, ...] = setting(
        ("target",), "where flares are: the target of the run, or positions; none for those at "
        "random only", many=True, metavar="POSITION")
    directions: int = setting(
        "8", "further directions, at random in the field", parse=_directions)
    within: float | None = setting(
        None, "how far these may be from the phase centre, such as 10arcmin (default: half of the "
        "half-power width of the primary beam)", parse=_within, metavar="ANGLE")
    through: str = setting(
        SUMS, "what flares are added to: the sums of the dynamic spectrum, which is fast and the "
        "same but for flags and weights that the flare itself would have changed; or the "
        "visibilities, which are flagged, weighed and summed again for each search",
        choices=(SUMS, VISIBILITIES))
    seed: int = setting("1", "of the random numbers: the same seed, the same flares", parse=_seed)
