"""Settings of the primary beam and of what else takes from the target's flux density."""

from dataclasses import dataclass

from visds.core.settings import setting
from visds.core.sky import parse_direction


def _position(text) -> str:
    parse_direction(str(text))
    return str(text)


@dataclass(frozen=True)
class PrimaryBeamSettings:
    """Attenuation of sources away from where the antennas point, and its correction."""

    primary_beam: str = setting(
        "none", "beam by which flux densities of the target are divided and those of intrinsic "
        "sky models multiplied: auto (by telescope and frequency), vla, vla-old (before its "
        "upgrade), ugmrt, atca, meerkat, katbeam, airy (by the dishes' diameter), airy:25m, or a "
        "FITS image or cube of the power against l and m", metavar="NAME|FILE")
    pointing: str | None = setting(
        None, "position at which the antennas point (default: the phase centre)", parse=_position,
        metavar="POSITION")
    correct_smearing: bool = setting(
        False, "correct what averaging over channels and integrations takes from the target away "
        "from the phase centre")
