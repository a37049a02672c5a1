"""Clips flag visibilities in all correlations by their Stokes I or V, and nothing else."""

import numpy as np
import pytest

from visds.core.errors import SettingsError
from visds.core.flags import CELL_MASK, DESCRIPTIONS, Flag
from visds.dynspec.flag import clip
from visds.dynspec.flag_settings import FlagSettings, flux_limit
from visds.visibility.chunk import VisibilityChunk


def chunk(correlations, stokes):
    """Return a chunk of one integration whose baselines have these Stokes parameters (B,4)."""
    i, q, u, v = np.asarray(stokes, complex).T
    values = {"RR": i + v, "LL": i - v, "RL": q + 1j * u, "LR": q - 1j * u,
              "XX": i + q, "YY": i - q, "XY": u + 1j * v, "YX": u - 1j * v}
    visibility = np.stack([values[label] for label in correlations], axis=-1)[None, :, None]
    B = len(i)
    return VisibilityChunk(
        visibility=visibility, flags=np.zeros(visibility.shape), weight=np.ones(visibility.shape),
        uvw=np.zeros((1, B, 3)), antennas=np.zeros((B, 2)), time=[59000.0], integration=[10.0],
        feed_angle=[0.0], frequency=[1e9], channel_width=[1e6], correlations=correlations,
        phase_centre=(0, 0), frame="ICRS", field="", scan=1, spectral_window=0)


# I, Q, U, V of five baselines; phases do not matter to a clip.
STOKES = [[1, 0, 0, 0], [6j, 0, 0, 0], [1, 9, 9, 0], [1, 0, 0, -3], [4 + 4j, 0, 0, 2 + 2j]]


@pytest.mark.parametrize("correlations", [("RR", "RL", "LR", "LL"), ("YY", "XX", "YX", "XY")])
@pytest.mark.parametrize(("settings", "expected"), [
    (FlagSettings(), [0, 0, 0, 0, 0]),
    (FlagSettings(clip_i=5.0), [0, 1, 0, 0, 1]),
    (FlagSettings(clip_v=2.5), [0, 0, 0, 2, 2]),
    (FlagSettings(clip_i=5.0, clip_v=2.5), [0, 1, 0, 2, 3])])
def test_a_clip_looks_at_the_modulus_of_i_or_v_and_flags_all_correlations(
        correlations, settings, expected):
    clipped = clip(chunk(correlations, STOKES), settings)
    bits = np.array([0, Flag.CLIP_I, Flag.CLIP_V, Flag.CLIP_I | Flag.CLIP_V])[expected]
    np.testing.assert_array_equal(clipped.flags[0, :, 0], np.repeat(bits[:, None], 4, axis=1))


def test_v_of_linear_feeds_without_cross_hands_cannot_be_clipped():
    clipped = clip(chunk(("XX", "YY"), STOKES), FlagSettings(clip_v=0.1))
    assert not clipped.flags.any()


def test_a_nan_is_not_above_a_limit_and_other_flags_are_kept():
    start = chunk(("RR", "LL"), STOKES)
    start.visibility[0, 1] = np.nan
    start.flags[0, 4] = Flag.MEASUREMENT_SET
    clipped = clip(start, FlagSettings(clip_i=5.0))
    assert clipped.flags[0, :, 0, 0].tolist() == [0, 0, 0, 0, Flag.MEASUREMENT_SET | Flag.CLIP_I]


def test_limits_are_flux_densities_above_zero():
    assert (flux_limit("50Jy"), flux_limit("200mJy"), flux_limit("3")) == (50, 0.2, 3)
    for text in ("0", "-5Jy"):
        with pytest.raises(SettingsError, match="would flag everything"):
            flux_limit(text)


def test_every_flag_has_a_bit_of_its_own_and_a_description():
    bits = [int(flag) for flag in Flag]
    assert len(set(bits)) == len(bits) and all(bit & (bit - 1) == 0 for bit in bits)
    assert set(DESCRIPTIONS) == set(Flag)
    # Bits of visibilities fit a byte; those that mask a cell do not occur among them.
    assert CELL_MASK > 255 and CELL_MASK & 255 == 0 and Flag.RFI < 256
    assert Flag.ABSENT.description.startswith("the measurement set has no row")
