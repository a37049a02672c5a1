"""What is known of telescopes, and how a user overrides it."""

import pytest

from visds.core.errors import SettingsError
from visds.core.polarization import Handedness
from visds.visibility.handedness import TABLE, known_handedness, override


def test_askap_correlations_are_half_of_what_is_wanted():
    assert known_handedness("ASKAP", 800e6, 58656).stokes_scale == 2


def test_ugmrt_band_4_is_known_and_the_old_receivers_are_not():
    assert known_handedness("GMRT", 650e6, 59000).negate == ("Q", "V")
    assert known_handedness("uGMRT", 550e6, 59000).negate == ("Q", "V")
    assert known_handedness("GMRT", 650e6, 56837) is None
    assert known_handedness("GMRT", 1400e6, 59000) is None


def test_the_vla_is_right_as_it_is_and_says_so():
    known = known_handedness("EVLA", 36e9, 55312)
    assert (known.swap_feeds, known.negate, known.stokes_scale) == (False, (), 1)
    assert known.source


def test_nothing_is_invented_for_an_unknown_telescope():
    assert known_handedness("LWASV", 40e6, 58000) is None


def test_every_row_names_its_source():
    assert all(row.handedness.source for row in TABLE)


def test_options_replace_only_what_they_name():
    start = known_handedness("ASKAP", 800e6, 58656)
    changed = override(start, ("swap=yes",), "iau")
    assert (changed.swap_feeds, changed.stokes_scale) == (True, 2)
    assert changed.source == "given by the user"
    assert override(start, ("scale=1", "negate=VQ", "swap=no"), "iau") == Handedness(
        negate=("Q", "V"), source="given by the user")
    assert override(Handedness(negate=("Q",)), ("negate=none",), "iau").negate == ()


def test_the_pulsar_convention_is_a_matter_of_taste_and_not_of_knowledge():
    assert override(Handedness(source="known"), (), "pulsar") == Handedness(
        pulsar_convention=True, source="known")


@pytest.mark.parametrize("entry", ["swap", "swap=maybe", "swap=Yes", "negate=", "negate=I",
                                   "negate=QX", "scale=0", "scale=-2", "scale=nan", "scale=inf",
                                   "scale=two", "colour=red", ""])
def test_an_entry_that_means_nothing_is_refused_by_name(entry):
    with pytest.raises(SettingsError, match=rf"--handedness: '{entry}' is not one of swap="):
        override(Handedness(), (entry,), "iau")
