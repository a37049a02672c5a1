"""The style and the scripts of the page, and the policy that lets a browser run no others."""

import base64
import functools
import hashlib
from importlib import resources

_OWN = ("axis.js", "spectrum_data.js", "drawing.js", "event_panel.js", "state.js", "plots.js",
        "moving.js", "choosing.js", "controls.js")
_VENDORED = "vendor/uplot"


def style(*, with_explorer: bool) -> str:
    """Return the style sheet of a page, with or without dynamic spectra to be looked at."""
    names = ["assets/page.css"]
    if with_explorer:
        names += [f"{_VENDORED}/uPlot.min.css", "assets/explorer.css"]
    return "\n".join(_text(name) for name in names)


@functools.cache
def explorer() -> str:
    """Return what runs in a page with dynamic spectra: uPlot with its licence, and our own."""
    own = "\n".join(_text(f"assets/{name}") for name in _OWN)
    licence = _text(f"{_VENDORED}/LICENSE")
    return (f"/*!\nuPlot, which draws axes and light curves here:\n\n{licence}*/\n"
            f"{_text(f'{_VENDORED}/uPlot.iife.min.js')}\n"
            f'(function () {{\n"use strict";\n{own}\n}})();\n')


def policy(script: str) -> str:
    """Return the element that has a browser run this script, no other, and load nothing."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return ('<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            f"script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
            "base-uri 'none'; form-action 'none'\">\n")


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
