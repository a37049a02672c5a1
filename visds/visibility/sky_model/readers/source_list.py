"""Components out of the text format of makesourcedb: .skymodel files and WSClean's source lists.

A line ``Format = Name, Type, Ra, ...`` or ``# (Name, Type, Ra, ...) = format`` says what the fields
of all other lines are, and by ``Field='value'`` what one that is left empty means. BBS, DP3 and
WSClean (-save-source-list) share it.
"""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from visds.core.errors import CatalogueError, SkyModelError
from visds.core.sexagesimal import degrees
from visds.core.sky import FRAMES
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.readers.component import Component, component_model

_FORMATS = (re.compile(r"\s*#\s*\((?P<fields>.*)\)\s*=\s*format\s*", re.IGNORECASE),
            re.compile(r"\s*#?\s*format\s*=(?P<fields>.*)", re.IGNORECASE))
_FIELD = re.compile(r"\s*(?P<name>\w[\w:]*)\s*(?:=\s*(?P<fixed>fixed)?\s*"
                    r"(?P<quote>['\"])(?P<value>.*?)(?P=quote))?\s*")
# A value is quoted, in brackets, or runs to the separator.
_VALUE = r"""((?:[^%s\[\]'"]++|\[[^\[\]]*\]|'[^']*'|"[^"]*")*+)"""
_UP_TO_COMMA = re.compile(_VALUE % "," + "(,|$)")
_UP_TO_BLANKS = re.compile(r"\s*" + _VALUE % r"\s" + r"(\s+(?=\S)|\s*$)")
_DOTTED = re.compile(r"([+-]?\d+)\.(\d+)\.(\d+(?:\.\d*)?)")
_WITH_UNIT = re.compile(r"(?P<number>[+-]?\d+(?:\.\d*)?)\s*(?P<unit>deg|rad)")
_NO_ARRAY = re.compile(r"\[\s*\]|")
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
_MUST = ("ra", "dec", "i")
_NOT_READ = ("RotationMeasure", "PolarizedFraction")
# Of a component whose flux density is the same everywhere.
_ANY_FREQUENCY = 1e9


def is_source_list(head: str) -> bool:
    """Return whether the beginning of a file has a Format line."""
    return _format_line(head.splitlines()) is not None


def read_source_list(path: str | os.PathLike) -> ComponentModel:
    """Return the components of a .skymodel file or a WSClean source list.

    Spectra are evaluated as DP3 does: with a logarithmic spectral index
    I(nu) = I0 (nu / nu0)^(c0 + c1 log10(nu / nu0) + ...), else
    I(nu) = I0 + c0 (nu / nu0 - 1) + c1 (nu / nu0 - 1)^2 + ..., and Q, U and V are the same at all
    frequencies. Orientations are taken as north through east at the component, whether they are
    said to be absolute or not. Lines that only define a patch are passed over.

    Raises
    ------
    SkyModelError
        If the file cannot be read, has no component, or a line cannot be used: which, and why.
    """
    lines = _lines(path)
    number = _format_line(lines)
    if number is None:
        raise SkyModelError(f"sky model {path} has no Format line, such as "
                            "'Format = Name, Type, Ra, Dec, I'")
    fields, separator = _fields(lines[number], f"sky model {path}, line {number + 1}")
    components = list(_components(lines, number, fields, separator, path))
    if not components:
        raise SkyModelError(f"sky model {path} has no components")
    return component_model(components)


@dataclass(frozen=True)
class _Field:
    name: str
    default: str = ""
    is_fixed: bool = False


class _Line:
    """The fields of a line by their names in small letters, and where it is for messages."""

    def __init__(self, values: dict[str, str], where: str):
        self.values, self.where = values, where

    def text(self, name: str) -> str:
        return self.values.get(name.lower(), "")

    def error(self, name: str, expected: str) -> SkyModelError:
        given = self.text(name)
        return SkyModelError(f"{self.where}: {name} "
                             + (f"'{given}' is not {expected}" if given
                                else f"is not given; expected {expected}"))

    def number(self, name: str, default: float | None = None, *, least: float = -math.inf) -> float:
        expected = "a finite number" + (f" of at least {least:g}" if math.isfinite(least) else "")
        if not self.text(name) and default is not None:
            return default
        try:
            value = float(self.text(name))
        except ValueError:
            raise self.error(name, expected) from None
        if not (math.isfinite(value) and value >= least):
            raise self.error(name, expected)
        return value

    def numbers(self, name: str) -> list[float]:
        """Return the numbers of [a, b, ...], or of a single a without brackets."""
        text = self.text(name)
        if _NO_ARRAY.fullmatch(text):
            return []
        inside = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        try:
            values = [float(part) for part in inside.split(",")]
        except ValueError:
            values = [math.nan]
        if not all(map(math.isfinite, values)):
            raise self.error(name, "an array of numbers such as [-0.7, 0.1]")
        return values

    def truth(self, name: str, default: bool) -> bool:
        text = self.text(name).lower()
        if text and text not in _TRUE + _FALSE:
            raise self.error(name, "true or false")
        return text in _TRUE if text else default

    def angle(self, name: str) -> float:
        """Return a position in deg; three numbers with dots between are degrees, as in casacore."""
        text, axis = self.text(name), name.lower()
        expected = "12:34:56.7 or 188.7deg" if axis == "ra" else "-45.06.07.8 or -45.1deg"
        match = _WITH_UNIT.fullmatch(text)
        if match:
            value = float(match["number"])
            return value if match["unit"] == "deg" else math.degrees(value)
        if re.fullmatch(r"[+-]?\d*\.?\d*", text):
            # DP3 reads it as radians; many who write it mean degrees.
            raise self.error(name, f"an angle with its unit, such as {expected}")
        try:
            return float(degrees([_DOTTED.sub(r"\1d\2m\3", text)], axis, None, "")[0])
        except CatalogueError:
            raise self.error(name, f"an angle such as {expected}") from None


