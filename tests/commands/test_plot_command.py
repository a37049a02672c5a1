"""visds-plot: from products alone to pictures, or one line that says why not."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from spectra import spectrum

from visds.commands.plot import RUN_TABLES, SelectSettings, main, select
from visds.core.errors import SettingsError
from visds.core.quantities import Bin
from visds.dynspec.cuts import CutSettings, cut_cells
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.flag_region import channel_range, flag_region
from visds.dynspec.plots.colour import MASKED
from visds.dynspec.spectra_file import write_spectra
from visds.run_settings import STAGES

SMALL = ["--picture-resolution", "50"]
KELVIN = ["--flux-unit", "K", "--stellar-radius", "0.4", "--stellar-distance", "5"]


@pytest.fixture
def products(tmp_path):
    """Return a folder with a dynamic spectrum of two scans and its detections."""
    truth = np.zeros((24, 6, 4))
    truth[5:9, :, 0] = 1.0
    truth[5:9, :, 3] = -0.6
    data = spectrum(truth, sigma=0.02, scans=(4, 5), start_mjd=59000.5)
    data.write(tmp_path / "dynspec.h5")
    table = Table({"start": [data.time[5]], "stop": [data.time[8]], "band_low": [550e6],
                   "band_high": [555e6], "polarization": ["I"]})
    table.write(tmp_path / "detections.ecsv")
    return tmp_path


def test_the_usual_pictures_are_drawn_beside_the_products(products, capsys):
    assert main([str(products), *SMALL]) == 0
    names = ["dynspec_I.png", "dynspec_V.png", "dynspec_VI.png", "lightcurve.png", "overview.png"]
    assert capsys.readouterr().out.split() == [str(products / "plots" / name) for name in names]
    assert sorted(path.name for path in (products / "plots").iterdir()) == names


def test_every_plot_can_be_named_and_goes_to_the_folder_asked_for(products, tmp_path):
    plots = ["I", "Q", "V", "V/I", "RR", "LL", "imaginary", "sigma", "snr:V", "lightcurve"]
    assert main([str(products / "dynspec.h5"), *SMALL, "-o", str(tmp_path / "figures"),
                 "--time-bin", "30s", "--channel-bin", "2", "--band", "550-553MHz",
                 "--picture-format", "png", "pdf", "--picture-width", "single",
                 "--plots", *plots]) == 0
    assert len(list((tmp_path / "figures").iterdir())) == 20
    assert not (products / "plots").exists()


def test_settings_may_come_from_a_file(products, tmp_path):
    (tmp_path / "s.toml").write_text('[select]\nscans = [4]\n[plot]\nplots = ["V"]\n'
                                     'colour_limit = ["V=0.5Jy"]\npicture_resolution = 50\n')
    assert main([str(products), "--settings", str(tmp_path / "s.toml")]) == 0
    assert [path.name for path in (products / "plots").iterdir()] == ["dynspec_V.png"]


def test_the_selection_flags_first_and_bins_last():
    data = spectrum(np.ones((24, 6, 4)), sigma=0.02, scans=(4, 5), start_mjd=59000.5)
    chosen, lines = select(data, SelectSettings(
        scans=(5,), band=(550.5e6, 554.5e6), time_bin=Bin(count=6), channel_bin=Bin(count=2),
        flag_region=(flag_region("scan=5,channels=2"),), flag_channels=(channel_range("4"),)))
    assert chosen.flags.shape == (2, 2, 4) and set(chosen.scan) == {5}
    np.testing.assert_allclose(chosen.frequency, [551.5e6, 553.5e6])
    # Each bin of 2 channels has lost one to a flag: indices are those of the product.
    np.testing.assert_array_equal(chosen.count, 6 * 50)
    assert lines[:2] == ["--flag-region: flagged 12 of 144 cells",
                         "--flag-channels: flagged 24 of 132 cells"]


def test_scans_and_bands_that_are_not_there_are_errors():
    data = spectrum(np.ones((4, 6, 4)), scans=(4, 5))
    with pytest.raises(SettingsError, match=r"scan 6 is not in the spectrum \(scans 4, 5\)"):
        select(data, SelectSettings(scans=(6,)))
    with pytest.raises(SettingsError, match="no channel between 1000 and 2000 MHz"):
        select(data, SelectSettings(band=(1e9, 2e9)))


@pytest.mark.parametrize(("options", "message"), [
    (["--plots", "XX"],
     "'XX' needs XX, which is not in this spectrum (it holds I, Q, U, V, RR, LL)"),
    (["--plots", "W"], "--plots: 'W' is not a plot, which is I, Q, U, V"),
    (["--flag-region", "scan=9"], "--flag-region: scan 9 is not in the spectrum (scans 4, 5)"),
    (["--flag-channels", "40"], "--flag-channels: channels 40-40 are not in the spectrum"),
    (["--mask-above", "V/I=80"],
     "--mask-above: 'V/I=80' is 8000 %, and a fraction is at most 100 %: written V/I=80% or"),
    (["--flux-range=-3mJy", "3mJy"], "leave the '=' out, as in --flux-range -3mJy 3mJy"),
    (["--plots", "lightcurves"], "did you mean 'lightcurve'?"),
    (["--flag-region", "time=03:31-03:30"],
     "--flag-region: 'time=03:31-03:30': 03:31:00.000 is after 03:30:00.000, and no midnight"),
    ([*KELVIN, "--plots", "I", "--colour-limit", "5mJy"],
     "--colour-limit: a level in Jy does not fit a picture in K (--flux-unit K)"),
    (["--mask-above", "I=5MK"], "--mask-above: 'I=5MK' is not a limit, written 5mJy (any Stokes"),
    (["--mask-below", "V=0Jy"], "--mask-below: 'V=0Jy' is not a lower limit of I, written I=0Jy"),
    (["--expected-sign", "0"], "--expected-sign: '0' is not a sign, +1 or -1"),
    (["--least-polarization", "4"], "'4' is not a percentage up to 100%, such as 4%"),
    ([*KELVIN, "--plots", "lightcurve", "--mark-flux", "5mJy"], "--mark-flux: a level in Jy"),
    ([*KELVIN, "--plots", "lightcurve", "--flux-range", "0Jy", "5Jy"], "--flux-range: a level in"),
    (["--time-bin", "20MHz"], "give a duration such as 10s or a count of integrations"),
    (["--flag-region", "scn=4"],
     "--flag-region: 'scn=4' is not a region, written scan=3,time=05:10-05:20,channels=10-20,v="),
    (["--flag-channels", "3-x"], "--flag-channels: '3-x' is not a range, written 12, 10-20"),
    (["--band", "550"], "--band: '550' is not a range, written 550-560MHz"),
    (["--scans", "one"], "--scans: 'one' is not a scan number"),
    (["--colour-limit", "5"], "--colour-limit: '5' is not a level, written 5mJy"),
    (["--flux-unit", "K"], "needs --stellar-radius and --stellar-distance"),
    (["--plot-tag", "a/b"], "--plot-tag: 'a/b' cannot be a part of a file name"),
    (["--time-bins", "10s"], "unknown option --time-bins; did you mean '--time-bin'?")])
def test_what_cannot_be_used_is_one_line_and_exit_code_2(products, capsys, options, message):
    assert main([str(products), *SMALL, *options]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and error.startswith("visds-plot: error: ")


@pytest.mark.parametrize(("name", "text", "message"), [
    ("detections.ecsv", "nonsense", "detections.ecsv cannot be read as an ECSV table"),
    ("detections.ecsv", "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: int64}\na\n1\n",
     "detections.ecsv has no column start"),
    ("dynspec.h5", "nonsense", "dynspec.h5 is not a readable HDF5 file")])
def test_products_that_cannot_be_read_are_named(products, capsys, name, text, message):
    (products / name).write_text(text)
    assert main([str(products), *SMALL]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_product_is_named(tmp_path, capsys):
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "nowhere does not exist (expected a folder made by visds-run)" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 2
    assert (f"{tmp_path} is not a folder that visds-run finished: it holds no dynspec.h5"
            in capsys.readouterr().err)


def test_the_launcher_runs_the_program():
    launcher = Path(__file__).resolve().parents[2] / "bin" / "visds-plot"
    done = subprocess.run([sys.executable, launcher, "--help"], capture_output=True, text=True,
                          check=True)
    assert "--colour-by-polarization" in done.stdout


def test_a_mistake_is_told_before_what_draws_is_imported():
    program = ("import sys; from visds.commands.plot import main; assert main(['nowhere']) == 2; "
               "assert not {'matplotlib', 'numba', 'scipy', 'astropy'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_run_that_is_not_finished_and_a_measurement_set_are_told(products, tmp_path, capsys):
    assert main([str(products), *SMALL, "--plots", "I"]) == 0 and not capsys.readouterr().err
    (products / "settings.toml").touch()
    assert main([str(products), *SMALL, "--plots", "I"]) == 0
    assert capsys.readouterr().err == (
        f"visds-plot: warning: the run in {products} was not finished\n")
    (products / "dynspec.h5").unlink()
    assert main([str(products)]) == 2
    assert "is not finished: give the same visds-run command again" in capsys.readouterr().err
    (tmp_path / "table.dat").touch()
    assert main([str(tmp_path)]) == 2
    assert "is a measurement set: run visds-run first" in capsys.readouterr().err


def test_a_time_outside_the_data_is_told_and_one_inside_is_not(products, capsys):
    assert main([str(products), *SMALL, "--plots", "I", "--mark-time", "12:00:30",
                 "2020-06-01T12:00", "13:30:01.5"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"visds-plot: warning: --mark-time {time} is outside the data and not marked"
        for time in ("2020-06-01T12:00:00.000", "13:30:01.500")]


@pytest.mark.parametrize(("options", "lines"), [
    (["--time-bin", "3", "--channel-bin", "2MHz"],
     ["time bins of 3 integrations of 10 s (30 s)",
      "channel bins of 2 MHz (2 channels of 1 MHz)"]),
    (["--time-bin", "32s"], ["time bins of 32 s (3.2 integrations of 10 s), most of 30 s"]),
    (["--time-bin", "1h"], ["time bins of 3600 s (360 integrations of 10 s), most of 120 s"]),
    (["--time-bin", "5s"], ["time bins of 5 s (0.5 integrations of 10 s): nothing is averaged"]),
    (["--channel-bin", "1"], ["channel bins of 1 channel of 1 MHz (1 MHz)"])])
def test_what_was_understood_of_a_bin_is_told(products, capsys, options, lines):
    assert main([str(products), *SMALL, "--plots", "I", *options]) == 0
    out, err = capsys.readouterr()
    assert err.splitlines() == [f"visds-plot: {line}" for line in lines]
    assert out.split() == [str(products / "plots" / "dynspec_I.png")]


@pytest.mark.parametrize(("options", "lines"), [
    (["--flag-region", "scan=4", "time=05:10-05:20"],
     ["warning: --flag-region time=05:10-05:20 selects no cell",
      "--flag-region: flagged 72 of 144 cells"]),
    (["--flag-region", "scan=4", "scan=5"],
     ["--flag-region: flagged 144 of 144 cells", "warning: there is no unflagged data to draw"]),
    (["--flag-region", "scan=4,channels=0-2", "--flag-channels", "2-3"],
     ["--flag-region: flagged 36 of 144 cells", "--flag-channels: flagged 36 of 108 cells"]),
    (["--flag-region", "scan=4", "--scans", "4"],
     ["--flag-region: flagged 72 of 144 cells", "warning: there is no unflagged data to draw"])])
def test_what_was_flagged_is_told(products, capsys, options, lines):
    assert main([str(products), *SMALL, "--plots", "I", *options]) == 0
    assert capsys.readouterr().err.splitlines() == [f"visds-plot: {line}" for line in lines]


def test_columns_of_several_integrations_are_told(tmp_path, capsys):
    spectrum(np.ones((60, 4, 4)), scans=(1, 2), gap=40000.0).write(tmp_path / "dynspec.h5")
    for options, lines in (
            (["--plots", "V"], []), (["--plots", "lightcurve", "--gaps", "scale"], []),
            (["--plots", "V", "lightcurve", "--gaps", "scale", "--picture-resolution", "100"],
             ["visds-plot: pictures are in columns of 8 integrations, as wide as a pixel"])):
        assert main([str(tmp_path), *options]) == 0
        assert capsys.readouterr().err.splitlines() == lines


def test_the_folder_of_the_pictures_has_the_name_of_that_of_a_run(products, tmp_path):
    assert main([str(products), *SMALL, "--plots", "I", "--out", str(tmp_path / "here")]) == 0
    assert (tmp_path / "here" / "dynspec_I.png").is_file()


def test_a_product_that_is_no_spectrum_has_a_hint(products, capsys):
    assert main([str(products / "detections.ecsv")]) == 2
    assert ("detections.ecsv is not a readable HDF5 file: give the folder that visds-run made, or "
            "its dynspec.h5") in capsys.readouterr().err


def test_a_fraction_up_to_one_is_a_level(products):
    assert main([str(products), *SMALL, "--plots", "V/I", "--mask-above", "V/I=80%",
                 "--colour-limit", "V/I=1"]) == 0


def test_the_settings_of_a_run_are_those_of_its_pictures(products, capsys):
    file = products / "run.toml"
    file.write_text('[read]\nscans = "3"\n[run]\nstream = true\n[plot]\nplots = ["V"]\n')
    assert main([str(products), *SMALL, "--settings", str(file)]) == 0
    out, err = capsys.readouterr()
    assert err == f"visds-plot: not used of {file}: [read] [run]\n"
    assert out.split() == [str(products / "plots" / "dynspec_V.png")]
    assert set(RUN_TABLES) < set(STAGES) <= {*RUN_TABLES, "plot", "variability", "cut"}


@pytest.fixture
def second(tmp_path):
    """Return the folder of a run of another night."""
    folder = tmp_path / "second night"
    folder.mkdir()
    spectrum(np.zeros((24, 6, 4)), sigma=0.02, start_mjd=59030.5).write(folder / "dynspec.h5")
    return folder


def test_several_runs_are_one_figure_a_plot(products, second, tmp_path, capsys):
    assert main([str(products), str(second), *SMALL, "--plots", "V", "lightcurve", "-o",
                 str(tmp_path / "figures"), "--light-curves", "overlaid", "--align", "phase",
                 "--period", "2.2h", "--flag-channels", "1"]) == 0
    out, err = capsys.readouterr()
    assert out.split() == [str(tmp_path / "figures" / name)
                           for name in ("dynspec_V.png", "lightcurve.png")]
    assert "second night, test star: --flag-channels: flagged 24 of 144 cells" in err
    assert main([str(products), str(second), *SMALL]) == 2
    assert "-o FOLDER is missing: where the pictures of several OUT" in capsys.readouterr().err


def test_several_targets_of_a_run_are_one_figure_a_plot(tmp_path, capsys):
    spectra = [spectrum(np.zeros((24, 6, 4)), seed=k, meta={"target": name})
               for k, name in enumerate(("one", "two", "three"))]
    write_spectra(tmp_path / "dynspec.h5", spectra)
    assert main([str(tmp_path), *SMALL, "--plots", "I", "--target", "one", "three"]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "plots" / "together" /
                                                   "dynspec_I.png")]
    assert main([str(tmp_path), *SMALL, "--plots", "I", "--target", "two"]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "plots" / "two" / "dynspec_I.png")]


def test_one_target_has_no_folder_of_its_own_whatever_off_source_directions_there_are(
        tmp_path, capsys):
    spectra = [spectrum(np.ones((6, 4, 4)), meta={"target": name, "role": role})
               for name, role in (("star", "target"), ("off_001", "off source"))]
    write_spectra(tmp_path / "dynspec.h5", spectra)
    for target, place in (([], tmp_path / "plots"),
                          (["--target", "off_001"], tmp_path / "plots" / "off_001")):
        assert main([str(tmp_path), *SMALL, "--plots", "I", *target]) == 0
        out, err = capsys.readouterr()
        assert out.split() == [str(place / "dynspec_I.png")]
        assert ("visds-plot: star, the first of 2 directions; --target names another"
                in err) == (not target)


def masked_share(path):
    """Return the share of the pixels of a picture in the colour of what is masked."""
    pixels = imread(path)[..., :3]
    return float(np.isclose(pixels, to_rgb(MASKED), atol=0.01).all(-1).mean())


def test_cuts_of_the_run_are_drawn_unless_others_or_none_are_asked_for(products, tmp_path, capsys):
    cut = cut_cells(DynamicSpectrum.read(products), CutSettings(expected_sign=1))
    cut.write(products / "dynspec.h5")
    shares = []
    for options in ([], ["--no-cuts"], ["--mask-above", "I=0.5Jy"], ["--time-bin", "4"]):
        assert main([str(products), *SMALL, "--plots", "V", "-o", str(tmp_path / "f"),
                     *options]) == 0
        shares.append(masked_share(tmp_path / "f" / "dynspec_V.png"))
    assert shares[0] > 0.2 and max(shares[1:]) < 0.01
    assert "warning: the cuts of the run are of its cells and not of wider bins" in \
        capsys.readouterr().err
    assert main([str(products), *SMALL, "--plots", "I", "-o", str(tmp_path / "f")]) == 0
    assert masked_share(tmp_path / "f" / "dynspec_I.png") < 0.01


def test_a_detection_that_a_cut_leaves_out_is_not_outlined(products, tmp_path):
    table = Table.read(products / "detections.ecsv")
    pictures = []
    for text in ("", "sign of V"):
        table["cut"] = [text]
        table.write(products / "detections.ecsv", overwrite=True)
        assert main([str(products), *SMALL, "--plots", "I", "-o", str(tmp_path / "f")]) == 0
        pictures.append((tmp_path / "f" / "dynspec_I.png").read_bytes())
    assert main([str(products), *SMALL, "--plots", "I", "-o", str(tmp_path / "f"),
                 "--no-mark-detections"]) == 0
    assert pictures[1] == (tmp_path / "f" / "dynspec_I.png").read_bytes() != pictures[0]
