"""Bursts that are seen at two targets: the beam does not tell targets apart that are so close."""

import itertools
from collections.abc import Mapping

import numpy as np
from astropy.table import Table

from visds.core.sky import Direction, angle_text, separation
from visds.core.told_once import told_once


def seen_twice(detections: Table, places: Mapping[str, Direction], beam_arcsec: float) -> list[str]:
    """Return warnings of events of two targets within a beam, at the same time in the same band.

    `detections` are those of all targets, with their names in the column `target`, and `places`
    where targets are, by name. Each event keeps its row.
    """
    rows = {name: np.flatnonzero(np.asarray(detections["target"]) == name)
            for name in dict.fromkeys(map(str, detections["target"]))}
    lines = []
    for (name, mine), (other, theirs) in itertools.combinations(rows.items(), 2):
        away = separation(places[name], places[other])
        if not 3600 * away < beam_arcsec:
            continue
        for one, two in itertools.product(detections[mine], detections[theirs]):
            if one["start"] < two["stop"] and two["start"] < one["stop"] \
                    and one["band_low"] < two["band_high"] and two["band_low"] < one["band_high"]:
                weaker, stronger = sorted((one, two), key=lambda row: float(row["snr"]))
                lines.append((str(weaker["name"]), (
                    f"detection {weaker['name']} may be {stronger['name']} (the stronger one) once "
                    f"more: {name} and {other} are {angle_text(away)} apart, within a beam of "
                    f"{angle_text(beam_arcsec / 3600)}, so that a burst of one is seen at both")))
    return told_once(lines, "detection")
