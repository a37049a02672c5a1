"""A small catalogue of the simulated field, to try a crossmatch on."""

import os

import numpy as np
from astropy import units
from astropy.table import Table

from visds.core.files import whole_file
from visds.visibility.simulation.background import Background
from visds.visibility.simulation.sky_geometry import offset_position
from visds.visibility.simulation.truth import Truth

_EPOCH = 2016.0
_MJD_OF_J2000 = 51544.5
_DECOYS = 20
_STAR_ERROR = 0.05 / 3600
_SOURCE_ERROR = 0.5 / 3600
_DECOY_FIELD = 0.3  # degrees about the target


def make_catalogue(truth: Truth, background: Background, proper_motion: tuple[float, float],
                   mjd: float, random: np.random.Generator) -> Table:
    """Return the star, the background sources and unrelated decoys as one table.

    Parameters
    ----------
    truth : Truth
        Where the star is at the time of the observation.
    background : Background
    proper_motion : tuple of float
        Of the star, mas/yr east (times cos dec) and north: its catalogue position is moved back
        by it to epoch 2016.0.
    mjd : float
        Time of the observation.
    random : numpy.random.Generator
        For the errors of the background sources' positions and for the decoys.

    Returns
    -------
    astropy.table.Table
        name; ra, dec (deg); ra_error, dec_error (arcsec); pm_ra, pm_dec (mas/yr);
        flux_density (Jy); epoch (yr). What a catalogue would not know is masked.
    """
    years = 2000 + (mjd - _MJD_OF_J2000) / 365.25 - _EPOCH
    east, north = (-motion * years / 3.6e6 for motion in proper_motion)
    ra, dec = offset_position((truth.ra, truth.dec), east, north)
    steady = truth.emissions[0].stokes[0]
    rows = [("simulated star", ra, dec, _STAR_ERROR, *proper_motion, steady)]
    for index in range(background.ra.size):
        shift = random.normal(0, _SOURCE_ERROR, 2)
        ra, dec = offset_position((background.ra[index], background.dec[index]), *shift)
        rows.append((f"background {index + 1}", ra, dec, _SOURCE_ERROR, np.nan, np.nan,
                     background.flux_density[index]))
    for index in range(_DECOYS):
        shift = random.uniform(-_DECOY_FIELD, _DECOY_FIELD, 2)
        ra, dec = offset_position((truth.ra, truth.dec), *shift)
        rows.append((f"decoy {index + 1}", ra, dec, _STAR_ERROR, *random.normal(0, 20, 2), np.nan))
    names, ra, dec, error, *unsure = zip(*rows, strict=True)
    arcsec = np.array(error) * 3600
    return Table([names, ra, dec, arcsec, arcsec, *map(np.ma.masked_invalid, unsure),
                  np.full(len(rows), _EPOCH)],
                 names=("name", "ra", "dec", "ra_error", "dec_error", "pm_ra", "pm_dec",
                        "flux_density", "epoch"),
                 units=(None, units.deg, units.deg, units.arcsec, units.arcsec,
                        units.mas / units.yr, units.mas / units.yr, units.Jy, units.yr))


def write_catalogue(catalogue: Table, path: str | os.PathLike) -> None:
    """Write the catalogue as an ECSV table."""
    with whole_file(path) as part:
        catalogue.write(part, format="ascii.ecsv", overwrite=True)