def _lines(path: str | os.PathLike) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig") as stream:
            return stream.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SkyModelError(f"sky model {path} cannot be read: "
                            f"{getattr(error, 'strerror', None) or 'it is not text'}") from error


def _format_line(lines: list[str]) -> int | None:
    """Return the number of the Format line, above which are only comments."""
    for number, line in enumerate(lines):
        if any(pattern.fullmatch(line) for pattern in _FORMATS):
            return number
        if line.strip() and not line.lstrip().startswith("#"):
            return None
    return None


def _fields(line: str, where: str) -> tuple[list[_Field], str | None]:
    """Return the fields of a Format line and what is between them (None: blanks)."""
    text = next(match["fields"] for match in (p.fullmatch(line) for p in _FORMATS) if match)
    separator = "," if "," in re.sub(r"'[^']*'|\"[^\"]*\"", "", text) else None
    fields = []
    for part in _split(text, separator, where) if separator else \
            [match[0] for match in _FIELD.finditer(text)]:
        match = _FIELD.fullmatch(part)
        if match is None and part.strip():
            raise SkyModelError(f"{where}: '{part.strip()}' is not a field of a Format line, such "
                                "as ReferenceFrequency='1.4e9'")
        fields.append(_Field(match["name"].lower(), match["value"] or "", bool(match["fixed"]))
                      if match else _Field("dummy"))
    names = [field.name for field in fields]
    missing = [name.title() for name in _MUST if name not in names]
    if missing:
        raise SkyModelError(f"{where}: the Format line lacks {', '.join(missing)}; it has "
                            f"{', '.join(name for name in names if name != 'dummy')}")
    for name in names:
        if name.startswith("spectral") and name != "spectralindex":
            raise SkyModelError(f"{where}: field {name} is of a form of spectrum that is not "
                                "known; expected SpectralIndex with values such as [-0.7, 0.1], "
                                "and LogarithmicSI")
        if name != "dummy" and names.count(name) > 1:
            raise SkyModelError(f"{where}: field {name} occurs twice")
    return fields, separator


def _split(text: str, separator: str | None, where: str) -> list[str]:
    """Return the values of a line; what is quoted or in brackets is one."""
    parts, place = [], 0
    pattern = _UP_TO_COMMA if separator else _UP_TO_BLANKS
    while True:
        match = pattern.match(text, place)
        if match is None:
            raise SkyModelError(f"{where}: a quote or bracket is not closed")
        parts.append(match[1].strip())
        if not match[2]:
            return parts
        place = match.end()


def _components(lines: list[str], number: int, fields: list[_Field], separator: str | None,
                path: str | os.PathLike) -> Iterator[Component]:
    read = [field for field in fields if not field.is_fixed]
    fixed = {field.name: field.default for field in fields if field.is_fixed}
    for count, text in enumerate(lines[number + 1:], number + 2):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        where = f"sky model {path}, line {count}"
        given = _split(text, separator, where)
        if any(given[len(read):]):
            raise SkyModelError(f"{where} has {len(given)} fields, expected {len(read)} as in the "
                                "Format line")
        given += [""] * (len(read) - len(given))
        own = {field.name: value.strip("'\"") for field, value in zip(read, given, strict=False)}
        if not own.get("name") and not own.get("type") and own.get("patch"):
            continue
        line = _Line(fixed | {field.name: own[field.name] or field.default for field in read},
                     where)
        yield _component(line)


def _component(line: _Line) -> Component:
    kind = (line.text("Type") or "point").lower()
    if kind == "shapelet":
        raise SkyModelError(f"{line.where}: shapelets are not supported; give the source as "
                            "Gaussians or as an image")
    if kind not in ("point", "gaussian"):
        raise line.error("Type", "POINT or GAUSSIAN")
    for name in _NOT_READ:
        if line.number(name, 0.0):
            raise SkyModelError(f"{line.where}: {name} is not supported; give Q and U at the "
                                "frequency of the observation")
    frame = (line.text("RefType") or "J2000").upper()
    if frame not in FRAMES:
        raise line.error("RefType", f"one of {', '.join(FRAMES)}")
    ra, dec = line.angle("Ra"), line.angle("Dec")
    if not abs(dec) <= 90:
        raise line.error("Dec", "between -90 and 90 deg")
    stokes = [line.number("I"), *(line.number(name, 0.0) for name in "QUV")]
    terms = line.numbers("SpectralIndex")
    is_logarithmic = line.truth("LogarithmicSI", default=True)
    frequency = line.number("ReferenceFrequency", 0.0)
    if frequency <= 0:
        if any(terms) or line.text("ReferenceFrequency"):
            raise line.error("ReferenceFrequency", "a frequency above 0 Hz")
        frequency = _ANY_FREQUENCY
    return Component(
        ra, dec, frame, stokes, frequency, terms, is_logarithmic,
        # With a rotation measure, of 0 here, Q and U follow I.
        is_polarization_constant=not line.text("RotationMeasure"),
        shape=_shape(line) if kind == "gaussian" else (0.0, 0.0, 0.0))


def _shape(line: _Line) -> tuple[float, float, float]:
    line.truth("OrientationIsAbsolute", default=False)
    major, minor = (line.number(name, least=0) for name in ("MajorAxis", "MinorAxis"))
    angle = line.number("Orientation", 0.0 if major == minor else None)
    return major, minor, angle
