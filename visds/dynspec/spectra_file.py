"""Files of dynamic spectra of many directions: the first whole, of the others what differs.

The first direction lies at the root of the file, as any record does. Each further one is a group
`directions/000001` and so on, with attributes of its own and those arrays that are not the same as
the first's: of one observation most sums of weights are.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from visds.core.arrays import damage_reported, mark_complete, open_product, read_attributes
from visds.core.errors import SettingsError
from visds.core.product_file import new_product
from visds.dynspec.dynamic_spectrum import DynamicSpectrum

_GROUP = "directions"


def write_spectra(path: str | os.PathLike, spectra: Iterable[DynamicSpectrum],
                  key: str = "") -> None:
    """Write spectra of one observation in many directions, of which two are in memory at a time.

    The file appears when it is complete. `key` identifies the inputs and settings that made it.

    Raises
    ------
    OutputError
        If the file cannot be written.
    ValueError
        If there is no spectrum.
    """
    spectra = iter(spectra)
    first = next(spectra, None)
    if first is None:
        raise ValueError("there is no spectrum to write")
    with new_product(path) as file:
        first.write_into(file)
        file.attrs["key"] = key
        for number, spectrum in enumerate(spectra, start=1):
            spectrum.write_into(file.create_group(_name(number)), base=first)
            file.check()
        mark_complete(file)


def read_spectrum(path: str | os.PathLike, number: int = 0) -> DynamicSpectrum:
    """Return the spectrum of a direction, counted from 0.

    Raises
    ------
    FormatError
        As `Record.read`, or if the file has fewer directions.
    """
    with open_product(path, DynamicSpectrum) as file, damage_reported(path):
        if number == 0:
            return DynamicSpectrum.read_from(file)
        return DynamicSpectrum.read_from(file[_name(number)], base=file)


@dataclass(frozen=True)
class Spectra(Sequence):
    """The spectra of some directions of a file, each read when it is asked for."""

    path: str | os.PathLike
    numbers: tuple[int, ...]

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, place: int) -> DynamicSpectrum:
        """Return the spectrum of one of the directions."""
        return read_spectrum(self.path, self.numbers[place])


def directions_of(path: str | os.PathLike) -> tuple[dict, ...]:
    """Return the `meta` of every direction, in the order of the file.

    Raises
    ------
    FormatError
        As `Record.read`.
    """
    with open_product(path, DynamicSpectrum) as file, damage_reported(path):
        groups = [file, *(file[_GROUP].values() if _GROUP in file else ())]
        return tuple(read_attributes(group, DynamicSpectrum)["meta"] for group in groups)


def number_of(path: str | os.PathLike, name: str) -> int:
    """Return the number of the direction that has a name, in capitals or not.

    Raises
    ------
    SettingsError
        If there is none or more than one: which there are.
    FormatError
        As `Record.read`.
    """
    names = [str(meta.get("target", "")) for meta in directions_of(path)]
    found = [number for number, held in enumerate(names) if held == name] or [
        number for number, held in enumerate(names) if _plain(held) == _plain(name)]
    if len(found) != 1:
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        raise SettingsError(f"{Path(path)} has {'no' if not found else 'more than one'} direction "
                            f"'{name}'; it has {shown}")
    return found[0]


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()


def _name(number: int) -> str:
    return f"{_GROUP}/{number:06d}"
