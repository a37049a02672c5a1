"""Numbers in two bytes each where that loses nothing: as text for a page."""

import base64
from typing import Any

import numpy as np

_MOST = 32767
_MISSING = -32768


def linear(values: np.ndarray, noise: float) -> dict[str, Any]:
    """Return values, and NaN, as base64 of little-endian int16 in steps of at most noise / 100.

    A code c stands for ``middle + step * c``, -32768 for NaN. Where such steps do not reach over
    all values they are float32, and `step` is 0.
    """
    seen = np.isfinite(values)
    low, high = (float(np.min(values[seen])), float(np.max(values[seen]))) if seen.any() else (0, 0)
    middle, step = (low + high) / 2, (high - low) / (2 * _MOST) or 1.0
    if high > low and not step <= noise / 100:
        return {"data": _text(values.astype("<f4")), "middle": 0.0, "step": 0.0}
    codes = np.full(values.shape, _MISSING, "<i2")
    codes[seen] = np.rint((values[seen] - middle) / step)
    return {"data": _text(codes), "middle": middle, "step": step}


def positive(values: np.ndarray) -> dict[str, Any]:
    """Return positive values as base64 of little-endian uint16.

    A code c stands for ``least * exp(step * (c - 1))``, and 0 for what is not positive or NaN.
    """
    seen = np.isfinite(values) & (values > 0)
    codes = np.zeros(values.shape, "<u2")
    least, step = 1.0, 1.0
    if seen.any():
        logarithm = np.log(values[seen])
        low, high = float(logarithm.min()), float(logarithm.max())
        least, step = float(np.exp(low)), (high - low) / 65534 or 1.0
        codes[seen] = 1 + np.rint((logarithm - low) / step)
    return {"data": _text(codes), "least": least, "step": step}


def _text(codes: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(codes).tobytes()).decode()
