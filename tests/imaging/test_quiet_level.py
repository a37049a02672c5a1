"""A source is quiet where it is nearest to nothing, in every Stokes parameter at once."""

import numpy as np
import pytest

from visds.imaging.quiet_level import changes, quiet_snapshots

NOISE = 0.7  # mJy


def curve(flux, on, count, seed):
    """Return flux densities by snapshot of a source that is on in some, mJy."""
    noise = NOISE * np.random.default_rng(seed).normal(size=count)
    return {f"scan{t}": float(noise[t] + flux * (t in on)) for t in range(count)}


@pytest.mark.parametrize("flux,polarized,on,count", [
    (8, -7.5, [1], 2), (8, -7.5, [0], 2), (13, 12, range(5), 10), (25, 20, range(5), 10),
    (25, 20, range(5, 10), 10), (40, -35, range(6), 10), (25, 20, [0, 2, 3], 5),
    (25, 20, [4], 6)])
@pytest.mark.parametrize("seed", range(5))
def test_what_is_on_for_less_than_two_thirds_flares(flux, polarized, on, count, seed):
    change = changes({"I": curve(flux, on, count, seed),
                      "V": curve(polarized, on, count, 50 + seed)})
    for stokes, expected in (("I", flux), ("V", polarized)):
        for t in range(count):
            assert change[stokes][f"scan{t}"] == pytest.approx(expected * (t in on), abs=5 * NOISE)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_on_for_two_thirds_or_more_fades(seed):
    on = [0, 1, 3, 5]
    change = changes({"I": curve(100, on, 6, seed), "V": curve(-30, on, 6, 50 + seed)})
    for t in range(6):
        assert change["I"][f"scan{t}"] == pytest.approx(0 if t in on else -100, abs=5 * NOISE)
        assert change["V"][f"scan{t}"] == pytest.approx(0 if t in on else 30, abs=5 * NOISE)


def test_polarization_that_changes_alone_is_quiet_where_it_is_least():
    change = changes({"I": curve(0, [], 10, 1), "V": curve(-20, range(5), 10, 2)})
    assert change["V"]["scan0"] == pytest.approx(-20, abs=5 * NOISE)
    assert change["V"]["scan9"] == pytest.approx(0, abs=5 * NOISE)


def test_a_constant_source_has_hardly_a_bias():
    """A third of the snapshots are below the one where it starts; the median is of all."""
    rng = np.random.default_rng(3)
    level = 50 + rng.normal(size=(500, 10))
    usual = [np.median(row[quiet_snapshots(row)]) for row in level]
    assert np.mean(usual) == pytest.approx(50, abs=0.15)
    assert np.std(usual) < 0.6
