"""What pictures show is the sum of the spectrum's cells, each once: by loops over plain numbers."""

import numpy as np
import pytest

from visds.core.flags import Flag
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.draw import picture, plot_settings

MASK = int(Flag.EMPTY | Flag.REGION)
LENGTH = 10.0
SCALE = {"I": 1.3, "Q": 1.1, "U": 0.9, "V": 0.7}


def ragged_spectrum(seed, polarizations="IQUV", hands=("RR", "LL")):
    """Return a spectrum of cells of 0 to 30 visibilities of random weights, flagged at random.

    Scans of 157, 40, 1 and 99 integrations, the second with a gap inside and later than the third.
    """
    rng = np.random.default_rng(seed)
    lengths, F, P, B = (157, 40, 1, 99), 7, len(polarizations), 30
    start = np.cumsum([0, 9000, -3000, 6000])
    seconds = [begin + LENGTH * np.arange(n) for begin, n in zip(start, lengths, strict=True)]
    seconds[1][23:] += 400
    time = 59000 + np.concatenate(seconds) / 86400
    T = len(time)
    number = rng.choice([0, 1, 2, 5, 9, 10, B], (T, F))
    weight = np.where(np.arange(B) < number[..., None], rng.uniform(0.2, 5, (T, F, B)), 0.0)
    weight *= rng.uniform(0.1, 10, (T, 1, 1))
    noise = rng.standard_normal((2, P, T, F, B)) * 0.3
    visibility = noise[0] + 1j * noise[1] + rng.uniform(-1, 1, (P, T, F, 1))
    flags = rng.choice([0, 0, int(Flag.CLIP_I), int(Flag.MEASUREMENT_SET)], (T, F, P))
    flags |= np.where(number == 0, int(Flag.EMPTY), 0)[..., None]
    flags |= np.where(rng.uniform(size=(T, F, P)) < 0.1, int(Flag.REGION), 0)
    flags[30:61, 2:4] |= int(Flag.REGION)
    flags[100:140] |= int(Flag.REGION)

    def total(values):
        return np.moveaxis(np.broadcast_to(values, (P, T, F, B)).sum(-1), 0, -1)

    return DynamicSpectrum(
        time=time, integration=np.full(T, LENGTH), time_barycentre=time + 0.004,
        scan=np.repeat([1, 2, 3, 4], lengths), frequency=1e9 + 1e6 * np.arange(F),
        channel_width=np.full(F, 1e6), spectral_window=np.zeros(F, int),
        primary_beam=np.ones(F), inflation=np.ones((F, P)), sum_w=total(weight),
        sum_wv=total(weight * visibility), sum_w2=total(weight**2),
        sum_w2v=total(weight**2 * visibility), sum_w2v2=total(weight**2 * abs(visibility) ** 2),
        count=np.repeat(number[..., None], P, axis=-1),
        sum_w2_cross=(weight**2 * (visibility[0] * visibility[-1].conj()).real).sum(-1),
        sum_w2_covariance=np.zeros((T, F)), flags=flags, polarizations=tuple(polarizations),
        parallel_hands=hands, meta={"target": "star", "ra_deg": 83.0, "dec_deg": -5.0,
                                    "weight_scale": SCALE})


def summed_cells(spectrum, cells, p):
    """Return flux density and its error of a sum of cells (t, f), NaN where all are masked."""
    w = wv = variance = number = 0
    for t, f in cells:
        if int(spectrum.flags[t, f, p]) & MASK:
            continue
        sw, sw2 = spectrum.sum_w[t, f, p], spectrum.sum_w2[t, f, p]
        mean = spectrum.sum_wv[t, f, p] / sw
        if spectrum.count[t, f, p] > 1:
            scatter = (spectrum.sum_w2v2[t, f, p] + sw2 * abs(mean) ** 2
                       - 2 * (mean.conjugate() * spectrum.sum_w2v[t, f, p]).real)
            own = scatter / (2 * (sw**2 - sw2))
        else:
            own = SCALE[spectrum.polarizations[p]] ** 2 / sw
        w, wv, variance = w + sw, wv + spectrum.sum_wv[t, f, p], variance + sw**2 * own
        number += spectrum.count[t, f, p]
    if not number:
        return np.nan, np.nan
    if number < 10:
        return wv.real / w, SCALE[spectrum.polarizations[p]] / np.sqrt(w)
    return wv.real / w, np.sqrt(variance) / w


