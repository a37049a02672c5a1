"""The options of a simulated observation, one frozen dataclass a concept."""

from dataclasses import dataclass

from visds.core.settings import setting
from visds.visibility.simulation.flares import Flare, parse_flare
from visds.visibility.simulation.values import (
    angle,
    count,
    counted,
    date,
    duration,
    fraction,
    hertz,
    number,
    pair,
    positive_flux_density,
    ratio,
    sky_position,
    stokes_parameters,
)


@dataclass(frozen=True)
class ArraySettings:
    """The antennas and their feeds."""

    array: str = setting("VLA", "VLA (B configuration), VLA-A to VLA-D, uGMRT, ATCA, MeerKAT, or "
                         "a CSV file of antennas with columns name, x, y, z (ITRF metres)")
    antennas: int | None = setting(None, "use only this many antennas, spread over the list",
                                   parse=counted)
    feeds: str | None = setting(None, "feed basis (default: that of the array)",
                                choices=("circular", "linear"))
    correlations: str = setting("4", "4, or 2 for the parallel hands only", choices=("4", "2"))
    mount: str | None = setting(None, "mount of the antennas (default: that of the array)",
                                choices=("alt-az", "equatorial"))
    parallactic: str = setting("auto", "whether the feeds turn with the parallactic angle; auto: "
                               "linear feeds on alt-az mounts only, as circular ones are usually "
                               "corrected by calibration", choices=("auto", "on", "off"))
    receptor_angle: float = setting("0deg", "position angle of receptor X or R on the antenna",
                                    parse=angle)
    dipoles: str = setting("auto", "whether the telescope records its two dipoles exchanged, "
                           "which changes the sign of V and of the feeds' Q; auto: as uGMRT "
                           "does from 550 to 900 MHz", choices=("auto", "right", "swapped"))
    autocorrelations: bool = setting(False, "write the autocorrelations too")


@dataclass(frozen=True)
class ScheduleSettings:
    """Which field is observed when."""

    field_position: tuple[float, float] = setting(
        "01h39m01.6s -17d57m02s", "phase centre of the target field", parse=sky_position,
        metavar="'RA DEC'")
    start: float | None = setting(None, "first instant, UTC date or MJD (default: the target field "
                                  "is at --hour-angle half-way, on 2024-06-01)", parse=date,
                                  metavar="DATE")
    hour_angle: float = setting("0", "hour angle half-way, in hours, where --start is not given",
                                parse=number, metavar="HOURS")
    scans: int = setting("2", "number of scans on the target field", parse=counted)
    scan_length: float = setting("5min", "length of a scan on the target field", parse=duration)
    integration: float = setting("10s", "length of an integration", parse=duration)
    gap: float = setting("20s", "pause between scans", parse=duration)
    calibrator: bool = setting(True, "scans on a calibrator before, between and after")
    calibrator_scan: float = setting("1min", "length of a scan on the calibrator", parse=duration)
    calibrator_offset: tuple[float, float] = setting(
        "2 1", "offset of the calibrator from the target field, degrees east and north",
        parse=pair, metavar="'EAST NORTH'")
    calibrator_flux: float = setting("10Jy", "flux density of the calibrator",
                                     parse=positive_flux_density)


@dataclass(frozen=True)
class SpectrumSettings:
    """The spectral windows."""

    spectral_windows: int = setting("1", "number of spectral windows", parse=counted)
    channels: int = setting("32", "channels in each", parse=counted)
    frequency: float | None = setting(None, "centre of the lowest channel (default: that of the "
                                      "array)", parse=hertz)
    channel_width: float = setting("4MHz", "width of a channel; --channel-width=-4MHz is the "
                                   "same as --descending", parse=hertz)
    descending: bool = setting(False, "channels in order of descending frequency")
    spectral_window_gap: float = setting("0MHz", "gap between spectral windows", parse=hertz)


