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


@dataclass(frozen=True)
class FlagSettings:
    """Flags on visibilities. Clips cut bursts too: keep them far above any burst."""

    clip_i: float | None = setting(
        None, "flag visibilities with |I| above this flux density, such as 50Jy (default: none)",
        parse=flux_limit, metavar="FLUX")
    clip_v: float | None = setting(
        None, "flag visibilities with |V| above this flux density, such as 20Jy (default: none)",
        parse=flux_limit, metavar="FLUX")
