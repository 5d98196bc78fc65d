"""What the command line adds to a config."""

import pytest
from mmengine.config import Config

from mmcoop.engine import run_config
from mmcoop.engine.run_config import CommandError


@pytest.fixture
def on_accelerator(monkeypatch):
    monkeypatch.setattr(run_config, 'get_device', lambda: 'cuda')


@pytest.fixture
def on_cpu(monkeypatch):
    monkeypatch.setattr(run_config, 'get_device', lambda: 'cpu')


def test_work_dir_is_the_command_lines_then_the_configs(tmp_path):
    (tmp_path / 'plain.py').write_text('a = 1')
    (tmp_path / 'with_dir.py').write_text("work_dir = 'from_config'")

    def work_dir(name, given=None):
        return run_config.read_config(str(tmp_path / name), given).work_dir

    assert work_dir('plain.py') == 'work_dirs/plain'
    assert work_dir('with_dir.py') == 'from_config'
    assert work_dir('with_dir.py', 'given') == 'given'


def test_missing_config_is_named_with_its_neighbours(tmp_path):
    (tmp_path / 'vitb16_16shot.py').write_text('a = 1')
    (tmp_path / 'other.py').write_text('a = 1')
    with pytest.raises(CommandError) as error:
        run_config.read_config(str(tmp_path / 'vitb16_16shots.py'))
    message = str(error.value)
    assert 'vitb16_16shots.py does not exist' in message
    assert message.endswith(f'Did you mean {tmp_path}/vitb16_16shot.py?')


def test_loader_defaults_on_an_accelerator(on_accelerator):
    cfg = Config(
        dict(
            train_dataloader=dict(num_workers=2),
            val_dataloader=dict(num_workers=0),
            test_dataloader=dict(num_workers=2, pin_memory=False),
        )
    )
    run_config.set_loader_defaults(cfg)
    assert cfg.train_dataloader.to_dict() == dict(
        num_workers=2,
        collate_fn=dict(type='default_collate'),
        pin_memory=True,
        persistent_workers=True,
    )
    # torch refuses persistent workers where there are none
    assert cfg.val_dataloader.persistent_workers is False
    assert cfg.test_dataloader.pin_memory is False


def test_loader_options_of_the_command_line_win(on_accelerator):
    loader = dict(num_workers=2, pin_memory=True, persistent_workers=True)
    cfg = Config(dict(train_dataloader=loader, val_dataloader=None))
    run_config.set_loader_defaults(
        cfg, pin_memory=False, persistent_workers=False
    )
    assert cfg.train_dataloader.pin_memory is False
    assert cfg.train_dataloader.persistent_workers is False
    assert cfg.val_dataloader is None


def test_memory_is_not_pinned_without_an_accelerator(on_cpu):
    cfg = Config(dict(test_dataloader=dict(num_workers=2, pin_memory=True)))
    run_config.set_loader_defaults(cfg)
    assert cfg.test_dataloader.pin_memory is False


def test_mixed_precision(on_accelerator):
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    run_config.use_mixed_precision(cfg)
    assert cfg.optim_wrapper.to_dict() == dict(
        type='AmpOptimWrapper', loss_scale='dynamic'
    )


def test_mixed_precision_needs_an_accelerator(on_cpu):
    with pytest.raises(CommandError, match='leave --amp out'):
        run_config.use_mixed_precision(Config())


def test_learning_rate_is_scaled_from_the_configs_batch_size():
    cfg = Config(dict(auto_scale_lr=dict(base_batch_size=32)))
    run_config.scale_learning_rate(cfg)
    assert cfg.auto_scale_lr.enable is True
    with pytest.raises(CommandError, match='base_batch_size'):
        run_config.scale_learning_rate(Config())


def test_drawing_adds_the_hook_if_there_is_none():
    cfg = Config()
    run_config.draw_predictions(cfg, out_dir='drawn', show=False)
    hook = cfg.default_hooks.visualization
    assert hook.type == 'mmpretrain.VisualizationHook'
    assert hook.enable is True
    assert hook.out_dir == 'drawn'


def test_missing_data_root_inside_a_wrapper():
    inner = dict(type='CustomDataset', data_root='no/such/folder')
    wrapper = dict(type='mmcoop.FewShot', dataset=inner)
    cfg = Config(dict(train_dataloader=dict(dataset=wrapper)))
    with pytest.raises(CommandError) as error:
        run_config.check_data_roots(cfg)
    assert "train_dataloader are missing: data_root='no/such/folder'" in str(
        error.value
    )
    assert 'train_dataloader.dataset.dataset.data_root' in str(error.value)
    run_config.check_data_roots(cfg, ('test_dataloader',))


@pytest.mark.parametrize(
    'dataset',
    [
        dict(type='CustomDataset', data_root='.'),
        dict(type='CustomDataset', data_root=''),
        dict(type='CustomDataset'),
        dict(type='CustomDataset', data_root='s3://bucket/folder'),
        # Unpacks its data itself
        dict(type='mmcoop.Emoji', data_root='no/such/folder'),
    ],
)
def test_data_roots_that_are_fine(dataset):
    datasets = dict(type='ConcatDataset', datasets=[dataset])
    run_config.check_data_roots(
        Config(dict(test_dataloader=dict(dataset=datasets)))
    )
