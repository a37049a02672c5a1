"""Numbers with their errors in words, to the second digit of the error."""

import math


def value_with_error(value: float, error: float, most_decimals: int = 12) -> str:
    """Return a number and its error to the second digit of the error: ``40.312 ± 0.045``.

    At most `most_decimals`, and no error where it is not known or zero.
    """
    if not (math.isfinite(value) and math.isfinite(error) and error > 0):
        return f"{value:.5g}"
    # An error of 0.0996 is one of 0.10.
    digits = min(max(0, 1 - math.floor(math.log10(float(f"{error:.1e}")))), most_decimals)
    return f"{value:.{digits}f} ± {error:.{digits}f}"
