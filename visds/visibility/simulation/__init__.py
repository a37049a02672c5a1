"""Simulated observations as real measurement sets."""
