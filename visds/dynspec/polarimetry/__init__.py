"""Polarimetry: what follows from Stokes parameters, of cells, bursts and means."""
