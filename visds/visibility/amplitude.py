"""What of the target's flux density reaches the visibilities, and its correction.

With the amplitude factor A of a visibility the estimator is S = sum w A V e / sum w A^2: that of
visibilities V / A with the weights w A^2. A is the primary beam at the target times what averaging
over channels and integrations left of it.
"""

import numpy as np

from visds.core.errors import SettingsError
from visds.core.sky import Direction, angle_text, direction_cosines, separation
from visds.core.track import Track
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.primary_beam.beam import LEAST_POWER, PrimaryBeam, cosines_about
from visds.visibility.sky_model.smearing import smearing_factor

_LEAST_FACTOR = 1e-3


def target_power(beam: PrimaryBeam, pointing: Direction, target: Direction,
                 frequency: np.ndarray) -> np.ndarray:
    """Return the power (F) of the primary beam at a target; 0 where it is below `LEAST_POWER`.

    `frequency` (F) in Hz.

    Raises
    ------
    SettingsError
        If it is so low at all frequencies.
    """
    away = separation(target.to(pointing.frame), pointing)
    power = (beam(cosines_about(pointing, target), frequency) if away < 90
             else np.zeros(len(frequency)))
    if power.max() < LEAST_POWER:
        raise SettingsError(
            f"--primary-beam: {beam.describe()} has {100 * power.max():.2g} % of its power at the "
            f"target, {angle_text(away)} from the pointing {pointing}; expected "
            f"{100 * LEAST_POWER:g} % or more, as nothing can be said of its flux density")
    return np.where(power < LEAST_POWER, 0, power)


def correct_amplitude(chunk: VisibilityChunk, factor: np.ndarray) -> VisibilityChunk:
    """Return the chunk with visibilities divided by a factor and weights times its square.

    The arrays of the chunk given stay as they are: others may still be reading them.

    Parameters
    ----------
    chunk : VisibilityChunk
        Weights of all channels alike become those of channels.
    factor : (T,B,F), or what broadcasts to it
        Of either sign. Where its modulus is below 0.001 nothing of the source is left in the
        visibility: it stays as it is and gets the weight 0.
    """
    factor = np.broadcast_to(np.asarray(factor, np.float32), chunk.visibility.shape[:3])
    is_left = np.abs(factor) >= _LEAST_FACTOR
    inverse = 1 / np.where(is_left, factor, np.float32(1))
    square = np.where(is_left, factor**2, np.float32(0))
    return chunk.replace(visibility=chunk.visibility * inverse[..., np.newaxis],
                         weight=chunk.weight * square[..., np.newaxis])


def correct_smearing(chunk: VisibilityChunk, target: Direction | Track) -> VisibilityChunk:
    """Return the chunk with what averaging took from a point source at the target put back.

    Each visibility is divided by `smearing_factor`, which is exact for a source that is constant
    over an integration and a channel; of a track the middle of the chunk's times counts. The arrays
    of the chunk given stay as they are.
    """
    centre = Direction(*chunk.phase_centre, chunk.frame)
    if isinstance(target, Track):
        ra, dec = target.at(np.array([(chunk.time[0] + chunk.time[-1]) / 2]))
        target = Direction(float(ra[0]), float(dec[0]))
    there = target.to(chunk.frame)
    cosines = direction_cosines(there.ra, there.dec, centre)
    return correct_amplitude(chunk, smearing_factor(
        chunk.uvw, cosines, chunk.frequency, chunk.channel_width, chunk.integration, centre.dec))