@dataclass(frozen=True)
class TargetSettings:
    """The star."""

    target: tuple[float, float] | None = setting(
        None, "position of the star (default: the phase centre)", parse=sky_position,
        metavar="'RA DEC'")
    target_offset: tuple[float, float] | None = setting(
        None, "or its offset from the phase centre, arcsec east and north",
        parse=pair, metavar="'EAST NORTH'")
    quiescent: tuple[float, float, float, float] = setting(
        "10mJy 0 0 1mJy", "steady flux density I [Q [U [V]]]", parse=stokes_parameters,
        metavar="'I Q U V'")
    target_index: float = setting("0", "spectral index of the steady emission", parse=number)
    flares: bool = setting(True, "whether the star flares")
    flare: tuple[Flare, ...] = setting(
        ("time=30%,duration=40s,I=300mJy,V=70%",
         "time=75%,duration=60s,I=200mJy,V=-90%,drift=-1.5MHz/s"),
        "flares: comma-separated time= of the peak (s from the start, or % of the time on the "
        "target), duration= and bandwidth= (full width at half maximum; without bandwidth the "
        "whole band), I=, Q=, U=, V= (Jy, signed, Q U V also as % of I), frequency= of the centre "
        "(default: of the band), drift= in MHz/s (the peak comes later by (frequency - centre) / "
        "drift)", parse=parse_flare, many=True, metavar="KEY=VALUE,...")
    proper_motion: tuple[float, float] = setting(
        "400 -300", "proper motion of the star in the catalogue, mas/yr east and north",
        parse=pair, metavar="'EAST NORTH'")


@dataclass(frozen=True)
class FieldSettings:
    """The background sources, all of them constant and unpolarized."""

    sources: int = setting("20", "number of background sources", parse=count)
    brightest: float = setting("200mJy", "flux density of the brightest",
                               parse=positive_flux_density)
    faintest: float = setting("2mJy", "flux density of the faintest possible",
                              parse=positive_flux_density)
    slope: float = setting("1.7", "dN/dS falls as S to the power of minus this", parse=number)
    radius: float = setting("10arcmin", "sources lie within this of the phase centre", parse=angle)
    spectral_index: float = setting("-0.7", "mean spectral index at the reference frequency, the "
                                    "centre of the band", parse=number)
    spectral_index_scatter: float = setting("0.2", "standard deviation of the spectral indices",
                                            parse=number)
    taylor_terms: int = setting("2", "Taylor-term images to write; 0 for none", parse=count)
    cell: float = setting("2.5arcsec", "pixel of the images", parse=angle)


@dataclass(frozen=True)
class NoiseSettings:
    """Thermal noise and the weights that belong to it."""

    noise: float = setting("50mJy", "sigma of the real part of one visibility",
                           parse=positive_flux_density)
    sefd: float | None = setting(None, "system equivalent flux density, instead of --noise: sigma "
                                 "= SEFD / sqrt(2 channel width x integration)",
                                 parse=positive_flux_density)
    antenna_ratio: float = setting("1", "noise of the noisiest antenna over that of the best; a "
                                   "baseline has the geometric mean of two", parse=ratio)
    receptor_ratio: float = setting("1", "noise of the second receptor over the first",
                                    parse=ratio)
    channel_ratio: float = setting("1", "noise of the highest channel over the lowest",
                                   parse=ratio)
    weight_spectrum: bool = setting(False, "write WEIGHT_SPECTRUM, a weight per channel")


@dataclass(frozen=True)
class DefectSettings:
    """What spoils data: interference, absent rows, flags."""

    rfi_bursts: int = setting("0", "number of broad-band bursts of interference", parse=count)
    rfi_tones: int = setting("0", "number of channels with lasting interference", parse=count)
    rfi_flux: float = setting("5Jy", "its flux density", parse=positive_flux_density)
    rfi_baselines: float = setting("0.3", "fraction of the baselines that a burst or tone reaches",
                                   parse=fraction)
    flag_rfi: bool = setting(False, "flag the interference")
    dropped: float = setting("0", "fraction of antenna-integrations whose rows are absent",
                             parse=fraction)
    flagged: float = setting("0", "fraction of samples flagged, which then hold 1000 Jy",
                             parse=fraction)


@dataclass(frozen=True)
class OutputSettings:
    """What is written."""

    corrected: bool = setting(False, "write CORRECTED_DATA, a copy of DATA")
    model: bool = setting(False, "write MODEL_DATA: background sources and calibrator")
    seed: int = setting("1", "seed of everything random", parse=count)
    overwrite: bool = setting(False, "replace an existing measurement set and its companions")


STAGES: dict[str, type] = {
    "array": ArraySettings, "schedule": ScheduleSettings, "spectrum": SpectrumSettings,
    "target": TargetSettings, "field": FieldSettings, "noise": NoiseSettings,
    "defects": DefectSettings, "output": OutputSettings,
}
