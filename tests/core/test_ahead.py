"""Stages that are made ahead in threads give what they give without."""

import itertools
import threading

import pytest

from visds.core.ahead import ahead


def test_reading_ahead_keeps_order_and_ends():
    assert list(ahead(iter(range(1, 50)))) == list(range(1, 50))
    assert list(ahead(iter(()))) == []


def test_an_error_of_the_reader_is_raised_where_its_slab_would_have_come():
    def slabs():
        yield 1
        yield 2
        raise OSError("the disk is gone")

    found = []
    with pytest.raises(OSError, match="the disk is gone"):
        for slab in ahead(slabs()):
            found.append(slab)
    assert found == [1, 2]


@pytest.mark.parametrize("cores", [1, 2])
def test_slabs_are_made_ahead_where_there_is_a_core_for_it(monkeypatch, cores):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    threads = []

    def slabs():
        for k in range(5):
            threads.append(threading.current_thread())
            yield k

    assert list(ahead(slabs())) == [0, 1, 2, 3, 4]
    assert (set(threads) == {threading.main_thread()}) == (cores == 1)


def test_a_reader_that_is_left_early_stops():
    closed = []

    def slabs():
        try:
            yield from itertools.count(1)
        finally:
            closed.append(True)

    early = ahead(slabs())
    assert next(early) == 1
    early.close()
    assert not closed or closed == [True]
