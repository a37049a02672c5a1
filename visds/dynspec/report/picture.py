"""Pictures within the page: each file once, found again by its name there."""

import base64
from collections.abc import Mapping
from pathlib import Path

from visds.core.errors import FormatError
from visds.dynspec.report.html_table import escaped

_KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}


class Pictures:
    """The pictures of a page: those of its section of pictures, and others that are kept hidden.

    Parameters
    ----------
    section : dict
        Caption to file of the section of pictures.
    """

    def __init__(self, section: Mapping[str, Path]):
        self._names = {Path(file): f"picture-{number}"
                       for number, file in enumerate(section.values(), start=1)}
        self._hidden: dict[Path, str] = {}

    def name(self, file: Path) -> str:
        """Return the identifier of a picture's element, which `figure` or `hidden_html` makes."""
        if file not in self._names:
            self._names[file] = self._hidden[file] = f"picture-{len(self._names) + 1}"
        return self._names[file]

    def figure(self, file: Path, caption: str, note: str) -> str:
        """Return a picture with its caption.

        Raises
        ------
        FormatError
            If it cannot be read, or is of another kind than png, jpg and svg.
        """
        text = escaped(caption) + (f". {escaped(note)}" if note else "")
        return (f"<figure>{_image(file, self.name(file), caption)}"
                f"<figcaption>{text}</figcaption></figure>")

    def hidden_html(self) -> str:
        """Return the pictures that were named and are not in the section; errors as `figure`."""
        return "".join(f"<div hidden>{_image(file, name, '')}</div>\n"
                       for file, name in self._hidden.items())


def _image(file: Path, name: str, caption: str) -> str:
    kind = _KINDS.get(file.suffix.lower())
    if kind is None:
        raise FormatError(f"{file} cannot be shown in a report: expected {', '.join(_KINDS)}")
    try:
        data = base64.b64encode(file.read_bytes()).decode()
    except OSError as error:
        raise FormatError(f"cannot read picture {file}: {error.strerror}") from error
    return f'<img id="{name}" alt="{escaped(caption)}" src="data:{kind};base64,{data}">'
