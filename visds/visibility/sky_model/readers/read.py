"""A sky model out of everything that a user names, each thing told by what is in it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from visds.core.errors import SkyModelError
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.images import ImageModel
from visds.visibility.sky_model.model import Part, SkyModel
from visds.visibility.sky_model.readers.source_list import is_source_list, read_source_list

_MODEL_COLUMN = "MODEL_DATA"
_SCALES = {"apparent": False, "intrinsic": True}
_HEAD_BYTES = 65536
# FILE:ra=RA,I=S:mJy; a colon elsewhere in a path is part of it.
_WITH_MAPPING = re.compile(r"(?P<path>.+?):(?P<columns>\w+\s*=.*)", re.DOTALL)
_TAYLOR_TERM = re.compile(r"\.tt\d+(?=$|\.)")
_ENDS = re.compile(r"(\.pbcor)?(\.fits?(\.gz)?)?$", re.IGNORECASE)
# WSClean calls the image of an output channel NAME-0000-model.fits, the mean NAME-MFS-model.fits.
_WSCLEAN_PLANE = re.compile(r"-(\d{4}|MFS)-(?=[^/]*\.fits)")
_CORRECTED = re.compile(r"pbcor|-pb\.", re.IGNORECASE)

Content = ComponentModel | ImageModel


def read_sky_model(names: Sequence[str], data_columns: Sequence[str],
                   scale: str | None = None) -> SkyModel:
    """Return the sky model that is the sum of all things named.

    Parameters
    ----------
    names : sequence of str
        Each the path of an image (CASA or FITS; Taylor terms by any or several of their names), a
        CASA component list, a WSClean or DP3 source list or a table, whose columns may be mapped as
        in ``FILE:ra=RA,dec=DEC,I=S:mJy,reference_frequency=1.4GHz``; or a data column of the
        measurement set, where ``column`` is MODEL_DATA. Images that differ in frequency only are
        planes of one cube.
    data_columns : sequence of str
        Those that the measurement set has.
    scale : {None, "apparent", "intrinsic"}
        What the flux densities of all files are. By default as a file says by its header or by
        its name; apparent, as seen through the primary beam, where nothing says so.

    Raises
    ------
    SkyModelError
        If something cannot be read or is named twice, or there is no such file or column.
    """
    if scale is not None and scale not in _SCALES:
        raise SkyModelError(f"flux densities of a sky model are apparent or intrinsic, not "
                            f"'{scale}'")
    parts, columns, seen = [], [], {}
    for name in names:
        column = _MODEL_COLUMN if name == "column" else name
        if name == "column" or name in data_columns:
            if column not in data_columns:
                raise SkyModelError(f"the measurement set has no column {column}; it has "
                                    f"{', '.join(data_columns)}")
            if column in columns:
                raise SkyModelError(f"sky model {column} is named twice")
            columns.append(column)
            continue
        path, mapping = _split(name)
        whole = _whole(path)
        if whole in seen:
            # Terms of one image, as a shell writes out NAME.model.tt*, are one part.
            if _TAYLOR_TERM.search(path.name) and seen[whole] != path:
                continue
            raise SkyModelError(f"sky model {name} is named twice: it would be subtracted twice")
        seen[whole] = path
        parts.append(_part(name, path, mapping, scale, data_columns))
    _check_mean_and_planes([part.origin for part in parts])
    return SkyModel(tuple(_with_cubes(parts)), tuple(columns))


def files_of(names: Sequence[str], data_columns: Sequence[str]) -> tuple[str, ...]:
    """Return the files and folders that things named for `read_sky_model` are read from."""
    found = []
    for name in names:
        if name == "column" or name in data_columns:
            continue
        path, _ = _split(name)
        whole = _whole(path)
        family = [other for other in sorted(path.parent.iterdir())
                  if _TAYLOR_TERM.search(other.name) and _whole(other) == whole]
        found += map(str, family or [path])
    return tuple(found)


def _split(name: str) -> tuple[Path, str | None]:
    """Return the path and the column mapping of a name."""
    match = None if Path(name).exists() else _WITH_MAPPING.fullmatch(name)
    return (Path(match["path"]), match["columns"]) if match else (Path(name), None)


def _whole(path: Path) -> Path:
    """Return what a path is a part of: that of the image without its Taylor term."""
    return path.resolve().with_name(_TAYLOR_TERM.sub("", path.name))


def _check_mean_and_planes(names: Sequence[str]) -> None:
    """Check that WSClean's mean over channels is not named beside images of the channels."""
    planes: dict[str, dict[str, str]] = {}
    for name in names:
        match = _WSCLEAN_PLANE.search(name)
        if match:
            planes.setdefault(_WSCLEAN_PLANE.sub("-", name, count=1), {})[match[1]] = name
    for family in planes.values():
        if "MFS" in family and len(family) > 1:
            raise SkyModelError(f"sky model {family['MFS']} is the mean of the other images that "
                                "are named: it would be subtracted twice")


