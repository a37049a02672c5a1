"""Settings: one frozen dataclass a stage; command line and TOML file name the same keys.

A stage declares its options once::

    @dataclass(frozen=True)
    class AverageSettings:
        time_bin: Bin | None = setting(None, "width of a time bin, e.g. 10s or 5", parse=time_bin)

and the program that runs the stage gets ``--time-bin`` in a group of its own and the key
``time_bin`` in the table of that name of ``--settings FILE.toml``. The command line wins over the
file, the file over the default. Values are written as a user writes them (``"10s"``), and `parse`
turns them into what the stage works with.
"""

import argparse
import dataclasses
import difflib
import itertools
import re
import sys
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visds.core.errors import SettingsError
from visds.core.version import __version__


def setting(default: Any, help: str, *, parse: Callable[[Any], Any] | None = None,
            choices: Sequence[str] | None = None, metavar: str | None = None,
            many: bool = False, short: str | None = None) -> Any:
    """Declare one option of a stage as a dataclass field.

    Parameters
    ----------
    default : object
        As a user would write it; None means not given and is never parsed. False or True makes
        an on/off option ``--name/--no-name``.
    help : str
        One sentence; what a number without a unit means (`quantities.bare_number` of `parse`) and
        the default are appended.
    parse : callable, optional
        From one written value to one parsed value; raises SettingsError with the reason.
    choices : sequence of str, optional
        The only values allowed.
    metavar : str, optional
        What stands for the value in the help; by default the last word of the name.
    many : bool
        The option takes one or more values, may be given again for more, and holds a tuple.
    short : str, optional
        A second, short name of the option such as ``-n``.
    """
    written = () if many and default is None else default
    option = _Option(written, help, parse, tuple(choices or ()), metavar, many, short)
    parsed = option.parsed(written)
    if isinstance(parsed, (tuple, str, int, float, bool, type(None))):
        return dataclasses.field(default=parsed, metadata={"option": option})
    return dataclasses.field(default_factory=lambda: parsed, metadata={"option": option})


@dataclass(frozen=True)
class _Option:
    default: Any
    help: str
    parse: Callable[[Any], Any] | None
    choices: tuple[str, ...]
    metavar: str | None
    many: bool
    short: str | None

    def parsed(self, written: Any) -> Any:
        if self.many:
            values = written if isinstance(written, (list, tuple)) else [written]
            return tuple(self._parsed_one(value) for value in values)
        return self._parsed_one(written)

    def _parsed_one(self, written: Any) -> Any:
        if isinstance(self.default, bool):
            if not isinstance(written, bool):
                raise SettingsError(f"must be true or false, not {written!r}")
            return written
        if written is None:
            return None
        if self.choices and written not in self.choices:
            raise SettingsError(f"'{written}' is not one of {', '.join(self.choices)}")
        return self.parse(written) if self.parse else str(written)


def stage_settings(stage: type, of: str, written: Mapping[str, Any]) -> Any:
    """Return the settings of one stage, that `of` something, from values as a user writes them.

    Raises
    ------
    SettingsError
        For an unknown option (the nearest is named) or an unusable value.
    """
    known = {field.name: field.metadata["option"] for field in dataclasses.fields(stage)}
    parsed = {}
    for name, value in written.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            raise SettingsError(f"'{name}' is not an option of {of}" + (
                f"; did you mean '{near[0]}'?" if near else f", which are {', '.join(known)}"))
        try:
            parsed[name] = known[name].parsed(value)
        except (SettingsError, TypeError, ValueError) as error:
            raise SettingsError(f"{name}: {error}") from error
    return stage(**parsed)


