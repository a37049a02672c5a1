"""Which primary beam belongs to an observation."""

from pathlib import Path

from visds.core.errors import SettingsError
from visds.core.quantities import METRES, parse
from visds.visibility.primary_beam.airy import AiryBeam
from visds.visibility.primary_beam.beam import PrimaryBeam
from visds.visibility.primary_beam.cosine_taper import MEERKAT
from visds.visibility.primary_beam.kat_beam import choose_katbeam
from visds.visibility.primary_beam.polynomial import beam_in_band, published_beam

_TABLES = {"vla": "VLA", "vla-old": "VLA-old", "ugmrt": "uGMRT", "atca": "ATCA"}
_NAMES = ("none", "auto", *_TABLES, "meerkat", "katbeam", "airy")
_MEERKAT_BANDS = (544e6, 1712e6)
# In the order in which they are tried; a measurement set of the old VLA may be simulated at S band.
_OF_TELESCOPE = {"EVLA": ("VLA",), "VLA": ("VLA-old", "VLA"), "JVLA": ("VLA",),
                 "GMRT": ("uGMRT",), "UGMRT": ("uGMRT",), "ATCA": ("ATCA",)}
_WITHOUT_DISHES = ("LOFAR", "LWA", "PAPER", "MWA", "NENUFAR", "OVRO-LWA", "OVRO_LWA", "AARTFAAC",
                   "SKA-LOW", "EDA2")
_PHASED_FEEDS = ("ASKAP", "APERTIF")


def choose_beam(name: str | None, telescope: str, dish_diameter: float, *, lowest: float,
                highest: float) -> PrimaryBeam | None:
    """Return the beam that a user names, or None where none is wanted.

    Parameters
    ----------
    name : str or None
        ``auto``, one of the names of the option --primary-beam, ``airy:DIAMETER``, a FITS file, or
        ``none``.
    telescope : str
        As the measurement set names it.
    dish_diameter : float
        m; 0 where it is not known.
    lowest, highest : float
        Of the data's channels, Hz.

    Raises
    ------
    SettingsError
        If the name is not known, the file is no beam, or nothing is known of the beam of this
        telescope at these frequencies.
    """
    wanted = (name or "none").strip()
    word = wanted.lower()
    if word == "none":
        return None
    if word == "auto":
        return _by_telescope(telescope, dish_diameter, lowest, highest)
    if word in _TABLES:
        return beam_in_band(_TABLES[word], word, lowest, highest)
    if word == "meerkat":
        if not _is_meerkat_band(lowest, highest):
            raise SettingsError(
                f"--primary-beam meerkat: the data are at {lowest / 1e6:.6g} to "
                f"{highest / 1e6:.6g} MHz, the beam is known at 544-1712 MHz")
        return MEERKAT
    if word == "katbeam":
        return choose_katbeam(lowest, highest)
    if word == "airy":
        return _airy(dish_diameter, "--primary-beam airy", telescope)
    if word.startswith("airy:"):
        try:
            diameter = parse(wanted[len("airy:"):], METRES)
        except SettingsError as error:
            raise SettingsError(f"--primary-beam {wanted}: {error}") from None
        if diameter <= 0:
            raise SettingsError(f"--primary-beam {wanted}: a dish has a positive diameter")
        return AiryBeam(diameter)
    if Path(wanted).is_file():
        from visds.visibility.primary_beam.fits import read_fits_beam

        return read_fits_beam(wanted)
    raise SettingsError(f"--primary-beam: '{wanted}' is neither a file nor one of "
                        f"{', '.join(_NAMES)} or airy:DIAMETER")


def _by_telescope(telescope: str, dish_diameter: float, lowest: float,
                  highest: float) -> PrimaryBeam:
    name = telescope.strip().upper()
    if name.startswith(_WITHOUT_DISHES):
        raise SettingsError(f"--primary-beam auto: {telescope} has no dishes, and its beam is not "
                            "known here; give it as a FITS file")
    if name.startswith(_PHASED_FEEDS):
        raise SettingsError(f"--primary-beam auto: {telescope} forms several beams beside each "
                            "other, and where this one points is not known here; give --pointing "
                            "and --primary-beam airy:12m or a FITS file")
    for table in _OF_TELESCOPE.get(name, ()):
        beam = published_beam(table)
        if beam.holds(lowest, highest):
            return beam
    if name == "MEERKAT" and _is_meerkat_band(lowest, highest):
        return MEERKAT
    return _airy(dish_diameter, "--primary-beam auto", telescope)


def _airy(dish_diameter: float, option: str, telescope: str) -> AiryBeam:
    if not dish_diameter > 0:
        raise SettingsError(f"{option}: the measurement set does not say how large the dishes of "
                            f"{telescope or 'the telescope'} are; give airy:DIAMETER or a FITS "
                            "file")
    return AiryBeam(dish_diameter)


def _is_meerkat_band(lowest: float, highest: float) -> bool:
    return _MEERKAT_BANDS[0] <= lowest and highest <= _MEERKAT_BANDS[1]
