"""Warnings of many targets in few lines: those that differ in numbers only are told once."""

import re
from collections.abc import Sequence

from visds.core.plural import counted

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?: (?:deg|arcmin|arcsec|mas|[mu]?Jy)\b)?")
_NAMED = 5


def told_once(lines: Sequence[tuple[str, str]], noun: str = "target") -> list[str]:
    """Return the lines of things with names, of those that are alike what is said of the first.

    Lines are alike that differ in the name and in numbers with their units only. Behind the first
    are the names of the others, of many their number.
    """
    alike: dict[str, list[tuple[str, str]]] = {}
    for name, line in lines:
        nameless = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "#", line)
        alike.setdefault(_NUMBER.sub("#", nameless), []).append((name, line))
    told = []
    for group in alike.values():
        first = group[0][0]
        told += [line for name, line in group if name == first]
        told[-1] += _others(list(dict.fromkeys(name for name, _ in group if name != first)), noun)
    return told


def _others(names: Sequence[str], noun: str) -> str:
    if not names:
        return ""
    # One that is left over takes no more room than that it is one more.
    if len(names) > _NAMED + 1:
        names = [*names[:_NAMED], f"{counted(len(names) - _NAMED, f'more {noun}')}"]
    *before, last = names
    return f"; the like holds for {', '.join(before)}{' and ' if before else ''}{last}"
