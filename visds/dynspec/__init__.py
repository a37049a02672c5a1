"""Dynamic spectra: averaged, stitched, searched, drawn."""
