"""What a process does with the signals that it is sent."""

import os
import signal
from types import SimpleNamespace

import pytest

from mmcoop.engine import CheckpointHook, StopSignalHook, stop_signals
from mmcoop.engine.stop_signals import SIGNALS, obeyed


class Loop:
    """While it runs, a run is training."""

    def run(self, *signals: int) -> None:
        for number in signals:
            os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def _as_usual():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def runner(tmp_path):
    hooks = [CheckpointHook(), StopSignalHook()]
    return SimpleNamespace(
        hooks=hooks, train_loop=Loop(), iter=5, work_dir=str(tmp_path)
    )


def begin(runner) -> StopSignalHook:
    hook = runner.hooks[1]
    hook.before_train(runner)
    return hook


@pytest.mark.parametrize('number', SIGNALS)
def test_the_first_signal_is_noted(runner, number, capfd):
    hook = begin(runner)
    # Twice at once, as torchrun has it, which gets Ctrl-C too
    runner.train_loop.run(number, number)
    assert hook.received == number
    assert signal.Signals(number).name in capfd.readouterr().err


def test_a_second_signal_stops_at_once(runner, monkeypatch):
    begin(runner)
    monkeypatch.setattr(stop_signals, 'SAME', 0)
    with pytest.raises(KeyboardInterrupt):
        runner.train_loop.run(signal.SIGINT, signal.SIGINT)


def test_a_run_that_an_error_ended_takes_no_signals(runner):
    hook = begin(runner)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    assert hook.received is None


def test_what_is_ignored_stays_ignored(runner):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hook = begin(runner)
    runner.train_loop.run(signal.SIGINT)
    assert hook.received is None


def test_signals_are_given_back(runner):
    before = signal.getsignal(signal.SIGTERM)
    hook = begin(runner)
    assert signal.getsignal(signal.SIGTERM) != before
    hook.after_train(runner)
    assert signal.getsignal(signal.SIGTERM) == before


def test_needs_a_hook_that_saves(runner):
    del runner.hooks[0]
    with pytest.raises(ValueError, match='set default_hooks.checkpoint to'):
        runner.hooks[0].before_train(runner)


def test_an_error_after_a_signal_is_the_signals(runner):
    hook = begin(runner)
    with pytest.raises(RuntimeError, match='of its own'), obeyed(runner):
        raise RuntimeError('of its own')
    hook.received = signal.SIGTERM
    with pytest.raises(SystemExit) as caught, obeyed(runner):
        raise RuntimeError('DataLoader worker is killed by signal')
    assert caught.value.code == 143
