"""Dynamic spectra and light curves in the formats of other tools, to and from: one a module."""
