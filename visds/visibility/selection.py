"""What of a measurement set is used: the user's selection, and the choices made where none is."""

import dataclasses
import re
from dataclasses import dataclass

import numpy as np

from visds.core.errors import MeasurementSetError, SettingsError
from visds.core.polarization import Handedness, available_stokes, parallel_hands
from visds.core.quantities import UVDistance, byte_count, degrees, seconds, uv_distance
from visds.core.settings import setting
from visds.core.sky import separation
from visds.visibility.description import Description
from visds.visibility.handedness import documented_doubt, known_handedness, override
from visds.visibility.integrations import ranges
from visds.visibility.measurement_set import RowRuns

_SAME_FIELD_ARCSEC = 0.1
_WEIGHT_SAMPLES = 40
FEWEST_INTEGRATIONS = 3
"""Of a chunk whose weights are measured in time."""


@dataclass(frozen=True)
class ReadSettings:
    """What is read: column, selection, weights, conventions."""

    column: str | None = setting(
        None, "data column (default: CORRECTED_DATA if there, else DATA)", metavar="NAME")
    field: str | None = setting(
        None, "field, by name or number (default: the one with the most time on source)",
        metavar="NAME")
    scan: tuple[str, ...] = setting(
        None, "scans, such as 1 3 7~9 (default: all)", many=True, metavar="SCAN")
    spw: tuple[str, ...] = setting(
        None, "spectral windows, such as 0 2~3 (default: all)", many=True, metavar="SPW")
    feed: str | None = setting(
        None, "feed, where there are rows of several (FEED1 and FEED2; default: the only one)",
        metavar="FEED")
    correlations: tuple[str, ...] = setting(
        None, "correlations to use, such as RR LL (default: all)", many=True, metavar="CORR")
    stokes: str | None = setting(
        None, "Stokes parameters, such as IV; I is always made (default: all that the "
        "correlations allow)",
        metavar="IQUV")
    uv_min: UVDistance | None = setting(
        None, "shortest baseline, such as 500m or 2klambda", parse=uv_distance, metavar="LENGTH")
    uv_max: UVDistance | None = setting(
        None, "longest baseline, such as 20km or 80klambda", parse=uv_distance, metavar="LENGTH")
    weights: str | None = setting(
        None, "weights (default: spectrum if there and not constant, else row; measured: from how "
        "the visibilities of each baseline, channel and correlation scatter in time)",
        choices=("spectrum", "row", "measured", "flat"))
    time_offset: float = setting(
        "0s", "add to the times of the measurement set: an observatory's clock offset",
        parse=seconds, metavar="TIME")
    handedness: tuple[str, ...] = setting(
        None, "override what is known of the telescope: swap=yes|no negate=QUV scale=NUMBER",
        many=True, metavar="KEY=VALUE")
    v_convention: str = setting(
        "iau", "sign of V: right-handed positive (iau) or left-handed positive (pulsar)",
        choices=("iau", "pulsar"))
    parallactic: str = setting(
        "auto", "turn Q and U by the parallactic angle (auto: linear feeds, as MOUNT says; no: the "
        "calibration has done so)",
        choices=("auto", "yes", "no"))
    receptor_angle: float | None = setting(
        None, "position angle of the feed's X (or R) in degrees (default: the FEED table's, for "
        "linear feeds)", parse=degrees, metavar="DEG")
    chunk_size: int = setting(
        "256MB", "size of a chunk in memory", parse=byte_count, metavar="SIZE")


def choose_column(description, settings, choices) -> str:
    """Return the data column: the one named, else CORRECTED_DATA, else DATA."""
    if settings.column:
        if settings.column not in description.data_columns:
            raise MeasurementSetError(
                f"{description.path} has no column {settings.column} of visibilities; its data "
                f"columns are {', '.join(description.data_columns) or 'none'}")
        return settings.column
    for name in ("CORRECTED_DATA", "DATA"):
        if name in description.data_columns:
            choices.append(f"column {name}")
            return name
    raise MeasurementSetError(f"{description.path} has neither CORRECTED_DATA nor DATA; name the "
                              "column with --column")


def select_runs(description: Description, runs: RowRuns, settings: ReadSettings) -> RowRuns:
    """Return the runs of rows with cross-correlations of the scans, windows, field, feed wanted."""
    chosen = runs.cross > 0
    if not chosen.any():
        raise MeasurementSetError(f"{description.path} holds autocorrelations only")
    if settings.scan:
        scans = _numbers(settings.scan, "--scan", set(runs.scan.tolist()), description.path)
        chosen &= np.isin(runs.scan, list(scans))
    if settings.spw:
        windows = _numbers(settings.spw, "--spw", set(range(len(description.spectral_windows))),
                           description.path)
        window = np.array([window for window, _ in description.data_descriptions])
        chosen &= np.isin(window[runs.data_description], list(windows))
    if settings.feed is not None:
        feeds = _numbers((settings.feed,), "--feed", set(runs.feed[runs.feed >= 0].tolist()),
                         description.path)
        chosen &= np.isin(runs.feed, list(feeds))
    if settings.field is not None:
        chosen &= runs.field == _field_number(description, settings.field)
    if not chosen.any():
        raise MeasurementSetError(
            f"{description.path}: no cross-correlations for this choice of field, scan, spw "
            "and feed")
    return runs.select(chosen)


