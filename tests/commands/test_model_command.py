"""visds-model says in one line what it cannot do."""

import pytest

from visds.commands.model import main


def error_of(capsys, *arguments):
    assert main([str(argument) for argument in arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(("options", "expected"), [
    (("--size", "12"), "--size: '12' is not a number of pixels from 64 to 32768"),
    (("--cell", "3"), "--cell: '3' needs a unit"),
    (("--field-width", "-1deg"), "--field-width: '-1deg' is not a positive angle"),
    (("--taylor-terms", "7"), "--taylor-terms: '7' is not a number of Taylor terms from 1 to 4"),
    (("--robust", "5"), "--robust: '5' is not a robustness from -2 to 2"),
    (("--niter", "many"), "--niter: 'many' is not a number of iterations"),
    (("--clean-sigma", "0"), "--clean-sigma: '0' is not a positive number"),
    (("--clean-scales", "5px"), "--clean-scales: '5px' is not a scale"),
    (("--clean-mask", "all"), "--clean-mask: 'all' is not one of auto, none"),
    (("--colunm", "DATA"), "did you mean '--column'?"),
])
def test_options_that_cannot_be_used_are_named(options, expected, capsys, tmp_path):
    assert expected in error_of(capsys, tmp_path / "obs.ms", *options)


def test_a_folder_that_is_none_or_in_the_data_is_refused(simulated, capsys, tmp_path):
    made = simulated().measurement_set
    assert "does not exist" in error_of(capsys, tmp_path / "nowhere.ms")
    assert "-o OUT is missing" in error_of(capsys, tmp_path / "nowhere.set")
    assert "which is only read" in error_of(capsys, made, "-o", made / "model")
    assert "which is only read" in error_of(capsys, made, "-o", tmp_path / "out",
                                            "--scratch", made / "scratch")


def test_products_of_another_program_are_not_mixed_with(simulated, capsys, tmp_path):
    (tmp_path / "provenance.json").write_text("{}")
    error = error_of(capsys, simulated().measurement_set, "-o", tmp_path)
    assert "holds the products of another program" in error


def test_a_scratch_copy_that_has_no_room_is_refused_before_it_is_made(simulated, capsys, tmp_path,
                                                                      monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("visds.imaging.field_model.shutil.disk_usage", lambda path: usage)
    error = error_of(capsys, simulated().measurement_set, "-o", tmp_path / "out")
    assert "give another folder with --scratch" in error
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["log.txt"]
