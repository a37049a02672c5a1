"""Matches between catalogues."""
