"""Bursts in a dynamic spectrum: matched filter, noise, false alarms, events."""
