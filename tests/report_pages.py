"""Tables of detections and matches for tests of the page that shows them."""

import numpy as np
from astropy.table import Table

from visds.dynspec.detection.columns import COLUMNS


def detection_table(spectrum, boxes, name=None):
    """Return detections of a spectrum.

    `boxes` are (first integration, last + 1, lowest channel, highest + 1, polarization, S/N).
    `name` is that of all; else they are named by their target and number.
    """
    half, width = spectrum.integration / 2 / 86400, spectrum.channel_width / 2
    table = Table()
    rows = []
    for number, (first, last, low, high, polarization, snr) in enumerate(boxes, start=1):
        start, stop = spectrum.time[first] - half[first], spectrum.time[last - 1] + half[last - 1]
        bottom = spectrum.frequency[low] - width[low]
        top = spectrum.frequency[high - 1] + width[high - 1]
        rows.append({
            "name": name or f"{spectrum.meta['target']} {number}", "ra": 83.0, "dec": -5.0,
            "ra_error": 0.31, "dec_error": 0.25, "position": "assumed",
            "start": start, "stop": stop, "duration": (stop - start) * 86400,
            "peak_time": (start + stop) / 2, "band_low": bottom, "band_high": top,
            "peak_frequency": (bottom + top) / 2, "scan": spectrum.scan[first],
            "polarization": polarization, "snr": snr, "peak_flux_density": -1.5,
            "peak_flux_density_error": 0.012, "fraction_V": -0.75, "fraction_V_error": 0.03,
            "veto": "edge", "veto_edge": True, "rise_time": 12.0,
            "decay_time": 30.0, "decay_time_error": 4.0,
            "box_start": start, "box_stop": stop, "box_low": bottom, "box_high": top})
    missing = {str: "", float: np.nan, int: -1, bool: False}
    for column, (kind, unit, meaning) in COLUMNS.items():
        table[column] = np.array([row.get(column, missing[kind]) for row in rows],
                                 {str: "U128", float: "f8", int: "i8", bool: "?"}[kind])
        table[column].unit = unit
        table[column].description = meaning
    return table


def match_table(names):
    """Return a match for each of the detections with these names."""
    return Table({"catalogue": ["NVSS"] * len(names), "left_name": names,
                  "right_name": [f"source of {name}" for name in names],
                  "separation_arcsec": [1.234] * len(names), "best": [True] * len(names),
                  "chance_probability": [1e-4] * len(names), "right_ra": [83.0] * len(names),
                  "right_dec": [-5.0] * len(names)})