class Settings(Mapping):
    """The effective settings of one program run: a stage's name to its frozen dataclass."""

    def __init__(self, stages: dict[str, Any], written: dict[str, dict[str, Any]]):
        self._stages = stages
        self._written = written

    def __getitem__(self, stage: str) -> Any:
        """Return the settings of one stage."""
        return self._stages[stage]

    def __iter__(self):
        return iter(self._stages)

    def __len__(self):
        return len(self._stages)

    def written(self, *stages: str) -> dict[str, dict[str, Any]]:
        """Return the values as a user writes them, of all or of some stages."""
        return {stage: dict(self._written[stage]) for stage in (stages or self._stages)}

    def differs(self, stage: str, name: str) -> bool:
        """Whether a setting of a stage is not the default."""
        options = {field.name: field.metadata["option"]
                   for field in dataclasses.fields(self._stages[stage])}
        return (self._written[stage][name] or None) != (options[name].default or None)

    def to_toml(self) -> str:
        """Return the text of a settings file that gives exactly these settings again."""
        lines = []
        for stage, values in self._written.items():
            lines.append(f"[{stage}]")
            for key, value in values.items():
                if value is None:
                    lines.append(f"# {key} =")
                else:
                    lines.append(f"{key} = {_toml_value(value)}")
            lines.append("")
        return "\n".join(lines)


class Parser:
    """A program's options: those of its stages, its own arguments, and those of every program.

    Parameters
    ----------
    program, description : str
        For the help.
    stages : dict
        Stage name (TOML table and help group) to settings dataclass.
    epilog : str
        Text under the help, e.g. examples.
    foreign : collection of str
        Tables of another program, which a settings file may hold and this one does not use; it
        says so in a line on standard error.
    """

    def __init__(self, program: str, description: str, stages: dict[str, type],
                 epilog: str = "", foreign: Collection[str] = ()):
        self._stages = stages
        self._foreign = foreign
        self.argparse = _ArgumentParser(
            prog=program, description=description, allow_abbrev=False,
            epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter)
        for name, stage in stages.items():
            group = self.argparse.add_argument_group(
                f"{name}", (stage.__doc__ or "").strip().splitlines()[0])
            for field in dataclasses.fields(stage):
                _add_option(group, field)
        common = self.argparse.add_argument_group("every program")
        common.add_argument("--settings", metavar="FILE.toml",
                            help="read options from a TOML file; the command line wins")
        common.add_argument("--debug", action="store_true",
                            help="show the traceback of an error")
        common.add_argument("--version", action="version", version=f"visds {__version__}")

    def parse(self, argv: Sequence[str] | None,
              held: Callable[[argparse.Namespace], Mapping[str, Mapping[str, Any]]] | None = None
              ) -> tuple[argparse.Namespace, Settings]:
        """Return the program's own arguments and its settings.

        `held` returns values by stage, as a user writes them, that stand in the place of defaults:
        those of a run that the arguments name.

        Raises
        ------
        SettingsError
            For an unknown or unusable option, key or value: which, and what was expected.
        """
        arguments = self.argparse.parse_args(argv)
        from_file, unused = read_settings_file(arguments.settings, self._stages, self._foreign) \
            if arguments.settings else ({}, [])
        if unused:
            print(f"{self.argparse.prog}: not used of {arguments.settings}: "
                  f"{' '.join(f'[{name}]' for name in unused)}", file=sys.stderr)
        before = held(arguments) if held else {}
        stages, written = {}, {}
        for name, stage in self._stages.items():
            parsed, texts = {}, {}
            for field in dataclasses.fields(stage):
                option = field.metadata["option"]
                given = getattr(arguments, field.name)
                where = f"--{_dashed(field.name)}"
                if given is None and field.name in from_file.get(name, {}):
                    given = from_file[name][field.name]
                    where = f"{arguments.settings}: [{name}] {field.name}"
                if given is None:
                    given = before.get(name, {}).get(field.name, option.default)
                texts[field.name] = tuple(given) if option.many and not isinstance(given, str) \
                    else given
                try:
                    parsed[field.name] = option.parsed(given)
                except (SettingsError, TypeError, ValueError) as error:
                    raise SettingsError(f"{where}: {error}") from error
            stages[name], written[name] = stage(**parsed), texts
        return arguments, Settings(stages, written)


