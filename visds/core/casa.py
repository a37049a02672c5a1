"""The one door to casatools: configured before its import, and imported only when used."""

import functools
import types

# Says that the bundled table of leap seconds is some months old: no leap second was missed.
_LEAP_SECONDS = ["Leap second table", "Until the table is updated",
                 "times and coordinates derived from UTC"]


@functools.cache
def load_casatools() -> types.ModuleType:
    """Return casatools, set to read casadata's measures tables and to write no log file.

    The measures tables are those of the casadata package whatever a user's own configuration
    says, nothing is updated over the network and nothing is written to the home directory. Only
    severe messages reach the terminal.
    """
    import casadata
    from casaconfig import config

    config.measurespath = casadata.datapath
    config.datapath = [casadata.datapath]
    config.measures_auto_update = config.data_auto_update = False
    config.logfile = "/dev/null"
    import casatools

    # Without a global sink every tool logs to the terminal.
    casatools.logger.setglobal(True)
    casatools.logger.filter("SEVERE")
    casatools.logger.filterMsg(_LEAP_SECONDS)
    return casatools
