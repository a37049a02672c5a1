"""visds-match from the command line: its files, its summary, its errors."""

import numpy as np
import pytest
from astropy.table import Table

from visds.commands.match import main
from visds.dynspec.detection.columns import empty_table


@pytest.fixture
def star(tmp_path):
    """Return the folder of a detection of Barnard's star in 2030 and of its catalogue of 2000."""
    detections = Table({"name": ["burst"], "ra": [269.4453667], "dec": [4.7797418]},
                       meta={"epoch_jyear": 2030.0})
    detections.write(tmp_path / "detections.ecsv")
    (tmp_path / "stars.csv").write_text(
        "main_id,ra,dec,pmra,pmdec,ref_epoch,G\n"
        "Barnard's star,269.45207,4.69339,-801.551,10362.394,2000.0,8.2\n"
        "bystander,269.4460,4.7797,0,0,2000.0,15.1\n")
    return tmp_path


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_a_star_that_was_quiet_matches_nothing_and_is_no_error(star, capsys):
    empty_table().write(star / "quiet.ecsv")
    output = star / "matches.ecsv"
    code, out, err = run(capsys, star / "quiet.ecsv", "--catalogue", star / "stars.csv",
                         "-o", output)
    assert (code, err) == (0, "")
    assert "no sources, no matches" in out
    assert len(Table.read(output)) == 0


def test_a_catalogue_without_a_row_is_an_error(star, capsys):
    Table({"name": ["x"], "ra": [1.0], "dec": [1.0]})[:0].write(star / "none.ecsv")
    code, _, err = run(capsys, star / "none.ecsv", "--catalogue", star / "stars.csv")
    assert code == 2
    assert "none.ecsv has no rows" in err


def test_detections_bring_their_epoch_and_find_the_moving_star(star, capsys):
    output = star / "matches.ecsv"
    code, out, err = run(capsys, star / "detections.ecsv", "--catalogue", star / "stars.csv",
                         "--radius", "5arcsec", "--carry", "G", "-o", output)
    assert (code, err) == (0, "")
    assert "epoch 2030.000, radius 5 arcsec" in out
    table = Table.read(output)
    assert table["right_name"].tolist() == ["Barnard's star", "bystander"]
    assert table["separation_arcsec"][0] < 0.01
    assert table["best"].tolist() == [True, False]
    assert table["right_G"].tolist() == [8.2, 15.1]
    assert table.meta["epoch_jyear"] == 2030.0


def test_what_detections_say_of_their_position_is_said_of_their_matches(star, capsys):
    table = Table.read(star / "detections.ecsv")
    table.meta["position"] = "assumed: direction of the target, not measured"
    table.write(star / "detections.ecsv", overwrite=True)
    code, out, _ = run(capsys, star / "detections.ecsv", "--catalogue", star / "stars.csv",
                       "-o", star / "matches.ecsv")
    assert code == 0
    assert "detections.ecsv: position assumed: direction of the target, not measured" in out
    assert Table.read(star / "matches.ecsv").meta["left_position"].startswith("assumed")


def test_an_epoch_on_the_command_line_wins(star, capsys):
    code, out, _ = run(capsys, star / "detections.ecsv", "--catalogue", star / "stars.csv",
                       "--epoch", "2000-01-01", "--radius", "5arcsec")
    assert code == 0
    assert "epoch 1999.999" in out
    assert "bystander" in out
    assert "Barnard" not in out


@pytest.mark.parametrize("suffix", ["ecsv", "csv", "fits", "vot", "xml"])
def test_every_output_format_holds_the_same_matches(shared_data, tmp_path, capsys, suffix):
    folder = shared_data / "catalogues"
    output = tmp_path / f"matches.{suffix}"
    code, out, err = run(
        capsys, folder / "vlass_cat_test_components.csv", "--left-columns",
        "ra_error=E_RA:deg,dec_error=E_DEC:deg", "--catalogue",
        f"nvss={folder / 'vlass_cat_test_nvss.fits'}",
        f"first={folder / 'vlass_cat_test_first.fits'}", "--carry", "FLDNAME", "YEAR",
        "--radius", "15arcsec", "-o", output)
    assert (code, err) == (0, "")
    assert f"{output}: 1265 matches" in out
    format = {"vot": "votable", "xml": "votable"}.get(suffix)
    table = Table.read(output, format=format)
    assert len(table) == 1265
    names = np.array([name.decode() if isinstance(name, bytes) else name
                      for name in table["catalogue"]])
    assert (names == "nvss").sum() == 494
    assert np.max(table["separation_arcsec"]) <= 15.0


