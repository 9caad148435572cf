"""Signals become one exception; what ends a process that does not answer is shown in tests/drills."""

from __future__ import annotations

import logging
import os
import signal
import threading

import pytest

from lakesmith.engine.stopping import is_no_interruption, stops_on_signals
from lakesmith.errors import ExitCode, Stopped, exit_code_of, is_retryable


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, ExitCode.TERMINATED), (signal.SIGINT, ExitCode.INTERRUPTED)]
)
def test_a_signal_is_an_exception_that_names_it(number: signal.Signals, code: ExitCode) -> None:
    with (
        pytest.raises(Stopped, match=f"{number.name} told the process to end") as stopped,
        stops_on_signals(),
    ):
        os.kill(os.getpid(), number)
    assert (exit_code_of(stopped.value), is_retryable(stopped.value)) == (code, True)
    assert code == 128 + number


def test_a_second_signal_is_not_caught_and_time_is_short() -> None:
    def told_to_stop() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
            assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
            assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 20

    with pytest.raises(Stopped), stops_on_signals():
        told_to_stop()


def test_handlers_are_given_back() -> None:
    watched = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    before = [signal.getsignal(number) for number in watched]
    with pytest.raises(Stopped), stops_on_signals():
        os.kill(os.getpid(), signal.SIGINT)
    assert [signal.getsignal(number) for number in watched] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_another_thread_cannot_have_handlers_and_runs_without() -> None:
    done = []

    def work() -> None:
        with stops_on_signals():
            done.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    assert done == [before]


@pytest.mark.parametrize(("error", "kept"), [(Stopped("SIGINT"), False), (OSError(), True), (None, True)])
def test_interruptions_are_no_errors_in_the_log(error: BaseException | None, kept: bool) -> None:
    info = (type(error), error, None) if error is not None else None
    record = logging.LogRecord("py4j", logging.ERROR, "", 0, "while sending command", None, info)
    assert is_no_interruption(record) is kept
