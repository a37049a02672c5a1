"""Flagging of interference that leaves bursts alone."""