def _numbers(texts, option, known: set[int], path: str) -> set[int]:
    numbers: set[int] = set()
    for text in " ".join(texts).replace(",", " ").split():
        match = re.fullmatch(r"(\d+)(?:~(\d+))?", text)
        if match is None:
            raise SettingsError(f"{option}: '{text}' is neither a number nor a range such as 3~7")
        first, last = int(match[1]), int(match[2] or match[1])
        inside = {number for number in known if first <= number <= last}
        if not inside:
            raise SettingsError(f"{option}: {text} is not in {path}; it has "
                                f"{ranges(sorted(known)) or 'none'}")
        numbers |= inside
    return numbers


def one_number_a_field(runs: RowRuns, description: Description) -> RowRuns:
    """Return the runs with fields that are equal, as after concatenation, under one number."""
    numbers: list[int] = []
    for number, this in enumerate(description.fields):
        numbers.append(next(
            (earlier for earlier, other in enumerate(description.fields[:number])
             if other.name == this.name and other.phase_centre.frame == this.phase_centre.frame
             and 3600 * separation(other.phase_centre, this.phase_centre) < _SAME_FIELD_ARCSEC),
            number))
    return dataclasses.replace(runs, field=np.array(numbers)[runs.field])


def _field_number(description: Description, text: str) -> int:
    names = [field.name for field in description.fields]
    if text in names:
        return names.index(text)
    if text.isdigit() and int(text) < len(names):
        return int(text)
    raise SettingsError(f"--field: {description.path} has no field '{text}'; it has "
                        f"{', '.join(names)}")


def choose_field(description, runs, settings, choices) -> int:
    """Return the number of the field: the only one, or the one with the most time on source."""
    numbers = np.unique(runs.field)
    if len(numbers) == 1:
        return int(numbers[0])
    on_source = {}
    for number in numbers:
        mine = runs.field == number
        _, first = np.unique(runs.time[mine], return_index=True)
        on_source[int(number)] = float(runs.interval[mine][first].sum())
    best = max(on_source, key=on_source.get)
    said = ", ".join(f"{description.fields[n].name} {t / 60:.1f} min" for n, t in on_source.items())
    choices.append(f"field {description.fields[best].name}: the most time on source ({said})")
    return best


def check_feed(runs: RowRuns, path: str) -> None:
    """Check that all rows are of one feed: feeds side by side see different skies."""
    feeds = np.unique(runs.feed)
    if feeds.tolist() == [-1]:
        raise MeasurementSetError(f"{path}: all rows of this selection correlate different feeds "
                                  "(FEED1 is not FEED2), which look at different places")
    if len(feeds) > 1:
        also = " and rows that correlate different ones" if feeds[0] < 0 else ""
        raise MeasurementSetError(
            f"{path}: the selection holds the feeds {ranges(feeds[feeds >= 0].tolist())} (FEED1, "
            f"FEED2){also}; choose one with --feed")


def choose_correlations(description, runs, settings, path) -> tuple[str, ...]:
    """Return the labels, as stored, of the correlations to use."""
    setups = {description.correlations[description.data_descriptions[n][1]]
              for n in np.unique(runs.data_description)}
    if len({frozenset(setup) for setup in setups}) > 1:
        said = "; ".join(" ".join(setup) for setup in sorted(setups))
        raise MeasurementSetError(f"{path}: spectral windows differ in correlations ({said}); "
                                  "choose some with --spw")
    stored = sorted(setups)[0]
    unknown = [name for name in settings.correlations if name not in stored]
    if unknown:
        raise SettingsError(f"--correlations: {path} has no {', '.join(unknown)}; it has "
                            f"{', '.join(stored)}")
    return tuple(name for name in stored
                 if not settings.correlations or name in settings.correlations)


