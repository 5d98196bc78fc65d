"""Several processes, with accelerators or without."""

import pytest
from mmengine.config import Config
from torch import distributed

from mmcoop.engine import CommandError, launch, prepare_launch


@pytest.fixture
def device(monkeypatch):
    """Choose what the machine has."""
    monkeypatch.delenv('RANK', raising=False)

    def choose(name: str) -> None:
        monkeypatch.setattr(launch, 'get_device', lambda: name)

    return choose


def test_one_process_needs_nothing(device):
    device('cpu')
    cfg = Config()
    prepare_launch(cfg, 'none', learns=True)
    assert cfg.to_dict() == dict(launcher='none')


def test_training_with_accelerators_is_left_to_mmengine(device):
    device('cuda')
    cfg = Config()
    prepare_launch(cfg, 'slurm', learns=True)
    assert cfg.to_dict() == dict(launcher='slurm')


def test_training_on_cpus_asks_for_no_cuda_device(device, monkeypatch):
    device('cpu')
    # Of one process, which needs no port that is known beforehand
    for name in ('RANK', 'MASTER_PORT'):
        monkeypatch.setenv(name, '0')
    monkeypatch.setenv('WORLD_SIZE', '1')
    monkeypatch.setenv('MASTER_ADDR', '127.0.0.1')
    cfg = Config(dict(model_wrapper_cfg=dict(find_unused_parameters=True)))
    try:
        prepare_launch(cfg, 'pytorch', learns=True)
        assert distributed.get_backend() == 'gloo'
    finally:
        distributed.destroy_process_group()
    assert cfg.model_wrapper_cfg.to_dict() == dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=True,
        device_ids=None,
    )


def test_evaluation_exchanges_no_gradients(device):
    device('cuda')
    cfg = Config()
    prepare_launch(cfg, 'pytorch', learns=False)
    assert cfg.model_wrapper_cfg.type == 'ForwardOnly'


def test_launchers_that_need_gpus_say_so(device):
    device('cpu')
    with pytest.raises(CommandError, match='use --launcher pytorch'):
        prepare_launch(Config(), 'slurm', learns=True)


def test_pytorch_launcher_without_torchrun(device):
    device('cpu')
    with pytest.raises(CommandError, match='expects RANK and WORLD_SIZE'):
        prepare_launch(Config(), 'pytorch', learns=True)
