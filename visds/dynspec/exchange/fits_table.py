"""FITS tables of light curves; dynamic spectra are images (`visds.dynspec.fits`)."""

import os

from astropy.io import fits
from astropy.table import Table

from visds.core.files import whole_file

_SAID = {"target": ("OBJECT", ""), "telescope": ("TELESCOP", ""), "origin": ("ORIGIN", ""),
         "ra_deg": ("RA", "[deg] right ascension, ICRS"),
         "dec_deg": ("DEC", "[deg] declination, ICRS"),
         "frequency_Hz": ("FREQ", "[Hz] mean frequency of the band")}


def write_fits_table(table: Table, path: str | os.PathLike) -> None:
    """Write the table of a light curve as the FITS extension LIGHTCURVE.

    TIME is MJD UTC at the telescope, as TIMESYS, MJDREF and TIMEUNIT say (Rots et al. 2015).

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    plain = table.copy(copy_data=False)
    plain.meta = {}
    for name in plain.colnames:
        plain.rename_column(name, name.upper())
    hdu = fits.table_to_hdu(plain)
    hdu.name = "LIGHTCURVE"
    for name, (key, comment) in _SAID.items():
        if name in table.meta:
            value = table.meta[name]
            plain_text = str(value).encode("ascii", "replace").decode()[:68]
            hdu.header[key] = (value if isinstance(value, float) else plain_text, comment)
    hdu.header["TIMESYS"] = ("UTC", "scale of all times but TIME_BARYCENTRE")
    hdu.header["TREFPOS"] = ("TOPOCENTER", "times are those at the telescope")
    hdu.header["MJDREF"] = (0.0, "TIME is MJD")
    hdu.header["TIMEUNIT"] = "d"
    with whole_file(path) as part:
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(part, overwrite=True)