def columns_of(spectrum, longest):
    """Return the integrations of each column: of one scan, without a gap, at most `longest`."""
    columns = [[0]]
    for t in range(1, len(spectrum.time)):
        gap = (spectrum.time[t] - spectrum.time[t - 1]) * 86400 > 5 * LENGTH
        if spectrum.scan[t] != spectrum.scan[t - 1] or gap or len(columns[-1]) == longest:
            columns.append([])
        columns[-1].append(t)
    return columns


@pytest.mark.parametrize("resolution", [35, 45, 60])
@pytest.mark.parametrize("feeds", [("IQUV", ("RR", "LL")), ("IQUV", ("XX", "YY")),
                                   ("IV", ("RR", "LL")), ("I", ("XX", "YY"))])
def test_a_column_is_the_weighted_mean_of_its_cells_with_their_error(resolution, feeds):
    spectrum = ragged_spectrum(resolution, *feeds)
    settings = plot_settings(picture_width=3, picture_resolution=resolution)
    pictured = picture(spectrum, list(feeds[0]), settings).columns
    longest = round(pictured.integration.max() / LENGTH)
    columns = columns_of(spectrum, longest)
    assert longest > 1 and any(len(column) < longest for column in columns)
    assert pictured.scan.tolist() == [spectrum.scan[column[0]] for column in columns]
    expected = np.array([[[summed_cells(spectrum, [(t, f) for t in column], p)
                           for p in range(len(spectrum.polarizations))]
                          for f in range(len(spectrum.frequency))] for column in columns])
    assert np.isnan(expected).any()
    np.testing.assert_allclose(pictured.flux_density, expected[..., 0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(pictured.sigma, expected[..., 1], rtol=1e-10)
    np.testing.assert_allclose(pictured.time, [spectrum.time[column].mean() for column in columns],
                               rtol=0, atol=1e-9)


def test_the_band_is_the_weighted_mean_of_its_channels_in_order_of_time():
    spectrum = ragged_spectrum(1)
    band = picture(spectrum, ["I", "V"], plot_settings(picture_width=3, picture_resolution=35)).band
    order = sorted(range(len(spectrum.time)), key=lambda t: spectrum.time[t])
    assert order != list(range(len(order)))
    expected = np.array([[summed_cells(spectrum, [(t, f) for f in range(7)], p)
                          for p in range(4)] for t in order])[:, None]
    np.testing.assert_array_equal(band.time, spectrum.time[order])
    np.testing.assert_allclose(band.flux_density, expected[..., 0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(band.sigma, expected[..., 1], rtol=1e-10)


@pytest.mark.parametrize("resolution", [35, 60, 300])
def test_every_visibility_that_is_not_masked_is_in_the_picture_once(resolution):
    spectrum = ragged_spectrum(2)
    settings = plot_settings(picture_width=3, picture_resolution=resolution)
    pictured = picture(spectrum, ["I", "V"], settings)
    labels = pictured.columns.polarizations
    assert labels == ("I", "V")
    kept = spectrum.flags & MASK == 0
    for part, chosen in ((pictured.columns, [0, 3]), (pictured.band, [0, 1, 2, 3])):
        used = part.flags & MASK == 0
        for name in ("count", "sum_w"):
            everything = np.where(kept, getattr(spectrum, name), 0).sum((0, 1))[chosen]
            shown = np.where(used, getattr(part, name), 0).sum((0, 1))
            np.testing.assert_allclose(shown, everything, rtol=1e-12)
        assert part.integration.sum() == pytest.approx(spectrum.integration.sum())


def test_a_column_that_is_masked_altogether_is_empty_and_no_other():
    spectrum = ragged_spectrum(3)
    settings = plot_settings(picture_width=3, picture_resolution=35)
    pictured = picture(spectrum, ["I"], settings).columns
    columns = columns_of(spectrum, round(pictured.integration.max() / LENGTH))
    expected = [[all(int(spectrum.flags[t, f, 0]) & MASK for t in column) for f in range(7)]
                for column in columns]
    assert 0 < np.sum(expected) < np.size(expected)
    np.testing.assert_array_equal(np.isnan(pictured.flux_density[..., 0]), expected)
