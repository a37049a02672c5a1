"""Flares put into the data of a run, and what the search makes of them."""
