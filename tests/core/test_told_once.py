"""What holds for many targets is said once, with all of their names or their number."""

from visds.core.told_once import told_once


def smeared(name, away="0.14 deg", left="0.59"):
    return name, f"smearing at {name}, {away} from the phase centre, leaves {left}"


def test_what_differs_in_names_numbers_and_units_only_is_told_once():
    assert told_once([smeared("UV Cet"), smeared("Star 2", "3.1 arcmin", "1"),
                      smeared("AU Mic", "-2e-3 arcsec")]) == [
        "smearing at UV Cet, 0.14 deg from the phase centre, leaves 0.59; the like holds for Star "
        "2 and AU Mic"]


def test_of_many_some_are_named_and_all_are_counted():
    line, = told_once([smeared(f"decoy {number}") for number in range(20)])
    assert line.endswith("; the like holds for decoy 1, decoy 2, decoy 3, decoy 4, decoy 5 and "
                         "14 more targets")


def test_different_lines_stay_and_so_do_all_of_the_first():
    lines = [("a", "a: off in I over scan 2"), ("a", "a: off in I over scan 4"),
             ("b", "b: off in V over scan 2"), ("c", "c: off in I over scan 4")]
    assert told_once(lines) == ["a: off in I over scan 2",
                                "a: off in I over scan 4; the like holds for c",
                                "b: off in V over scan 2"]
