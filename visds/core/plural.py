"""Numbers of things in words: ``1 scan``, ``2 scans``."""


def counted(number: float, noun: str, ending: str = "s") -> str:
    """Return a number, to four digits unless it is a count, with its noun in the right form."""
    shown = str(number) if isinstance(number, int) else f"{number:.4g}"
    return f"{shown} {noun}{'' if number == 1 else ending}"
