"""The help of an option whose values have a unit says what a number without one is."""

import contextlib
import dataclasses

import pytest

from visds.commands.match import LeftSettings
from visds.commands.plot import SelectSettings
from visds.core.errors import SettingsError
from visds.core.settings import Parser
from visds.crossmatch.settings import MatchSettings
from visds.dynspec.plots.settings import PlotSettings
from visds.run_settings import STAGES as RUN_STAGES
from visds.visibility.simulation.settings import STAGES as SIMULATION_STAGES

PROGRAMS = {
    "visds-run": RUN_STAGES,
    "visds-plot": {"select": SelectSettings, "plot": PlotSettings},
    "visds-match": {"left": LeftSettings, "match": MatchSettings},
    "visds-simulate": SIMULATION_STAGES}
UNITS = ("s", "MHz", "deg", "arcsec", "Jy", "m", "klambda", "MB")


def takes(option, text):
    """Return whether an option can be given a value."""
    with contextlib.suppress(SettingsError):
        option.parsed([text] if option.many else text)
        return True
    return False


def options_with_units(program):
    for stage in PROGRAMS[program].values():
        for field in dataclasses.fields(stage):
            option = field.metadata["option"]
            if not takes(option, "any text") and any(takes(option, f"7{unit}") for unit in UNITS):
                yield field.name.replace("_", "-"), option


@pytest.mark.parametrize(("program", "some"), [
    ("visds-run", ("uv-min", "time-offset", "chunk-size", "clip-v", "time-bin", "channel-bin",
                   "maximum-duration", "minimum-bandwidth", "radius", "deadline", "curve-bin")),
    ("visds-plot", ("time-bin", "channel-bin", "curve-bin", "mark-flux")),
    ("visds-match", ("radius", "position-error", "systematic-error")),
    ("visds-simulate", ("scan-length", "noise", "channel-width", "radius", "quiescent"))])
def test_what_a_bare_number_is_stands_in_the_help(program, some):
    actions = Parser(program, "", PROGRAMS[program]).argparse._option_string_actions
    found = dict(options_with_units(program))
    assert set(some) <= set(found)
    for name, option in found.items():
        said = actions[f"--{name}"].help
        if takes(option, "7"):
            assert "a bare number is " in said, name
            assert "a bare number is refused" not in said, name
        else:
            with pytest.raises(SettingsError, match=r"unit|written") as caught:
                option.parsed(["7"] if option.many else "7")
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("program", "option", "text"), [
    ("visds-match", "radius", "15"), ("visds-run", "radius", "15"),
    ("visds-simulate", "radius", "15"), ("visds-run", "deadline", "30"),
    ("visds-run", "uv-min", "500"), ("visds-simulate", "channel-width", "4"),
    ("visds-plot", "mark-flux", "5")])
def test_a_bare_number_that_could_be_several_things_is_refused(program, option, text):
    with pytest.raises(SettingsError, match=f"--{option}: .*(unit|written)"):
        Parser(program, "", PROGRAMS[program]).parse([f"--{option}", text])


def test_a_bare_bin_is_a_count_and_one_with_a_unit_a_width():
    parser = Parser("visds-plot", "", PROGRAMS["visds-plot"])
    chosen = parser.parse(["--time-bin", "30", "--channel-bin", "4MHz"])[1]["select"]
    assert (chosen.time_bin.count, chosen.time_bin.width) == (30, None)
    assert (chosen.channel_bin.count, chosen.channel_bin.width) == (None, 4e6)
