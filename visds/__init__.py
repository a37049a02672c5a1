"""visds: visibility-averaged dynamic spectra of radio stars from measurement sets."""

from visds.core.version import __version__

__all__ = ["DynamicSpectrum", "__version__"]


def __getattr__(name: str):
    if name == "DynamicSpectrum":
        from visds.dynspec.dynamic_spectrum import DynamicSpectrum

        return DynamicSpectrum
    raise AttributeError(f"module 'visds' has no attribute '{name}'")