def read_settings_file(path: str, stages: dict[str, type], foreign: Collection[str] = ()
                       ) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the tables of a TOML settings file and the names of those that are `foreign`.

    Each key of the tables is checked to be one of `stages`; foreign tables are not looked at.

    Raises
    ------
    SettingsError
        If the file cannot be read, or has a table or key that is not known (the nearest is named).
    """
    try:
        tables = tomllib.loads(Path(path).read_text())
    except OSError as error:
        raise SettingsError(f"cannot read settings file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not a TOML file: {error}") from error
    result, unused = {}, []
    for name, table in tables.items():
        if name not in stages and name in foreign:
            unused.append(name)
            continue
        if name not in stages:
            known = [*stages, *(table for table in foreign if table not in stages)]
            raise SettingsError(f"{path}: unknown table [{name}]{_nearest(name, known)}")
        if not isinstance(table, dict):
            raise SettingsError(f"{path}: '{name}' must be a table, written [{name}]")
        keys = [field.name for field in dataclasses.fields(stages[name])]
        result[name] = {}
        for key, value in table.items():
            plain = key.replace("-", "_")
            if plain not in keys:
                raise SettingsError(f"{path}: unknown key '{key}' in [{name}]"
                                    f"{_nearest(plain, keys)}")
            result[name][plain] = value
    return result, unused


class _ArgumentParser(argparse.ArgumentParser):
    """Argparse that raises SettingsError, with the nearest known option, instead of leaving.

    A negative quantity such as -2.7255s is a value, as a negative number is.
    """

    def _parse_optional(self, arg_string: str):
        if re.match(r"-\.?\d", arg_string):
            return None
        return super()._parse_optional(arg_string)

    def parse_known_args(self, args=None, namespace=None):
        """Keep the words of the command line, for an error to say where one stands."""
        self._words = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str):
        unknown = message.partition("unrecognized arguments: ")[2].split()
        if unknown:
            options = [o for a in self._actions for o in a.option_strings if o.startswith("--")]
            message = self._of_several_values(unknown[0]) or _unknown_option(unknown[0], options)
        if message.startswith("the following arguments are required"):
            message += self._taken_for_values()
        raise SettingsError(f"{message} (see {self.prog} --help)")

    def _several(self) -> set[str]:
        """Return the options that take several values."""
        return {o for a in self._actions if a.nargs == "+" for o in a.option_strings}

    def _taken_for_values(self) -> str:
        """Return what is wrong where arguments stand behind an option that takes several values."""
        options = [word for word in self._words if word.startswith("-")]
        taken = next((word for word in reversed(options) if word in self._several()), None)
        return f": {taken} takes all words that follow it, so put them before it" if taken else ""

    def _of_several_values(self, text: str) -> str:
        """Return what is wrong with a word after ``--option=VALUE`` that takes several values."""
        for before, word in itertools.pairwise(self._words):
            option, equals, value = before.partition("=")
            if equals and option in self._several() and word.split()[:1] == [text]:
                return (f"{option}: with '=' it takes one value, and '{text}' is one more: leave "
                        f"the '=' out, as in {option} {value} {text}")
        return ""


def _unknown_option(text: str, options: list[str]) -> str:
    if text.startswith("--"):
        name = text.split("=")[0]
        matches = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
        return f"unknown option {name}" + (f"; did you mean '{matches[0]}'?" if matches else "")
    return (f"'{text}' is one word too many: a value with spaces, such as a position, needs "
            "quotation marks, and an option with '=' takes one value")


def _add_option(group, field: dataclasses.Field) -> None:
    option = field.metadata["option"]
    text = option.help
    if hasattr(option.parse, "bare_number"):
        text += f"; a bare number is {option.parse.bare_number}"
    if option.default not in (None, (), False):
        shown = ("on" if option.default is True
                 else ", ".join(option.default) if option.many else option.default)
        text += f" (default: {shown})"
    name = f"--{_dashed(field.name)}"
    names = [option.short, name] if option.short else [name]
    text = text.replace("%", "%%")
    if isinstance(option.default, bool):
        group.add_argument(name, dest=field.name, default=None, help=text,
                           action=argparse.BooleanOptionalAction if option.default
                           else _OnOff)
        return
    keywords: dict[str, Any] = {
        "metavar": option.metavar or field.name.rpartition("_")[2].upper()}
    if option.choices and not option.metavar:
        keywords["metavar"] = "|".join(option.choices)
    if option.many:
        keywords |= {"nargs": "+", "action": "extend"}
    group.add_argument(*names, dest=field.name, default=None, help=text, **keywords)


class _OnOff(argparse.BooleanOptionalAction):
    """``--name`` and ``--no-name``; the usage line shows the first only."""

    def format_usage(self):
        return self.option_strings[0]


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _nearest(name: str, known) -> str:
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{matches[0]}'?" if matches else f"; known are {', '.join(known)}"


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
