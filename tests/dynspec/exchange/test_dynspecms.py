"""Files of DynSpecMS: signs, times, directions, and errors that it does not hold."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time

from visds.core.errors import FormatError
from visds.core.flags import Flag
from visds.dynspec.detection.detect import detect
from visds.dynspec.detection.settings import DetectSettings
from visds.dynspec.exchange.dynspecms import is_dynspecms, read_dynspecms, spectra_in

START = Time("2020-05-31T03:00:04.000", scale="utc")
STEP = 8.0


def file_of_dynspecms(folder, flux, *, weights=None, squares=None, kind="Star", name="AD Leo",
                      after=0, part="TARGET"):
    """Write flux (T,F,4) and weights (T,F) as DynSpecMS does; `after` integrations follow."""
    T = len(flux)
    stop = START + (T - 1 + after) * STEP * u.s
    header = fits.Header()
    for key, value in (("CRVAL1", 0.0), ("CDELT1", STEP), ("CRVAL2", 120.0), ("CDELT2", 0.2),
                       ("OBSID", "L658492"), ("CHAN-WID", 2e5), ("FRQ-MIN", 120e6),
                       ("OBS-STAR", START.isot), ("OBS-STOP", stop.isot),
                       ("RA_RAD", np.radians(-205.1)), ("DEC_RAD", np.radians(19.87)),
                       ("NAME", name), ("ORIGIN", "DynSpecMS 1.0")):
        header[key] = value
    path = folder / part / f"{name.replace(' ', '')}.fits"
    for ending, values in (("", flux), (".W", weights), (".W2", squares)):
        if values is None:
            continue
        place = path if not ending else folder / f"{part}_W" / f"{path.stem}{ending}.fits"
        place.parent.mkdir(parents=True, exist_ok=True)
        header["SRC-TYPE"] = kind + {"": "", ".W": "_Weight", ".W2": "_W2"}[ending]
        cube = values if values.ndim == 3 else values[..., None]
        fits.writeto(place, np.transpose(cube, (2, 1, 0)), header)
    return path


def noise(T=300, F=6, seed=3):
    """Return flux densities of a constant source, the weights, and the errors of cells."""
    rng = np.random.default_rng(seed)
    number = rng.integers(300, 1200, (T, F)).astype(float)
    sigma = 1.5 / np.sqrt(number) * np.linspace(1, 3, F)
    flux = np.array([0.4, 0.0, 0.1, -0.2]) + sigma[..., None] * rng.standard_normal((T, F, 4))
    return flux, number, sigma


def test_cells_axes_and_direction_are_where_dynspecms_put_them(tmp_path):
    flux, number, _ = noise()
    found = read_dynspecms(file_of_dynspecms(tmp_path, flux, weights=number,
                                             squares=number)).spectrum
    assert found.polarizations == ("I", "Q", "U", "V")
    np.testing.assert_allclose(found.flux_density, flux)  # V = (XY - YX)/2i: as ours
    np.testing.assert_allclose(found.frequency, 120e6 + 2e5 * np.arange(6))
    assert np.max(np.abs((found.time - START.mjd) * 86400 - STEP * np.arange(300))) < 1e-5
    np.testing.assert_array_equal(found.integration, STEP)
    assert found.meta["ra_deg"] == pytest.approx(154.9)
    assert found.meta["dec_deg"] == pytest.approx(19.87)
    assert (found.meta["target"], found.meta["role"]) == ("AD Leo", "target")
    light_time = (found.time_barycentre[0] - found.time[0]) * 86400 - 69.184  # TDB - UTC
    assert 0 < abs(light_time) < 500


def test_errors_follow_the_weights_and_scatter_the_flux_density(tmp_path):
    flux, number, sigma = noise(T=3000)
    flux[100:120] += 5.0  # a burst is no noise
    found = read_dynspecms(file_of_dynspecms(tmp_path, flux, weights=number,
                                             squares=number)).spectrum
    np.testing.assert_allclose(found.sigma / sigma[..., None], 1, atol=0.1)
    np.testing.assert_allclose((found.sigma / sigma[..., None]).mean(), 1, atol=0.02)


def test_weights_of_unequal_visibilities_count_by_their_squares(tmp_path):
    flux, number, _ = noise()
    squares = number * np.where(np.arange(300) % 2, 1.0, 4.0)[:, None]
    flux *= np.sqrt(squares / number)[..., None]
    found = read_dynspecms(file_of_dynspecms(tmp_path, flux, weights=number,
                                             squares=squares)).spectrum
    ratio = found.sigma[1:, :, 1] / found.sigma[:-1, :, 1]
    expected = np.sqrt(squares[1:] / squares[:-1]) * number[:-1] / number[1:]
    np.testing.assert_allclose(ratio, expected, rtol=1e-6)


def test_gaps_of_the_grid_are_no_integrations_and_nothing_is_an_empty_cell(tmp_path):
    flux, number, _ = noise(T=60)
    number[20:40], number[5, 2] = 0, 0
    flux[20:40], flux[5, 2] = 0, 0
    found = read_dynspecms(file_of_dynspecms(tmp_path, flux, weights=number,
                                             squares=number)).spectrum
    assert len(found.time) == 40 and found.scan.tolist() == [1] * 20 + [2] * 20
    assert (found.time[20] - found.time[19]) * 86400 == pytest.approx(21 * STEP, abs=1e-5)
    assert np.isnan(found.flux_density[5, 2]).all()
    assert (found.flags[5, 2] == Flag.EMPTY).all() and np.isfinite(found.flux_density).sum() == (
        40 * 24 - 4)


def test_the_last_integration_of_a_grid_that_is_too_short_is_left_out(tmp_path):
    flux, number, _ = noise(T=30)
    found = read_dynspecms(file_of_dynspecms(tmp_path, flux, weights=number, squares=number,
                                             after=1))
    assert len(found.spectrum.time) == 29
    assert any("last integration is left out" in note for note in found.notes)


def test_without_weights_all_cells_are_alike_and_that_is_said(tmp_path):
    flux, _, _ = noise()
    found = read_dynspecms(file_of_dynspecms(tmp_path, flux))
    assert np.ptp(found.spectrum.sigma[:, 0, 0]) == 0
    assert any("no file of weights" in note for note in found.notes)


def test_a_burst_in_v_is_found_and_noise_is_not(tmp_path):
    flux, number, sigma = noise(F=4)
    quiet = read_dynspecms(file_of_dynspecms(tmp_path, flux, weights=number, squares=number))
    assert len(detect(quiet.spectrum, DetectSettings())) == 0
    flux[50:54, :, 3] -= 6 * sigma[50:54]
    found = read_dynspecms(file_of_dynspecms(tmp_path, flux, weights=number, squares=number,
                                             name="burst")).spectrum
    events = detect(found, DetectSettings())
    assert [str(event["polarization"]) for event in events] == ["-V"]
    assert START.mjd + 49 * STEP / 86400 < events["peak_time"][0] < START.mjd + 54 * STEP / 86400


def test_targets_come_before_off_source_directions(tmp_path):
    flux, number, _ = noise(T=20)
    file_of_dynspecms(tmp_path, flux, weights=number, kind="Off", name="Off0001", part="OFF")
    path = file_of_dynspecms(tmp_path, flux, weights=number)
    assert [found.name for found in spectra_in(tmp_path)] == [path.name, "Off0001.fits"]
    assert read_dynspecms(spectra_in(tmp_path)[1]).spectrum.meta["role"] == "off source"
    with pytest.raises(FormatError, match="has no TARGET"):
        spectra_in(tmp_path / "TARGET")


def test_weights_and_other_fits_files_are_refused_in_a_line(tmp_path):
    flux, number, _ = noise(T=20)
    file_of_dynspecms(tmp_path, flux, weights=number)
    with pytest.raises(FormatError, match="does not hold I, Q, U and V"):
        read_dynspecms(tmp_path / "TARGET_W" / "ADLeo.W.fits")
    fits.writeto(tmp_path / "other.fits", np.zeros((3, 3)))
    assert not is_dynspecms(tmp_path / "other.fits")
    with pytest.raises(FormatError, match="its header has no OBS-STAR"):
        read_dynspecms(tmp_path / "other.fits")
