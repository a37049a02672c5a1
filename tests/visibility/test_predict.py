"""Sky models of several parts taken out of the slabs of a chunk."""

import numpy as np
import pytest
from double_sum import chunk_of, model_of

from visds.core.errors import FormatError
from visds.core.flags import Flag
from visds.core.sky import Direction
from visds.visibility.sky_model import predict as predict_module
from visds.visibility.sky_model.images import ImageModel, to_components
from visds.visibility.sky_model.model import Part, SkyModel
from visds.visibility.sky_model.model_file import read_model, write_model
from visds.visibility.sky_model.predict import Method, predict, subtracted

CENTRE = Direction(83.6, 22.0, "J2000")


def sky(*contents, intrinsic=False):
    return SkyModel(tuple(Part(content, f"part {n}", intrinsic, "a test says so")
                          for n, content in enumerate(contents)))


def method(*engines, beam=None):
    return Method(engines, (False,) * len(engines), 1e-7, beam)


def image(polarizations=("I",), terms=2, seed=2):
    rng = np.random.default_rng(seed)
    pixels = np.zeros((terms, len(polarizations), 64, 64))
    for _ in range(20):
        y, x = rng.integers(0, 64, 2)
        pixels[:, :, y, x] = rng.uniform(-1, 1, pixels.shape[:2])
    return ImageModel(pixels, polarizations, 1e9, np.zeros(0), CENTRE, "SIN",
                      (-20 / 3600, 20 / 3600), (32.0, 32.0))


def slabs_of(chunk, length):
    return (chunk.select_times(begin, begin + length)
            for begin in range(0, len(chunk.time), length))


def subtract(chunk, model, how, length=2):
    list(subtracted(slabs_of(chunk, length), chunk.uvw, model, how))
    return chunk.visibility


@pytest.mark.parametrize("polarized", [False, True])
def test_subtracting_a_model_from_its_own_prediction_leaves_nothing(polarized):
    chunk, model = chunk_of(feed_angle=0.5), model_of(20, polarized=polarized)
    chunk = chunk.replace(visibility=predict(chunk, model))
    scale = np.abs(chunk.visibility).max()
    assert np.abs(subtract(chunk, sky(model), method("direct"))).max() < 2e-7 * scale


def test_what_is_not_in_the_model_stays():
    chunk, model = chunk_of(), model_of(3)
    chunk = chunk.replace(visibility=predict(chunk, model) + np.complex64(5 - 3j))
    np.testing.assert_allclose(subtract(chunk, sky(model), method("direct")), 5 - 3j, atol=2e-6)


def test_flags_and_weights_stay_and_absent_rows_stay_zero():
    for engine, content in (("direct", model_of()), ("gridded", image())):
        chunk = chunk_of(2, 4)
        chunk.flags[0, 1] = Flag.ABSENT
        chunk.flags[1, 2, 3, 0] = Flag.MEASUREMENT_SET
        flags, weight = chunk.flags.copy(), chunk.weight.copy()
        chunk.flags.flags.writeable = chunk.uvw.flags.writeable = False
        left = subtract(chunk, sky(content), method(engine))
        assert not left[0, 1].any()
        assert left[1, 2, 3, 0] != 0
        assert np.all(left[0, [0, 2, 3]][..., 0] != 0)
        np.testing.assert_array_equal(chunk.flags, flags)
        np.testing.assert_array_equal(chunk.weight, weight)


def test_read_only_visibilities_are_refused():
    chunk = chunk_of()
    chunk.visibility.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        subtract(chunk, sky(model_of()), method("direct"))


@pytest.mark.parametrize("polarizations", [("I",), ("I", "Q", "U", "V"), ("V",)])
def test_both_engines_take_the_same_image_out(polarizations):
    model = image(polarizations)
    gridded = subtract(chunk_of(5, feed_angle=0.3), sky(model), method("gridded"))
    direct = subtract(chunk_of(5, feed_angle=0.3), sky(to_components(model)), method("direct"))
    assert np.abs(direct).max() > 1
    assert np.abs(gridded - direct).max() < 1e-6 * np.abs(direct).max()


def test_parts_add_up():
    parts = [model_of(3), image(), model_of(4, seed=7), image(seed=9)]
    engines = ["direct", "gridded", "direct", "gridded"]
    together = subtract(chunk_of(5), sky(*parts), method(*engines))
    alone = sum(subtract(chunk_of(5), sky(part), method(engine))
                for part, engine in zip(parts, engines, strict=True))
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize(("length", "batch"), [(1, 1), (2, 1), (2, 1e9), (3, 2e3), (5, 1e9)])
def test_neither_slabs_nor_batches_change_what_is_subtracted(monkeypatch, length, batch):
    whole = subtract(chunk_of(7), sky(image()), method("gridded"), length=7)
    monkeypatch.setattr(predict_module, "BATCH_BYTES", batch)
    in_parts = subtract(chunk_of(7), sky(image()), method("gridded"), length=length)
    np.testing.assert_allclose(in_parts, whole, atol=2e-6)


def halving(cosines, frequency):
    """Attenuate everything to one half."""
    return np.full((len(cosines), len(frequency)), 0.5)


@pytest.mark.parametrize(("engine", "content"), [("direct", model_of()), ("gridded", image())])
def test_the_beam_attenuates_intrinsic_flux_densities_alone(engine, content):
    full = subtract(chunk_of(), sky(content), method(engine))
    apparent = subtract(chunk_of(), sky(content), method(engine, beam=halving))
    seen = subtract(chunk_of(), sky(content, intrinsic=True), method(engine, beam=halving))
    np.testing.assert_array_equal(apparent, full)
    np.testing.assert_allclose(seen, full / 2, atol=1e-5)


def test_a_sky_model_on_file_is_the_same(tmp_path):
    model = SkyModel(sky(model_of(), image(), to_components(image())).parts, ("MODEL_DATA",))
    write_model(tmp_path / "model.h5", model, "a key")
    again = read_model(tmp_path / "model.h5", "a key")
    assert again.columns == ("MODEL_DATA",)
    how = method("direct", "gridded", "direct")
    assert [part.origin for part in again.parts] == ["part 0", "part 1", "part 2"]
    np.testing.assert_array_equal(subtract(chunk_of(), again, how),
                                  subtract(chunk_of(), model, how))
    with pytest.raises(FormatError, match="another sky model"):
        read_model(tmp_path / "model.h5", "another key")