def choose_handedness(description, runs, settings, mjd, choices, warnings) -> Handedness:
    """Return what is known of the telescope, with what the user overrides."""
    window = description.spectral_windows[
        description.data_descriptions[runs.data_description[0]][0]]
    place = description.telescope, float(np.mean(window.frequency)), mjd
    handedness = override(known_handedness(*place) or Handedness(), settings.handedness,
                          settings.v_convention)
    doubt = documented_doubt(*place)
    if handedness.source:
        choices.append(f"handedness: {handedness.source}")
    else:
        warnings.append(
            f"nothing is known of the handedness of {description.telescope} in this band and year:"
            " the sign of V (and of Q, U) is as stored; --handedness settles it"
            + (f". Documented is: {doubt}" if doubt else ""))
    is_settled = any(entry.startswith(("swap=", "negate=")) for entry in settings.handedness)
    if handedness.source and doubt and not is_settled:
        warnings.append(doubt)
    return handedness


def choose_stokes(labels, settings, path) -> tuple[str, ...]:
    """Return the Stokes parameters to make, always with I, of correlations as settled."""
    if not parallel_hands(labels):
        raise MeasurementSetError(
            f"{path}: Stokes I needs RR and LL, or XX and YY; the correlations are "
            f"{', '.join(labels)}")
    available = available_stokes(labels)
    if settings.stokes is None:
        return available
    wanted = settings.stokes.upper().replace(",", "").replace(" ", "")
    missing = [name for name in wanted if name not in available]
    if missing or not wanted:
        raise SettingsError(
            f"--stokes: {', '.join(missing) or 'nothing'} cannot be made of the correlations "
            f"{', '.join(labels)} of {path}; they allow {''.join(available)}")
    return tuple(name for name in "IQUV" if name in wanted or name == "I")


def check_cells(measurement_set, description, runs, column) -> None:
    """Check that the cells of the data column have the shape of their spectral window."""
    for number in np.unique(runs.data_description):
        row = int(runs.start[runs.data_description == number][0])
        window, setup = description.data_descriptions[number]
        expected = (len(description.spectral_windows[window].frequency),
                    len(description.correlations[setup]))
        shape = measurement_set.cell_shape(column, row)
        if shape != expected:
            raise MeasurementSetError(
                f"{description.path}: column {column}, row {row} holds {shape}, expected "
                f"{expected} channels and correlations of spectral window {window}")


def choose_weights(measurement_set, runs, settings, choices, warnings) -> tuple[str, bool]:
    """Return which weights are used, and whether they have a scale."""
    if settings.weights == "measured":
        return "measured", True
    # Spread over the observation and, so that not always the same baseline is met, over its runs.
    spread = np.linspace(0, 1, _WEIGHT_SAMPLES)
    run = (spread * (len(runs.start) - 1)).astype(int)
    rows = np.unique(runs.start[run] + (7 * spread % 1 * runs.length[run]).astype(int))
    one = np.ones(1, int)

    held = np.array([measurement_set.cell_shape("WEIGHT_SPECTRUM", row) is not None
                     for row in rows])

    def sample(column):
        if any(measurement_set.cell_shape(column, row) is None for row in rows):
            return None
        return np.concatenate([measurement_set.rows(column, np.array([row]), one).ravel()
                               for row in rows])

    spectrum = sample("WEIGHT_SPECTRUM")
    row = sample("WEIGHT")
    chosen = settings.weights
    if chosen == "spectrum" and spectrum is None:
        raise MeasurementSetError(f"{measurement_set.path} has no (complete) WEIGHT_SPECTRUM; "
                                  "use --weights row or flat")
    if chosen is None:
        if spectrum is None:
            reason = "WEIGHT_SPECTRUM is not in all rows" if held.any() else "no WEIGHT_SPECTRUM"
        else:
            values = np.unique(spectrum[np.isfinite(spectrum)])
            reason = ("" if len(values) > 1 else "WEIGHT_SPECTRUM is constant" if len(values)
                      else "WEIGHT_SPECTRUM holds no finite number")
        chosen = "row" if reason else "spectrum"
        choices.append(f"weights {chosen}" + (f": {reason}" if reason else ""))
    values = {"spectrum": spectrum, "row": row, "flat": np.ones(1)}[chosen]
    calibrated = not (chosen == "flat" or values is None or np.all((values == 1) | (values <= 0)))
    if not calibrated:
        warnings.append("the weights are all alike and have no scale: errors are from the scatter "
                        "across baselines alone, and formal errors mean nothing")
    return chosen, calibrated


def longest_baseline(description: Description) -> float:
    """Return an upper limit (m) of the longest baseline."""
    centred = description.placed_antennas - description.position
    # An upper limit that needs no pairs: good enough for a beam size before uvw is read.
    return float(2 * np.sqrt((centred**2).sum(axis=1)).max())


def refuse_measured_weights(settings: ReadSettings) -> None:
    """Raise SettingsError where weights are to be measured by a program that measures none."""
    if settings.weights == "measured":
        raise SettingsError("--weights measured: visds-run measures them; give visds-image the "
                            "folder of such a run, or other weights")