def test_the_summary_counts_pairs_sources_and_chance_and_says_what_was_assumed(shared_data, capsys):
    folder = shared_data / "catalogues"
    code, out, _ = run(capsys, folder / "vlass_cat_test_first.fits", "--catalogue",
                       f"nvss={folder / 'vlass_cat_test_nvss.fits'}")
    assert code == 0
    row = next(line for line in out.splitlines() if line.startswith("nvss "))
    assert row.split()[:4] == ["nvss", "562", "519", "519"]
    # 998 sources times 41 NVSS sources a square degree times pi (15 arcsec)^2.
    assert float(row.split()[4]) == pytest.approx(2.2, rel=0.5)
    assert "note: nvss: all sources have no position error and are given 1 arcsec" in out
    assert "... and 499 more; -o FILE writes all" in out


def test_options_come_from_a_settings_file_too(star, capsys):
    settings = star / "match.toml"
    settings.write_text(f'[left]\nepoch = 2000.0\n[match]\ncatalogue = ["{star}/stars.csv"]\n'
                        'radius = "5arcmin"\ncolumns = ["epoch=2000.0"]\n')
    code, out, _ = run(capsys, star / "detections.ecsv", "--settings", settings)
    assert code == 0
    assert "radius 300 arcsec" in out


@pytest.mark.parametrize(("arguments", "message"), [
    (["detections.ecsv"], "--catalogue is missing"),
    (["none.ecsv", "--catalogue", "stars.csv"], "none.ecsv: No such file"),
    (["detections.ecsv", "--catalogue", "stars.csv", "-o", "x.png"], "cannot tell the format"),
    (["detections.ecsv", "--catalogue", "stars.csv", "-o", "stars.csv"], "would be overwritten"),
    (["detections.ecsv", "--catalogue", "stars.csv", "--radius", "3parsec"], "--radius: unit"),
    (["detections.ecsv", "--catalogue", "stars.csv", "--epoch", "now"], "--epoch: 'now' is not"),
    (["detections.ecsv", "--catalogue", "stars.csv", "--radus", "3"], "did you mean '--radius'"),
    (["detections.ecsv", "--catalogue", "stars.csv", "--best-by", "looks"], "--best-by: 'looks'"),
    (["detections.ecsv", "--catalogue", "stars.csv", "--density-neighbours", "2"], "at least 5"),
    (["detections.ecsv", "--catalogue", "stars.csv", "--columns", "ra=x,dec=dec"], "no column 'x'"),
    (["detections.ecsv", "--catalogue", "stars.csv", "--columns", "x:ra=a,dec=b"],
     "for no catalogue"),
    (["detections.ecsv", "--catalogue", "stars.csv", "--columns", "ra=RA_J"],
     "--columns: a column mapping must name both"),
    (["detections.ecsv", "--catalogue", "stars.csv", "--left-columns", "ra=RA_J"],
     "--left-columns: a column mapping must name both"),
    (["detections.ecsv", "--catalogue", "stars.csv", "-o", "no/where.csv"], "cannot write")])
def test_a_mistake_is_one_line_and_exit_code_2(star, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(star)
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert err.startswith("visds-match: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert "matches" not in out


def test_an_unknown_chance_probability_has_its_reason_in_the_summary_and_in_the_table(
        star, capsys):
    code, out, _ = run(capsys, star / "detections.ecsv", "--catalogue", star / "stars.csv",
                       "--radius", "5arcsec", "-o", star / "matches.ecsv")
    assert code == 0
    assert next(line for line in out.splitlines() if line.startswith("stars ")).split()[-1] \
        == "unknown"
    reason = ("the chance probability is unknown for 1 of 1 sources: fewer than 3 places of the "
              "catalogue's sources lie beyond the search radius (it has 2)")
    assert f"note: stars: {reason}" in out
    table = Table.read(star / "matches.ecsv")
    assert table.meta["unknown_chance"] == {"stars": reason}
    assert np.isnan(table["chance_probability"]).all()
    assert "NaN where fewer than 3" in table["chance_probability"].description


def test_a_known_chance_probability_has_no_reason(shared_data, tmp_path, capsys):
    folder = shared_data / "catalogues"
    _, out, _ = run(capsys, folder / "vlass_cat_test_first.fits", "--catalogue",
                    folder / "vlass_cat_test_nvss.fits", "-o", tmp_path / "matches.ecsv")
    assert "unknown" not in out
    assert "unknown_chance" not in Table.read(tmp_path / "matches.ecsv").meta
