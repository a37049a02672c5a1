"""One thing is in the singular."""

import pytest

from visds.core.plural import counted


@pytest.mark.parametrize(("number", "text"), [
    (0, "0 scans"), (1, "1 scan"), (12345678, "12345678 scans"), (2.5, "2.5 scans"),
    (1 / 3, "0.3333 scans"), (1.0, "1 scan")])
def test_one_is_in_the_singular_and_a_count_keeps_all_its_digits(number, text):
    assert counted(number, "scan") == text
