"""What the primary beam leaves of targets and of sky models: the beam chosen and pointed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visds.core.sky import Direction, parse_direction
from visds.core.told_once import told_once
from visds.target import Target
from visds.visibility.amplitude import target_power
from visds.visibility.plan import Plan
from visds.visibility.primary_beam.beam import PrimaryBeam, cosines_about
from visds.visibility.primary_beam.choose import choose_beam
from visds.visibility.primary_beam.pointed import PointedBeam
from visds.visibility.primary_beam.settings import PrimaryBeamSettings
from visds.visibility.primary_beam.squint import squint_share

_NOTABLE_SQUINT = 0.01


@dataclass(frozen=True)
class Attenuation:
    """The primary beam of an observation.

    `beam` is a function of direction cosines about the phase centre; `middle_powers` are those at
    the targets, each the median of all channels; `words` say which beam it is and what is left of
    the targets.
    """

    beam: PointedBeam
    middle_powers: tuple[float, ...]
    words: str
    warnings: tuple[str, ...]

    def at(self, direction: Direction, frequency: np.ndarray) -> np.ndarray:
        """Return the power (F) in a direction at frequencies (F) in Hz; 0 where it is too low."""
        return target_power(self.beam.beam, self.beam.pointing, direction, frequency)


def prepare_beam(plan: Plan, settings: PrimaryBeamSettings,
                 targets: Sequence[Target]) -> Attenuation | None:
    """Return the primary beam that a user wants, None if none.

    Raises
    ------
    SettingsError
        If it is not known, or leaves too little of a target.
    """
    frequency = np.unique(np.concatenate([task.source.frequency for task in plan.tasks]))
    telescope = plan.description.telescope
    beam: PrimaryBeam | None = choose_beam(
        settings.primary_beam, telescope, plan.description.usual_dish_diameter,
        lowest=float(frequency[0]), highest=float(frequency[-1]))
    if beam is None:
        return None
    centre = Direction(*plan.phase_centre, plan.frame)
    pointing = parse_direction(settings.pointing).to(plan.frame) if settings.pointing else centre
    powers, warnings = [], []
    for target in targets:
        power = target_power(beam, pointing, target.direction, frequency)
        powers.append(power)
        name = "the target" if len(targets) == 1 else target.name
        share = squint_share(telescope, beam, cosines_about(pointing, target.direction), frequency)
        if share > _NOTABLE_SQUINT:
            warnings.append((name, "the squint of the beams of R and L makes up to "
                             f"{100 * share:.2g} % of Stokes I into V at {name}; it is not "
                             "corrected"))
        lost = int(np.sum(power == 0))
        if lost:
            warnings.append((name, f"the primary beam leaves less than 5 % of {name} in {lost} of "
                             f"{len(power)} channel frequencies: they are empty"))
    known = np.concatenate([power[power > 0] for power in powers])
    ends = [f"{value:.3g}" for value in (known.min(), known.max())]
    whose = "target" if len(targets) == 1 else "targets"
    return Attenuation(
        PointedBeam(beam, pointing, centre),
        tuple(float(np.median(power[power > 0])) for power in powers),
        f"{beam.describe()}; power at the {whose} {' to '.join(dict.fromkeys(ends))}",
        tuple(told_once(warnings)))
