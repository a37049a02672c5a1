"""Progress: a bar on a terminal, plain lines in a batch log."""

import io
import os
import pty
import re

import pytest

from visds.core import progress as progress_module
from visds.core.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """Return a function that moves the time on, in seconds."""
    now = [1000.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])

    def move(seconds):
        now[0] += seconds

    return move


@pytest.fixture
def terminal():
    """Return a text stream that is a terminal, and a function that reads what was written."""
    controller, device = pty.openpty()
    stream = os.fdopen(device, "w")

    def written():
        # A terminal hands over what it has by now: all is there when its end is.
        stream.write(end := "(end)")
        stream.flush()
        text = ""
        while not text.endswith(end):
            text += os.read(controller, 100_000).decode()
        return text.removesuffix(end)

    yield stream, written
    stream.close()
    os.close(controller)


def test_a_batch_log_gets_a_line_at_most_every_30_seconds_and_one_at_the_end(clock):
    stream = io.StringIO()
    with Progress("chunks", 100, 100 * 10**9, stream) as progress:
        for _ in range(100):
            clock(5)
            progress.advance(10**9)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 500 // 30 + 1
    assert lines[0] == "chunks 6/100, 0.20 GB/s, 7 min 50 s left"
    assert lines[-1] == "chunks 100/100, 0.20 GB/s, 8 min 20 s"
    assert "\r" not in stream.getvalue() and "\x1b" not in stream.getvalue()


def test_what_an_earlier_run_finished_counts_in_no_rate(clock):
    stream = io.StringIO()
    with Progress("chunks", 3, 12 * 10**9, stream) as progress:
        clock(2)
        progress.advance(2 * 10**9, is_new=False)
        clock(28)
        progress.advance(4 * 10**9, is_new=False)
        clock(10)
        progress.advance(6 * 10**9)
    assert stream.getvalue().splitlines() == ["chunks 2/3, 30.0 s left",
                                              "chunks 3/3, 0.15 GB/s, 40.0 s"]


def test_the_time_left_goes_by_bytes_where_they_are_known(clock):
    stream = io.StringIO()
    with Progress("chunks", 2, 10 * 10**9, stream) as progress:
        clock(90)
        progress.advance(9 * 10**9)
    assert stream.getvalue().splitlines()[0] == "chunks 1/2, 0.10 GB/s, 10.0 s left"


def test_without_bytes_the_time_left_goes_by_items(clock):
    stream = io.StringIO()
    with Progress("plots", 4, stream=stream) as progress:
        clock(40)
        progress.advance()
    assert stream.getvalue().splitlines()[0] == "plots 1/4, 2 min 00 s left"


def test_a_terminal_gets_one_line_drawn_over_and_over_that_ends_full(clock, terminal):
    stream, written = terminal
    with Progress("chunks", 4, stream=stream) as progress:
        for _ in range(4):
            clock(0.2)
            progress.advance()
    text = written()
    assert text.count("\n") == 1
    bars = re.findall(r"\r\[(=*)( *)\] chunks (\d)/4", text)
    assert [(len(filled), len(filled + rest), done) for filled, rest, done in bars] == [
        (6, 24, "1"), (12, 24, "2"), (18, 24, "3"), (24, 24, "4")]


def test_a_bar_is_not_redrawn_for_every_one_of_many_chunks(clock, terminal):
    stream, written = terminal
    with Progress("chunks", 2000, stream=stream) as progress:
        for _ in range(2000):
            clock(0.001)
            progress.advance()
    assert written().count("\r") <= 22


def test_an_error_leaves_the_line_ended_and_says_how_far_it_came(clock, terminal):
    stream, written = terminal
    with pytest.raises(RuntimeError), Progress("chunks", 4, stream=stream) as progress:
        clock(0.2)
        progress.advance()
        raise RuntimeError
    assert "chunks 1/4" in written().splitlines()[-1]


def test_ranks_behind_a_launcher_draw_the_bar_on_the_terminal_before_it(monkeypatch, capsys):
    monkeypatch.setenv(progress_module.BAR_VARIABLE, "1")
    with Progress("chunks", 1) as progress:
        progress.advance()
    assert capsys.readouterr().err.startswith("\r[====")


def test_nothing_to_do_says_nothing():
    stream = io.StringIO()
    with Progress("chunks", 0, stream=stream):
        pass
    assert stream.getvalue() == ""
