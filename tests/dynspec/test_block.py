"""The spectra of a chunk in many directions: each is what that direction alone gives."""

import numpy as np
import pytest
from point_sources import CIRCULAR, LINEAR, PHASE_CENTRE, chunk

from visds.core.sky import Direction
from visds.core.track import Track
from visds.dynspec.block import make_block, make_blocks
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.visibility.amplitude import correct_smearing

STAR = Direction(83.02, 22.03)
PLACES = [PHASE_CENTRE, STAR, Direction(82.95, 21.98), Direction(83.1, 22.0)]
STOKES = ("I", "Q", "U", "V")


def noisy(correlations=CIRCULAR, feed_angle=0.3):
    made = chunk([(STAR, (1.0, 0.1, -0.2, 0.3))], correlations=correlations, noise=0.1,
                 feed_angle=feed_angle)
    flags = made.flags.copy()
    flags[1, 3:7, 2] = 1
    return made.replace(flags=flags, feed_angle=np.full(len(made.time), feed_angle))


def assert_same(one, other, tolerance=1e-6):
    for name, spec in DynamicSpectrum.array_specs().items():
        first, second = getattr(one, name), getattr(other, name)
        if spec.dtype.kind in "fc":
            scale = np.nanmax(np.abs(first), initial=0)
            np.testing.assert_allclose(second, first, rtol=0, atol=tolerance * scale, err_msg=name)
        else:
            np.testing.assert_array_equal(second, first, name)


@pytest.mark.parametrize("correlations", [CIRCULAR, LINEAR])
def test_each_of_many_directions_is_what_it_is_alone(correlations):
    made = noisy(correlations)
    slabs = [made.select_times(0, 4), made.select_times(4, 6)]
    for place, found in zip(PLACES, make_blocks(slabs, PLACES, STOKES, correlations), strict=True):
        assert_same(make_block([made], place, STOKES, correlations), found)


def test_corrected_for_smearing_each_direction_is_what_it_is_alone():
    made = noisy()
    found = make_blocks([made.select_times(0, 4), made.select_times(4, 6)], PLACES, STOKES,
                        CIRCULAR, own=lambda slab, number: correct_smearing(slab, PLACES[number]))
    for place, spectrum in zip(PLACES, found, strict=True):
        assert_same(make_block([correct_smearing(made, place)], place, STOKES, CIRCULAR), spectrum)


@pytest.mark.parametrize("apart", [{0}, {1, 3}, {0, 1, 2}])
def test_directions_with_slabs_of_their_own_do_not_change_the_others(apart):
    made = noisy()

    def own(slab, number):
        return slab.replace(visibility=2 * slab.visibility) if number in apart else None

    found = make_blocks([made.select_times(0, 4), made.select_times(4, 6)], PLACES, STOKES,
                        CIRCULAR, own=own)
    for number, (place, spectrum) in enumerate(zip(PLACES, found, strict=True)):
        mine = own(made, number) or made
        assert_same(make_block([mine], place, STOKES, CIRCULAR), spectrum)


def test_the_sums_of_directions_wait_in_the_folder_given_and_leave_nothing_there(tmp_path):
    made = noisy()
    blocks = make_blocks([made], PLACES, STOKES, CIRCULAR, scratch=tmp_path)
    next(blocks)
    list(blocks)
    assert not list(tmp_path.iterdir())


def test_a_body_that_moves_keeps_its_flux_density_along_its_track():
    """A planet that moves by a beam in an integration: lost where one looks at one place."""
    template = chunk()
    ra = 83.0 + 0.02 * np.arange(6)
    parts = [chunk([(Direction(float(place), 22.01), (1.0, 0, 0, 0))]).select_times(t, t + 1)
             for t, place in enumerate(ra)]
    made = template.replace(visibility=np.concatenate([part.visibility for part in parts]))
    track = Track(made.time, ra, np.full(6, 22.01))
    followed = make_block([made], track, ("I", "V"), CIRCULAR)
    np.testing.assert_allclose(followed.values("I"), 1, atol=1e-3)
    np.testing.assert_allclose(followed.residual[..., 0], 0, atol=1e-3)
    fixed = make_block([made], track.middle, ("I", "V"), CIRCULAR)
    assert np.abs(fixed.values("I")).max() < 0.6
