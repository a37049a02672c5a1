"""A sky model on file, so that images are not sent to each rank with each task."""

import dataclasses
import functools
import json
import os

import h5py
import numpy as np

from visds.core.errors import FormatError
from visds.core.product_file import new_product
from visds.core.sky import Direction
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.image_pixels import ImagePixels
from visds.visibility.sky_model.images import ImageModel
from visds.visibility.sky_model.model import Part, SkyModel

_KINDS = {"components": ComponentModel, "image": ImageModel, "pixels": ImagePixels}


def write_model(path: str | os.PathLike, model: SkyModel, key: str) -> None:
    """Write a sky model as HDF5: a group for each part, arrays as datasets, and its key."""
    with new_product(path) as file:
        file.attrs["key"] = key
        file.attrs["columns"] = json.dumps(model.columns)
        for number, part in enumerate(model.parts):
            group = file.create_group(f"part{number}")
            group.attrs["origin"] = part.origin
            group.attrs["is_intrinsic"] = part.is_intrinsic
            group.attrs["scale_reason"] = part.scale_reason
            group.attrs["kind"] = next(kind for kind, type_ in _KINDS.items()
                                       if isinstance(part.content, type_))
            for field in dataclasses.fields(part.content):
                _write_field(group, field.name, getattr(part.content, field.name))


@functools.lru_cache(maxsize=1)
def read_model(path: str | os.PathLike, key: str) -> SkyModel:
    """Return the sky model of a key on a file; it is kept for the next chunk.

    Raises
    ------
    FormatError
        If the file holds another model.
    """
    with h5py.File(path, "r") as file:
        if file.attrs["key"] != key:
            raise FormatError(f"{path} holds another sky model than this run's: was it written by "
                              "another run meanwhile?")
        parts = tuple(_read_part(file[f"part{number}"]) for number in range(len(file)))
        return SkyModel(parts, tuple(json.loads(file.attrs["columns"])))


def _write_field(group: h5py.Group, name: str, value) -> None:
    if isinstance(value, np.ndarray):
        group.create_dataset(name, data=value, fletcher32=value.size > 0,
                             chunks=value.shape if value.size else None)
    elif isinstance(value, Direction):
        group.attrs[name] = json.dumps({"direction": [value.ra, value.dec, value.frame]})
    else:
        group.attrs[name] = json.dumps(value)


def _read_part(group: h5py.Group) -> Part:
    kind = _KINDS[group.attrs["kind"]]
    fields = {}
    for field in dataclasses.fields(kind):
        if field.name in group:
            fields[field.name] = group[field.name][()]
            continue
        value = json.loads(group.attrs[field.name])
        if isinstance(value, dict):
            value = Direction(*value["direction"])
        fields[field.name] = tuple(value) if isinstance(value, list) else value
    return Part(kind(**fields), group.attrs["origin"], bool(group.attrs["is_intrinsic"]),
                group.attrs["scale_reason"])
