"""What the primary beam leaves of the target and of sky models: the beam chosen and pointed."""

from dataclasses import dataclass

import numpy as np

from visds.core.sky import Direction, parse_direction
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

    `beam` is a function of direction cosines about the phase centre; `middle_power` that at the
    target, the median of all channels; `words` say which it is and what is left of the target.
    """

    beam: PointedBeam
    target: Direction
    middle_power: float
    words: str
    warnings: tuple[str, ...]

    def of_target(self, frequency: np.ndarray) -> np.ndarray:
        """Return the power (F) at the target at frequencies (F) in Hz; 0 where it is too low."""
        return target_power(self.beam.beam, self.beam.pointing, self.target, frequency)


def prepare_beam(plan: Plan, settings: PrimaryBeamSettings,
                 target: Direction) -> Attenuation | None:
    """Return the primary beam that a user wants, None if none.

    Raises
    ------
    SettingsError
        If it is not known, or leaves too little of the target.
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
    power = target_power(beam, pointing, target, frequency)
    warnings = []
    share = squint_share(telescope, beam, cosines_about(pointing, target), frequency)
    if share > _NOTABLE_SQUINT:
        warnings.append(f"the squint of the beams of R and L makes up to {100 * share:.2g} % of "
                        "Stokes I into V at the target; it is not corrected")
    lost = int(np.sum(power == 0))
    if lost:
        warnings.append(f"the primary beam leaves less than 5 % of the target in {lost} of "
                        f"{len(power)} channel frequencies: they are empty")
    known_power = power[power > 0]
    ends = [f"{value:.3g}" for value in (known_power.min(), known_power.max())]
    return Attenuation(
        PointedBeam(beam, pointing, centre), target, float(np.median(known_power)),
        f"{beam.describe()}; power at the target {' to '.join(dict.fromkeys(ends))}",
        tuple(warnings))
