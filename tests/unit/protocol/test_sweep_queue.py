"""Jobs of a sweep and the queue that takes them, or does not."""

import pytest

from mmcoop.protocol import sweep
from mmcoop.protocol.run_folder import RunFolder, write_json


class Job:
    """Finishes its runs when it is looked at."""

    def __init__(self, queue, runs):
        self.queue, self.runs = queue, runs

    def done(self):
        for folder in self.runs:
            write_json(folder.result_file, {})
        self.queue.active.remove(self)
        self.queue.limit = self.queue.later
        return True


class Queue:
    """Takes a limited number of jobs at a time, ``later`` another."""

    def __init__(self, limit, later):
        self.limit = limit
        self.later = later
        self.active = []
        self.most = 0

    def submit(self, runs, slot):
        if len(self.active) == self.limit:
            raise sweep.SubmissionError('QOSMaxSubmitJobPerUserLimit')
        self.active.append(Job(self, runs))
        self.most = max(self.most, len(self.active))
        return self.active[-1]


@pytest.fixture
def folders(tmp_path):
    paths = [tmp_path / str(number) for number in range(5)]
    for path in paths:
        path.mkdir()
    return list(map(RunFolder, paths))


def do(folders, queue, monkeypatch):
    monkeypatch.setattr(sweep, '_submitter', lambda *args: queue.submit)
    resources = sweep.Resources(workers=4)
    return sweep.run_sweep(folders, 'work', resources, seconds_between_looks=0)


@pytest.mark.parametrize('limits', [(1, 1), (2, 2), (4, 4), (1, 3)])
def test_a_full_queue_is_waited_for(folders, limits, monkeypatch):
    queue = Queue(*limits)
    assert do(folders, queue, monkeypatch) == []
    assert all(folder.is_finished for folder in folders)
    assert queue.most == max(limits)


def test_a_queue_that_takes_nothing_ends_the_sweep(folders, monkeypatch):
    with pytest.raises(sweep.SubmissionError, match='QOSMaxSubmit'):
        do(folders, Queue(0, 0), monkeypatch)
