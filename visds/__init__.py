"""visds: visibility-averaged dynamic spectra of radio stars from measurement sets."""

__version__ = "0.1.0"
__all__ = ["DynamicSpectrum", "__version__"]


def __getattr__(name: str):
    if name == "DynamicSpectrum":
        from visds.dynspec.dynamic_spectrum import DynamicSpectrum

        return DynamicSpectrum
    raise AttributeError(f"module 'visds' has no attribute '{name}'")
