"""visds-import: dynamic spectra of other programs as products that visds works with."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from visds.core.errors import ExitCode, FormatError, OutputError, SettingsError
from visds.core.files import make_folder
from visds.core.plural import counted
from visds.core.program import run_program
from visds.core.provenance import Provenance, command_line, file_hash, key, refuse_other_program
from visds.core.settings import Parser
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.exchange.dstools import is_dstools, read_dstools
from visds.dynspec.exchange.dynspecms import is_dynspecms, read_dynspecms, spectra_in
from visds.dynspec.exchange.imported import Imported, doubt_of_handedness
from visds.dynspec.spectra_file import directions_of, write_spectra

_DESCRIPTION = """\
Read dynamic spectra that dstools (HDF5) or DynSpecMS (FITS) made, and write OUT/dynspec.h5, which
visds-plot draws and visds' search takes. Stokes parameters have visds' signs; nothing is corrected
for the telescope. Of files without errors these are told from the data. What was found, and what is
to be known of it, goes to standard error."""

_EXAMPLES = """\
examples:
  visds-import star.h5 -o star                          of dstools-extract-ds
  visds-import DynSpecs_L658492 -o field                all directions, TARGET and OFF
  visds-import DynSpecs_L658492/TARGET/star.fits -o star  weights from ../TARGET_W
"""
_PROGRAM = "visds-import"
_SAID = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run visds-import and return its exit code."""
    return run_program(_PROGRAM, _body, argv)


def _body(argv: Sequence[str] | None) -> int:
    parser = Parser(_PROGRAM, _DESCRIPTION, {}, epilog=_EXAMPLES)
    parser.argparse.add_argument("files", metavar="FILE", nargs="+",
                                 help="files of dstools or DynSpecMS, or a folder of DynSpecMS; "
                                 "the first of several is the first direction")
    parser.argparse.add_argument("-o", "--out", metavar="OUT", required=True,
                                 help="folder of the products")
    arguments, _ = parser.parse(argv)
    files = _files(arguments.files)
    folder = Path(arguments.out)
    _refuse_run(folder)
    inputs = {str(path): file_hash(path) for path in files}
    make_folder(folder)
    product = folder / "dynspec.h5"
    write_spectra(product, _spectra(files), key=key(inputs))
    first = directions_of(product)[0]
    Provenance(command_line(), inputs, {}, ranks=1).write(
        folder / "provenance.json", products={product.name: file_hash(product)},
        target={name: first[known] for name, known in (
            ("name", "target"), ("ra_deg", "ra_deg"), ("dec_deg", "dec_deg"))})
    print(product)
    return ExitCode.OK


def _files(given: Sequence[str]) -> list[Path]:
    """Return the files of spectra that are given, folders as what is in them."""
    files = []
    for path in map(Path, given):
        if not path.exists():
            raise FormatError(f"{path} does not exist")
        files += spectra_in(path) if path.is_dir() else [path]
    return files


def _refuse_run(folder: Path) -> None:
    refuse_other_program(folder, _PROGRAM)
    if (folder / "dynspec.h5").exists() and not (folder / "provenance.json").exists():
        raise OutputError(f"{folder} holds an unfinished run: give {_PROGRAM} another -o")


def _spectra(files: Sequence[Path]) -> Iterator[DynamicSpectrum]:
    """Yield the spectra of files, of one Stokes set and of different names; say what they are."""
    first, names = None, set()
    for number, path in enumerate(files):
        found = _read(path)
        spectrum = found.spectrum
        name = str(spectrum.meta["target"])
        if name in names:
            name = path.stem
            spectrum = spectrum.replace(meta=spectrum.meta | {"target": name})
        if name in names:
            raise SettingsError(f"{path}: there is a direction named {name} already")
        names.add(name)
        first = first or spectrum
        if spectrum.polarizations != first.polarizations:
            raise SettingsError(f"{path} holds {', '.join(spectrum.polarizations)}, {files[0]} "
                                f"{', '.join(first.polarizations)}: import them one by one")
        if number < _SAID:
            _say(path, found)
        yield spectrum
    if len(files) > _SAID:
        print(f"{_PROGRAM}: and {counted(len(files) - _SAID, 'more direction')}", file=sys.stderr)


def _say(path: Path, found: Imported) -> None:
    spectrum = found.spectrum
    print(f"{_PROGRAM}: {path}: {spectrum.meta['target']}, {' '.join(spectrum.polarizations)}, "
          f"{counted(len(spectrum.time), 'integration')} in "
          f"{counted(len(set(spectrum.scan.tolist())), 'scan')}, "
          f"{counted(len(spectrum.frequency), 'channel')}", file=sys.stderr)
    for note in found.notes:
        print(f"{_PROGRAM}: {path.name}: {note}", file=sys.stderr)
    doubt = doubt_of_handedness(spectrum)
    if doubt:
        print(f"{_PROGRAM}: warning: {doubt}", file=sys.stderr)


def _read(path: Path) -> Imported:
    if is_dstools(path):
        return read_dstools(path)
    if is_dynspecms(path):
        return read_dynspecms(path)
    raise FormatError(f"{path} is neither HDF5 of dstools nor FITS of DynSpecMS")


if __name__ == "__main__":
    raise SystemExit(main())
