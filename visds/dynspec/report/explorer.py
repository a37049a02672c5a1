"""The part of the page where one looks at dynamic spectra: controls, plots, events and data."""

import json
from collections.abc import Sequence

import numpy as np

from visds.dynspec.plots.colour import FLAGGED, colour_map
from visds.dynspec.plots.quantity import quantity
from visds.dynspec.report.html_table import escaped
from visds.dynspec.report.picture import Pictures
from visds.dynspec.report.report_spectrum import ReportSpectrum

_KEYS = (("← →", "pan in time"), ("↑ ↓", "pan in frequency"), ("+ −", "zoom in time"),
         ("[ ]", "zoom in frequency"), ("0", "all of it"), ("s", "next Stokes parameter"),
         ("t", "next target"), ("n p", "next, previous event"), ("z", "zoom to the event"),
         ("d", "drag zooms or pans"), ("g", "gaps shortened or to scale"),
         (", .", "fainter, stronger colours"))


def explorer_html(spectra: Sequence[ReportSpectrum], pictures: Pictures) -> str:
    """Return the section and the data of the spectra; errors as `Pictures.figure`."""
    data = "\n".join(
        f'<script type="application/json" class="spectrum-data">{_script(one, pictures)}</script>'
        for one in spectra)
    targets = ""
    if len(spectra) > 1:
        options = "".join(f'<option value="{place}">{escaped(one.name)}'
                          f'{" (off source)" if one.role == "off source" else ""}</option>'
                          for place, one in enumerate(spectra))
        targets = (f'<label>Target <select id="pick-target" title="next: t">{options}</select>'
                   "</label>")
    stokes = list(dict.fromkeys(label for one in spectra for label in one.polarizations))
    buttons = "".join(
        f'<button type="button" data-stokes="{label}" aria-pressed="false" '
        f'aria-label="Stokes {label}" title="Stokes {label} (next: s)">{label}</button>'
        for label in stokes)
    keys = " · ".join(f"<kbd>{escaped(key)}</kbd> {escaped(words)}" for key, words in _KEYS
                      if key != "t" or targets)
    return f"""<section id="explorer" aria-label="Dynamic spectrum">
<h2>Dynamic spectrum <span id="target-name"></span></h2>
<noscript><p class="note">Scripts are off: the pictures below show the same.</p></noscript>
<p id="target-position"></p>
<div class="controls" role="toolbar" aria-label="What is shown">
{targets}
<span class="group" role="group" aria-label="Stokes parameter">Stokes {buttons}</span>
{_group("Time", (("earlier", "‹", "pan to earlier times (←)"), ("time-out", "−",
                 "show more time (−)"), ("time-in", "+", "show less time (+)"),
                 ("later", "›", "pan to later times (→)")))}
{_group("Frequency", (("lower", "⌄", "pan to lower frequencies (↓)"), ("band-out", "−",
                      "show more of the band ([)"), ("band-in", "+", "show less of the band (])"),
                      ("higher", "⌃", "pan to higher frequencies (↑)")))}
<button type="button" data-do="all" title="All times and frequencies (0)">Reset</button>
{_group("Colours", (("fainter", "−", "fainter: wider colour scale (,)"),
                    ("stronger", "+", "stronger: narrower colour scale (.)")))}
{_group("Drag", (("drag-zoom", "zooms", "dragging zooms (d)"),
                 ("drag-pan", "pans", "dragging pans (d)")))}
<button type="button" data-do="gaps" aria-pressed="true" title="Wide gaps shortened (g)">
Shorten gaps</button>
</div>
<p id="readout" aria-hidden="true">Point at the spectrum to read it.</p>
<div id="plots" tabindex="0" role="application" aria-describedby="keys"
 aria-label="Dynamic spectrum and light curve">
<div class="with-bar"><div id="spectrum-plot"></div>
<canvas id="colour-bar" role="img"></canvas></div>
<div id="curve-plot"></div>
</div>
<p id="shown" role="status"></p>
<p class="note" id="spectrum-note"></p>
<p class="note" id="keys">Click the spectrum or tab to it, then: {keys}. The wheel zooms
in time, with Shift in frequency; dragging with Shift pans; a double click shows all. Boxes of
events are dashed where another Stokes parameter shows the event best.</p>
<div id="events"></div>
<div id="event" hidden></div>
<p id="copied" role="status"></p>
</section>
<script type="application/json" id="colour-maps">{json.dumps(_colours())}</script>
{data}
{pictures.hidden_html()}"""


def _colours() -> dict[str, object]:
    """Return the colour maps of the pictures, of 256 colours each, and that of flagged cells."""
    def hexes(label: str) -> list[str]:
        rgba = colour_map(quantity(label), None)(np.arange(256), bytes=True)
        return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b, _ in rgba.tolist()]

    return {"unsigned": hexes("I"), "signed": hexes("V"), "flagged": FLAGGED}


def _group(name: str, buttons: Sequence[tuple[str, str, str]]) -> str:
    return (f'<span class="group" role="group" aria-label="{name}">{name} ' + "".join(
        f'<button type="button" data-do="{action}" aria-label="{escaped(words)}" '
        f'title="{escaped(words)}">{escaped(text)}</button>' for action, text, words in buttons)
        + "</span>")


def _script(spectrum: ReportSpectrum, pictures: Pictures) -> str:
    """Return the data of a spectrum as JSON in which nothing can end the element it stands in."""
    return spectrum.to_json(pictures.name).replace("<", "\\u003c")
