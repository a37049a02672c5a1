"""Settings of flagging, apart from its kernel: a program that reads options compiles nothing."""

from dataclasses import dataclass

from visds.core.errors import SettingsError
from visds.core.quantities import bare_number, parse
from visds.core.settings import setting

_JANSKY = {"Jy": 1.0, "mJy": 1e-3}


@bare_number("Jy")
def flux_limit(text: str) -> float:
    """Return a flux density in Jy; a bare number is Jy."""
    value = parse(text, _JANSKY, bare=1.0)
    if value <= 0:
        raise SettingsError(f"a limit of {text} would flag everything")
    return value


def baseline_number(text: str | int) -> str | int:
    """Return ``auto``, ``all`` or a number of baselines, which is at least 1."""
    text = str(text).strip()
    if text in ("auto", "all"):
        return text
    if not text.isdecimal() or not int(text):
        raise SettingsError(f"'{text}' is not a number of baselines, nor 'auto' or 'all'")
    return int(text)


@dataclass(frozen=True)
class FlagSettings:
    """Flags on visibilities. Clips cut bursts too: keep them far above any burst."""

    flagger: str = setting(
        "none", "look for interference in the visibilities less the sky model and less the bursts "
        "of the targets: light is a sum-threshold on each baseline, aoflagger runs AOFlagger (pip "
        "install 'visds[aoflagger]'), eight times slower", choices=("none", "light", "aoflagger"))
    protect_bursts: bool = setting(
        True, "the dynamic spectra of the targets are taken out before a flagger looks: without, "
        "bursts are flagged as interference, and those that are left are too faint")
    flag_strategy: str = setting(
        "generic", "strategy of AOFlagger: a telescope that it knows, such as jvla, lofar or mwa, "
        "or a Lua file, which is run", metavar="NAME|FILE")
    flag_baselines: str | int = setting(
        "auto", "on how many baselines a flagger looks, of all lengths; what many of similar "
        "length have in common is flagged on all of these, and interference on single baselines "
        "is left on those not looked at; 'all', or 'auto': all, but 500 of more than 500",
        parse=baseline_number, metavar="N|all|auto")

    clip_i: float | None = setting(
        None, "flag visibilities with |I| above this flux density, such as 50Jy (default: none)",
        parse=flux_limit, metavar="FLUX")
    clip_v: float | None = setting(
        None, "flag visibilities with |V| above this flux density, such as 20Jy (default: none)",
        parse=flux_limit, metavar="FLUX")