def _with_cubes(parts: Sequence[Part]) -> list[Part]:
    """Return the parts, those that are planes of one cube joined."""
    groups: list[list[Part]] = []
    for part in parts:
        for group in groups:
            if _belongs(part, group):
                group.append(part)
                break
        else:
            groups.append([part])
    return [group[0] if len(group) == 1 else replace(
        group[0], content=_joined(group), origin=f"{group[0].origin} to {group[-1].origin}")
        for group in groups]


def _belongs(part: Part, group: Sequence[Part]) -> bool:
    """Return whether a part is a further plane of the cube of others."""
    return (not any(isinstance(other.content, ComponentModel) or
                    other.is_intrinsic != part.is_intrinsic for other in (part, *group))
            and all(other.content.reference_frequency != part.content.reference_frequency
                    for other in group)
            # All of a group are alike, so that the first stands for them.
            and _joined([group[0], part]) is not None)


def _joined(parts: Sequence[Part]) -> ImageModel | None:
    from visds.visibility.sky_model.readers.image_file import join_planes

    return join_planes([part.content for part in parts])


def _part(name: str, path: Path, mapping: str | None, scale: str | None,
          data_columns: Sequence[str]) -> Part:
    read, is_table = _reader(path, data_columns)
    if mapping is not None and not is_table:
        raise SkyModelError(f"sky model {path} is not a table: its columns cannot be mapped "
                            f"('{mapping}')")
    content, is_intrinsic = read(path, mapping) if is_table else read(path)
    if scale is not None:
        return Part(content, name, _SCALES[scale], "as the user says")
    if is_intrinsic is not None:
        return Part(content, name, is_intrinsic, "as its header or name says")
    if _CORRECTED.search(path.name):
        return Part(content, name, True, "its name says that it is corrected for the primary beam")
    return Part(content, name, False, "nothing says otherwise")


def _reader(path: Path, data_columns: Sequence[str]) -> tuple[Callable, bool]:
    """Return what reads a path, and whether it is a table."""
    if path.is_dir():
        return _folder_reader(path), False
    if not path.exists():
        return _family_reader(path, data_columns), False
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise SkyModelError(f"sky model {path} cannot be read: {error.strerror}") from error
    if head.startswith(b"SIMPLE  =") and _is_fits_image(path):
        return _fits_image, False
    if is_source_list(head.decode("utf-8-sig", "replace")):
        return (lambda path: (read_source_list(path), None)), False
    return _table, True


def _folder_reader(path: Path) -> Callable:
    try:
        kind = (path / "table.info").read_text(errors="replace").splitlines()[0]
    except (OSError, IndexError):
        kind = ""
    kind = kind.partition("=")[2].strip()
    if kind == "Component List":
        return _casa_components
    if kind == "Image":
        return _casa_image
    inside = next(iter(sorted(path.glob("*.model.tt0"))), None)
    raise SkyModelError(f"sky model {path} is a folder, but neither a CASA image nor a component "
                        "list" + (f": it is a table of the type '{kind}'" if kind else "")
                        + (f"; {inside} is in it" if inside else ""))


def _family_reader(path: Path, data_columns: Sequence[str]) -> Callable:
    """Return what reads the Taylor terms of an image that is named without them."""
    end = _ENDS.search(path.name)[0]
    first = path.with_name(f"{path.name.removesuffix(end)}.tt0{end}")
    if first.exists():
        return _casa_image if first.is_dir() else _fits_image
    raise SkyModelError(f"sky model {path}: No such file, and no such data column of the "
                        f"measurement set (it has {', '.join(data_columns) or 'none'})")


def _is_fits_image(path: Path) -> bool:
    from astropy.io import fits

    try:
        with fits.open(path) as file:
            return file[0].header.get("NAXIS", 0) > 0 or not any(
                isinstance(hdu, (fits.BinTableHDU, fits.TableHDU)) for hdu in file)
    except OSError as error:
        raise SkyModelError(f"sky model {path} cannot be read: "
                            f"{' '.join(str(error).split())}") from error


# Readers are imported when a file needs them: most runs need none or one.
def _casa_image(path: Path) -> tuple[Content, bool | None]:
    from visds.visibility.sky_model.readers.casa_image import read_casa_image

    return read_casa_image(path)


def _fits_image(path: Path) -> tuple[Content, bool | None]:
    from visds.visibility.sky_model.readers.fits_image import read_fits_image

    return read_fits_image(path)


def _casa_components(path: Path) -> tuple[Content, bool | None]:
    from visds.visibility.sky_model.readers.casa_components import read_casa_components

    return read_casa_components(path), None


def _table(path: Path, mapping: str | None) -> tuple[Content, bool | None]:
    from visds.visibility.sky_model.readers.table import read_components

    return read_components(path, mapping), None
