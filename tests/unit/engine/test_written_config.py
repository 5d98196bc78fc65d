from uuid import uuid4

import pytest
import tiny_run
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmcoop.engine.written_config import WrittenConfig


@pytest.fixture
def formatted(monkeypatch):
    """The texts that mmengine makes of configs."""
    texts = []
    make = Config.pretty_text.fget

    def count(cfg):
        texts.append(make(cfg))
        return texts[-1]

    monkeypatch.setattr(Config, 'pretty_text', property(count))
    return texts


def test_text_is_made_once(formatted):
    cfg = Config(dict(model=dict(type='A', size=(1, 2)), epochs=3))
    expected = cfg.pretty_text
    written = WrittenConfig(cfg)
    assert [written.pretty_text, written.pretty_text] == [expected] * 2
    assert len(formatted) == 2


def test_a_change_is_written(formatted):
    written = WrittenConfig(Config(dict(model=dict(type='A'), epochs=3)))
    before = written.pretty_text
    written.model.type = 'B'
    assert written.pretty_text == before.replace("'A'", "'B'")
    written.more = [1]
    assert 'more = [' in written.pretty_text


def test_checkpoints_have_it(formatted, tmp_path):
    cfg = Config.fromfile(tiny_run.write_config(tmp_path))
    cfg.work_dir = str(tmp_path)
    cfg.experiment_name = str(uuid4())
    runner = Runner.from_cfg(cfg)
    formatted.clear()
    runner.train()
    # By mmengine's RuntimeInfoHook, and for all checkpoints
    assert len(formatted) == 2
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)
    assert saved['meta']['cfg'] == Config(runner.cfg.to_dict()).pretty_text
