"""What is known of telescopes, and how a user overrides it."""

import pytest

from visds.core.errors import SettingsError
from visds.core.polarization import Handedness
from visds.visibility.handedness import TABLE, documented_doubt, known_handedness, override


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


def test_the_bands_of_the_vla_below_1_ghz_were_circular_once_and_are_linear_now():
    assert known_handedness("VLA", 327e6, 50000).source
    for name in ("VLA", "EVLA"):
        assert known_handedness(name, 350e6, 58000) is None
        assert "linear" in documented_doubt(name, 350e6, 58000)
        assert documented_doubt(name, 1.5e9, 58000) == ""


def test_east_west_dipoles_called_x_are_y():
    # XX = I - Q, YY = I + Q, XY = U - iV, YX = U + iV in what hyperdrive documents.
    known = known_handedness("MWA", 150e6, 58000)
    labels, factors = known.settle(("XX", "XY", "YX", "YY"))
    assert (labels, factors) == (("YY", "YX", "XY", "XX"), (1, 1, 1, 1))


@pytest.mark.parametrize(("telescope", "frequency", "mjd", "words"), [
    ("ASKAP", 888e6, 58656, "X and Y of early ASKAP data are swapped"),
    ("MeerKAT", 1.28e9, 59000, "issue 1465"), ("KAT-7", 1.8e9, 56000, "opposite handedness"),
    ("GMRT", 400e6, 59000, "only band 4")])
def test_what_is_documented_and_leaves_a_sign_open_is_told(telescope, frequency, mjd, words):
    assert words in documented_doubt(telescope, frequency, mjd)


@pytest.mark.parametrize(("telescope", "frequency", "mjd"), [
    ("ASKAP", 888e6, 59500), ("EVLA", 3e9, 59000), ("uGMRT", 650e6, 59000), ("LWASV", 4e7, 58000)])
def test_where_nothing_is_open_nothing_is_doubted(telescope, frequency, mjd):
    assert documented_doubt(telescope, frequency, mjd) == ""


def test_every_row_names_its_source_or_what_is_open():
    assert all(row.handedness.source if row.handedness else row.doubt for row in TABLE)


def test_options_replace_only_what_they_name():
    start = known_handedness("ASKAP", 800e6, 58656)
    changed = override(start, ("swap=yes",), "iau")
    assert (changed.swap_feeds, changed.stokes_scale) == (True, 2)
    assert changed.source == f"swap=yes given by the user, the rest: {start.source}"
    assert override(Handedness(), ("swap=yes",), "iau").source == "given by the user"
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
