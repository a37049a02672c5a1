"""Errors that a user meets, and the exit codes of every program.

Each message is one line: what was given, what was expected, where.
"""

import enum


class ExitCode(enum.IntEnum):
    """What a visds program returns to the shell."""

    OK = 0
    INPUT = 2
    CHUNKS_FAILED = 3
    DEADLINE = 75
    INTERRUPTED = 130
    TERMINATED = 143


class VisdsError(Exception):
    """Base of all errors that a user can cause and mend; ends a program with exit code 2."""


class SettingsError(VisdsError):
    """A setting on the command line or in a settings file that cannot be used."""


class MeasurementSetError(VisdsError):
    """A measurement set that is missing, incomplete, or has no data for the request."""


class SkyModelError(VisdsError):
    """A sky model that cannot be read or does not belong to the field."""


class CatalogueError(VisdsError):
    """A catalogue that cannot be read as a table of positions."""


class FormatError(VisdsError):
    """A product that is not what its name says, or of another format version."""


class ImagingError(VisdsError):
    """An image that cannot be made, cleaned or measured."""


class OutputError(VisdsError):
    """An output that cannot be written: no permission, no space, in the way of other data."""


class LauncherError(VisdsError):
    """An MPI launcher that does not belong to the MPI library in use."""
