"""A home folder for programs that use casacore or CASA."""

import casadata


def make_home(folder):
    """Make a home folder in which CASA and casacore find their tables without the network."""
    (folder / ".casa").mkdir(parents=True)
    (folder / ".casa" / "config.py").write_text(
        f"measurespath = {casadata.datapath!r}\ndatapath = [{casadata.datapath!r}]\n"
        "measures_auto_update = data_auto_update = False\nlogfile = '/dev/null'\n")
    (folder / ".casarc").write_text(f"measures.directory: {casadata.datapath}\n")
    return folder
