"""Command line over file over default, one name for all three, and errors that name the nearest."""

import argparse
from dataclasses import dataclass

import pytest

from visds.core.errors import SettingsError
from visds.core.quantities import seconds
from visds.core.settings import Parser, setting


@dataclass(frozen=True)
class FirstSettings:
    """A stage."""

    wait: float = setting("10s", "how long, 100 % of it", parse=seconds, metavar="TIME")
    names: tuple[str, ...] = setting(None, "names", many=True)
    planets: tuple[str, ...] = setting(("Mars", "Venus"), "planets", many=True)


@dataclass(frozen=True)
class SecondSettings:
    """Another stage."""

    colour: str | None = setting(None, "colour", choices=("red", "blue"))
    loud: bool = setting(False, "noise")
    polite: bool = setting(True, "manners")
    count: int | None = setting(None, "how many", parse=int, short="-c")
    rate_of_decay: float = setting("0.5", "how fast", parse=float)


STAGES = {"first": FirstSettings, "second": SecondSettings}


def parse(*arguments):
    return Parser("visds-test", "A test.", STAGES).parse(list(arguments))[1]


def test_defaults_are_parsed_as_if_a_user_had_written_them():
    settings = parse()
    assert settings["first"] == FirstSettings(wait=10.0, names=(), planets=("Mars", "Venus"))
    assert settings["second"] == SecondSettings(colour=None, loud=False, polite=True, count=None)
    assert FirstSettings().wait == 10.0


