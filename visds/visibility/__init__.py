"""Measurement sets, chunks of visibilities, sky models."""
