import copy
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS

from mmcoop.evaluation import harmonic_mean
from mmcoop.protocol import new_data

CONFIGS = Path(__file__).parents[3] / 'configs'


@pytest.mark.parametrize(
    ('base', 'new', 'mean'),
    [(80, 80, 80), (100, 50, 200 / 3), (60, 0, 0), (0, 0, 0)],
)
def test_harmonic_mean(base, new, mean):
    assert harmonic_mean(base, new) == pytest.approx(mean)


@pytest.mark.parametrize(('part', 'number'), [('base', 24), ('new', 23)])
def test_any_config_is_restricted_to_half_of_its_classes(
    coop_data, monkeypatch, part, number
):
    monkeypatch.chdir(coop_data.parent)
    cfg = Config.fromfile(CONFIGS / 'coop' / 'rn50_16shot_dtd.py')
    half = new_data.base_new_config(cfg, part)
    first = 0 if part == 'base' else 24
    names = [f'DTD kind {label}' for label in range(first, first + number)]
    assert half.model.head.class_names == names
    for loader in (half.train_dataloader, half.test_dataloader):
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            dataset = DATASETS.build(loader.dataset)
        assert list(dataset.metainfo['classes']) == names
        assert len(dataset) == 3 * number
    # The config that was given stays as it was.
    assert cfg.model.head.class_names is None
    assert cfg.test_dataloader.dataset.type == 'mmcoop.CoOpSplit'


def test_names_of_the_head_are_halved_too():
    cfg = Config.fromfile(CONFIGS / 'coop' / 'tinyclip_1shot_emoji.py')
    names = (
        CONFIGS.parent / 'mmcoop/assets/class_names/emoji.txt'
    ).read_text()
    assert new_data.half_of_names(cfg, 'new') == names.splitlines()[20:]


@pytest.mark.parametrize('file', ['imagenet', 'emoji'])
def test_domains_change_data_and_names_alone(monkeypatch, file):
    asked = {}

    def evaluate(cfg, tests, checkpoint, work_dir):
        asked.update(tests)
        return {name: {'accuracy/top1': 50.0} for name in ('test', *tests)}

    monkeypatch.setattr(new_data, 'evaluate', evaluate)
    config = dict(
        imagenet='vitb16_16shot_imagenet.py', emoji='tinyclip_1shot_emoji.py'
    )[file]
    cfg = Config.fromfile(CONFIGS / 'coop' / config)
    domains = Config.fromfile(CONFIGS / 'domains' / f'{file}.py').domains
    found = new_data.on_domains(cfg, domains, 'context.pth', Path('work'))
    assert list(found) == ['test', *domains]
    for name, settings in asked.items():
        dataset = settings['test_dataloader.dataset']
        assert dataset['pipeline'] == cfg.test_dataloader.dataset.pipeline
        merged = copy.deepcopy(cfg)
        merged.merge_from_dict(settings)
        assert 'split' not in merged.test_dataloader.dataset or file == 'emoji'
        # Only A and R have other classes than the config.
        assert ('model.head.class_names' in settings) == name.endswith(
            ('-A', '-R')
        )
