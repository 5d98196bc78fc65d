"""What a run that is resumed still knows."""

import math

import pytest
import torch
from mmengine.logging import MessageHub

from mmcoop.report.history import RunHistory


@pytest.fixture
def hub() -> MessageHub:
    return MessageHub.get_current_instance()


def resumed(hub, path) -> RunHistory:
    """Go on in a new process, from a checkpoint."""
    torch.save(hub.state_dict(), path)
    # Not even mmengine's history has to be permitted for it.
    state = torch.load(path, weights_only=True)
    new = MessageHub.get_instance(f'{hub.instance_name} resumed')
    new.load_state_dict(state)
    return RunHistory(new)


def test_resuming_goes_on(hub, tmp_path):
    history = RunHistory(hub)
    assert len(history.steps) == 0
    history.note_norms(0, torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    history.note_accuracy(20, 12.5)
    history.note_norms(20, torch.tensor([[6.0, 8.0], [0.0, 2.0]]))
    again = resumed(hub, tmp_path / 'state.pth')
    # The end of an epoch is the start of the session that goes on.
    again.note_norms(20, torch.tensor([[6.0, 8.0], [0.0, 2.0]]))
    again.note_norms(40, torch.tensor([[0.0, 0.0], [0.0, 3.0]]))
    assert again.steps == [0, 20, 40]
    assert again.norms.tolist() == [[5, 1], [10, 2], [0, 3]]
    assert again.evaluations == [[20, 12.5]]
    assert again.seconds > history._seconds


def test_time_adds_up(hub, monkeypatch):
    now = [100.0]
    monkeypatch.setattr('time.monotonic', lambda: now[0])
    history = RunHistory(hub)
    now[0] = 107.0
    history.note_accuracy(1, 50.0)
    now[0] = 1000.0  # in between, nothing ran
    again = RunHistory(hub)
    now[0] = 1002.0
    assert again.seconds == 9.0


def test_class_specific_norms_are_means(hub):
    history = RunHistory(hub)
    ctx = torch.tensor([[[3.0, 4.0]], [[0.0, 1.0]]])
    history.note_norms(1, ctx)
    assert history.norms.tolist() == [[3.0]]


def test_curves_are_means_over_some_iterations(hub):
    history = RunHistory(hub, every=2)
    for step, loss in enumerate([4.0, 2.0, 1.0, 2.0, 9.0], start=1):
        hub.update_scalar('train/loss', loss)
        hub.update_scalar('train/lr', 0.5)
        history.note_iteration(step)
    steps, losses, rates, accuracies = RunHistory(hub).curves.T.tolist()
    assert steps == [2, 4]
    assert losses == [3, 1.5]
    assert rates == [0.5, 0.5]
    assert all(map(math.isnan, accuracies))


def test_a_long_run_keeps_no_more_than_a_short_one(hub):
    history = RunHistory(hub, every=50)
    for step in range(1001):
        history.note_norms(step, torch.ones(4, 2))
        history.note_accuracy(step, step / 10)
    assert history.steps == list(range(0, 1001, 50))
    assert 20 <= len(history.evaluations) <= 23
    assert history.evaluations[-1] == [1000, 100.0], 'the last one counts'