def test_the_command_line_wins_over_the_file_and_the_file_over_the_default(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('[first]\nwait = "2min"\nnames = ["a", "b"]\n[second]\ncolour = "red"\n'
                    "loud = true\npolite = false\n")
    settings = parse("--settings", str(file), "--colour", "blue", "--no-loud")
    assert settings["first"].wait == 120
    assert settings["first"].names == ("a", "b")
    assert settings["second"] == SecondSettings(colour="blue", loud=False, polite=False)


def test_settings_of_a_run_that_is_named_stand_in_the_place_of_defaults_only(tmp_path):
    parser = Parser("visds-test", "A test.", STAGES)
    parser.argparse.add_argument("run")
    file = tmp_path / "settings.toml"
    file.write_text('[second]\ncolour = "red"\n')
    runs = {"mine": {"first": {"wait": "3s", "names": ["a"]}, "second": {"colour": "blue"},
                     "other": {"key": 1}}}
    _, settings = parser.parse(["mine", "--names", "b", "--settings", str(file)],
                               lambda arguments: runs[arguments.run])
    assert settings["first"] == FirstSettings(wait=3.0, names=("b",), planets=("Mars", "Venus"))
    assert settings["second"].colour == "red"
    assert settings.written()["first"]["wait"] == "3s"


@pytest.mark.parametrize("arguments", [
    [], ["--wait", "3min", "--names", "x", 'a "quoted\\name"', "--loud", "--no-polite"],
    ["--colour", "red", "-c", "3", "--wait=-5s"]])
def test_the_written_settings_give_exactly_these_settings_again(tmp_path, arguments):
    settings = parse(*arguments)
    file = tmp_path / "effective.toml"
    file.write_text(settings.to_toml())
    again = parse("--settings", str(file))
    assert dict(again) == dict(settings)
    assert again.to_toml() == settings.to_toml()


def test_a_list_that_was_emptied_stays_empty_when_written_and_read_again(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("[first]\nplanets = []\n")
    settings = parse("--settings", str(file))
    assert settings["first"].planets == ()
    file.write_text(settings.to_toml())
    assert parse("--settings", str(file))["first"].planets == ()


def test_an_option_of_several_values_adds_up_when_it_is_repeated(tmp_path):
    settings = parse("--names", "a", "b", "--wait", "3s", "--names=c d", "--planets", "Earth")
    assert settings["first"].names == ("a", "b", "c d")
    assert settings["first"].planets == ("Earth",)
    file = tmp_path / "a.toml"
    file.write_text('[first]\nnames = "one alone"\n')
    assert parse("--settings", str(file))["first"].names == ("one alone",)
    assert parse("--settings", str(file), "--names", "x")["first"].names == ("x",)


def test_an_argument_behind_an_option_of_several_values_is_told_where_to_stand():
    parser = Parser("visds-test", "A test.", STAGES)
    parser.argparse.add_argument("measurement_set", metavar="MS")
    with pytest.raises(SettingsError, match="required: MS: --names takes all words that follow it"):
        parser.parse(["--names", "a", "star.ms", "--loud"])
    assert parser.parse(["star.ms", "--names", "a"])[0].measurement_set == "star.ms"
    with pytest.raises(SettingsError, match=r"required: MS \(see"):
        parser.parse(["--loud"])


def test_dashes_and_underscores_name_the_same_key(tmp_path):
    @dataclass(frozen=True)
    class Stage:
        """A stage."""

        long_name: str = setting("a", "text")

    file = tmp_path / "a.toml"
    parser = Parser("visds-test", "", {"stage": Stage})
    for key in ("long_name", "long-name"):
        file.write_text(f'[stage]\n{key} = "b"\n')
        assert parser.parse(["--settings", str(file)])[1]["stage"].long_name == "b"
    assert parser.parse(["--long-name", "c"])[1]["stage"].long_name == "c"


@pytest.mark.parametrize("arguments", [["--wait", "-2.7255s"], ["--wait=-2.7255s"],
                                       ["--wait", "-2.7255"], ["--wait", "-.5min"]])
def test_a_negative_quantity_is_a_value_and_not_an_option(arguments):
    assert parse(*arguments)["first"].wait < 0


@pytest.mark.parametrize(("arguments", "message"), [
    (["--wiat", "3s"], "unknown option --wiat; did you mean '--wait'"),
    (["--wait", "3parsec"], "--wait: unit 'parsec'"),
    (["--wait"], "--wait.*expected one argument.*--help"),
    (["--colour", "green"], "--colour: 'green' is not one of red, blue"),
    (["--colou", "red"], "unknown option --colou"),
    (["--names=-3mJy", "3mJy"], "--names: with '=' it takes one value, .* --names -3mJy 3mJy"),
    (["--wait=3s", "4s"], "'4s' is one word too many"),
    (["-c", "many"], "--count: "),
    (["--settings", "/nowhere/a.toml"], "cannot read settings file /nowhere/a.toml: No such file"),
])
def test_a_command_line_that_cannot_be_used_is_one_line(arguments, message):
    with pytest.raises(SettingsError, match=message) as caught:
        parse(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "message"), [
    ("[frist]\nwait = 3\n", r"unknown table \[frist\]; did you mean 'first'"),
    ("[first]\nwiat = 3\n", r"unknown key 'wiat' in \[first\]; did you mean 'wait'"),
    ("[first]\nzzz = 3\n", r"unknown key 'zzz' in \[first\]; known are wait, names, planets"),
    ("first = 3\n", r"'first' must be a table, written \[first\]"),
    ('[first]\nwait = "3parsec"\n', r"a.toml: \[first\] wait: unit 'parsec'"),
    ('[second]\nloud = "true"\n', r"\[second\] loud: must be true or false, not 'true'"),
    ("[first\n", "is not a TOML file"),
    ("\xff", "is not a TOML file"),
])
def test_a_settings_file_that_cannot_be_used_is_one_line_that_names_it(tmp_path, text, message):
    file = tmp_path / "a.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match=message) as caught:
        parse("--settings", str(file))
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_help_names_every_option_with_its_default(capsys):
    with pytest.raises(SystemExit) as ended:
        parse("--help")
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for part in ("--wait TIME", "(default: 10s)", "100 % of it", "--colour red|blue", "--no-loud",
                 "-c COUNT", "(default: Mars, Venus)", "every program", "--settings FILE.toml",
                 "--no-polite manners (default: on)", "--rate-of-decay DECAY"):
        assert part in " ".join(text.split()), part


def test_a_settings_mapping_holds_the_stages():
    settings = parse()
    assert len(settings) == 2 and list(settings) == ["first", "second"]
    assert settings.written("second") == {
        "second": {"colour": None, "loud": False, "polite": True, "count": None,
                   "rate_of_decay": "0.5"}}
    assert isinstance(Parser("x", "", STAGES).argparse, argparse.ArgumentParser)


def test_several_values_that_begin_with_a_minus_sign_are_taken_as_they_are():
    assert parse("--names", "-3mJy", "3mJy")["first"].names == ("-3mJy", "3mJy")


def test_tables_of_another_program_are_left_out_with_a_line_that_says_so(tmp_path, capsys):
    file = tmp_path / "a.toml"
    parser = Parser("visds-test", "", STAGES, foreign=("read", "first"))
    file.write_text("[read]\nfield = 3\n[second]\nloud = true\n")
    assert parser.parse(["--settings", str(file)])[1]["second"].loud
    assert capsys.readouterr().err == f"visds-test: not used of {file}: [read]\n"
    file.write_text("[raed]\nfield = 3\n")
    with pytest.raises(SettingsError, match=r"unknown table \[raed\]; did you mean 'read'"):
        parser.parse(["--settings", str(file)])
    file.write_text("[read]\nfield = 3\n[first]\nwiat = 3\n")
    with pytest.raises(SettingsError, match="unknown key 'wiat'"):
        parser.parse(["--settings", str(file)])
