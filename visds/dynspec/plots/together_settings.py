"""Settings of figures of several spectra."""

from dataclasses import dataclass

from visds.core.settings import setting


@dataclass(frozen=True)
class TogetherSettings:
    """Several spectra in one figure, where more than one OUT or --target is given."""

    align: str = setting(
        "time", "the common axis: time, or time since the first integration of each spectrum, or "
        "phase on --period, from --epoch on (default of that: the earliest integration of all), at "
        "the barycentre", choices=("time", "start", "phase"))
    light_curves: str = setting(
        "stacked", "light curves of several spectra in panels of their own, or in one with a "
        "legend", choices=("stacked", "overlaid"))
