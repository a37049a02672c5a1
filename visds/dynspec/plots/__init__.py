"""Figures of dynamic spectra and light curves; the only part of the room that uses matplotlib."""
