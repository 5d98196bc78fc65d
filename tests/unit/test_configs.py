"""Every config builds: its model, its data, its schedule."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS, MODELS
from open_clip.pretrained import get_pretrained_cfg

from mmcoop.datasets import COOP_DATASETS, IMAGENET_VARIANTS

CONFIGS = Path(__file__).parents[2] / 'configs'
LEAVES = sorted(
    path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts
)
# Of what was computed from images first, and what changes other configs: they
# have tests of their own.
ELSEWHERE = ('sweeps', 'domains', 'benchmark', 'ood')
PLAIN = [
    path
    for path in LEAVES
    if path.parent.name in ('coop', 'zero_shot', 'linear_probe')
    and not path.stem.endswith('_cached')
]
TRAINED = [path for path in PLAIN if path.parent.name == 'coop']
DATA_SETS = ['imagenet', *COOP_DATASETS]
# open_clip's name of each of the paper's backbones
BACKBONES = dict(
    rn50='RN50-quickgelu',
    rn101='RN101-quickgelu',
    vitb32='ViT-B-32-quickgelu',
    vitb16='ViT-B-16-quickgelu',
)
STAND_IN = dict(name='embedded:tiny_clip', pretrained=None)


def names(paths):
    return [str(path.relative_to(CONFIGS)) for path in paths]


@pytest.fixture(autouse=True)
def in_the_data_folder(coop_data, monkeypatch):
    """Run where `data/` is, in the scope that configs declare."""
    monkeypatch.chdir(coop_data.parent)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


def test_all_configs_are_found():
    # A glob that finds too little would make every test here pass.
    counts = {}
    for path in PLAIN:
        counts[path.parent.name] = counts.get(path.parent.name, 0) + 1
    assert counts['coop'] == 21
    assert counts['zero_shot'] == 15
    assert counts['linear_probe'] == 12
    others = {path.parent.name for path in LEAVES} - set(counts)
    assert others <= set(ELSEWHERE), 'these configs have no test'


@pytest.mark.parametrize('folder', ['coop', 'zero_shot', 'linear_probe'])
@pytest.mark.parametrize('name', DATA_SETS)
def test_every_data_set_has_a_config(folder, name):
    assert any(
        path.parent.name == folder and path.stem.endswith(name)
        for path in PLAIN
    )


@pytest.mark.parametrize('path', PLAIN, ids=names(PLAIN))
def test_model_builds(path):
    cfg = Config.fromfile(path)
    model = cfg.model
    arch = path.stem.split('_')[0]
    given = dict(model.backbone.clip)
    if arch in BACKBONES:
        assert given == dict(name=BACKBONES[arch], pretrained='openai')
        assert get_pretrained_cfg(given['name'], 'openai')['quick_gelu']
    else:
        assert given == STAND_IN
    model.backbone.clip = STAND_IN
    if 'clip' in model.head:
        assert model.head.clip == given, 'two CLIPs in one model'
        model.head.clip = STAND_IN
    built = MODELS.build(model)
    learned = [n for n, p in built.named_parameters() if p.requires_grad]
    assert learned == dict(
        coop=['head.prompt_learner.ctx'],
        zero_shot=[],
        linear_probe=['head.fc.weight', 'head.fc.bias'],
    ).get(path.parent.name, learned)


@pytest.mark.parametrize('path', PLAIN, ids=names(PLAIN))
def test_data_build(path):
    cfg = Config.fromfile(path)
    data_set = path.stem.rpartition('shot_')[2].rpartition('_')[2]
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if loader is None:
            continue
        dataset = DATASETS.build(loader.dataset)
        num_classes = len(dataset.metainfo['classes'])
        if name == 'train_dataloader':
            shots = int(re.search(r'_(\d+)shot', path.stem)[1])
            assert dataset.num_shots == shots
            # The generated data have 1 or 3 images of a class to train on.
            per_class = min(shots, 1 if data_set == 'imagenet' else 3)
            if data_set != 'emoji':
                assert len(dataset) == per_class * num_classes
    if cfg.get('model').head.type == 'LinearClsHead':
        assert cfg.model.head.num_classes == num_classes


@pytest.mark.parametrize('path', TRAINED, ids=names(TRAINED))
def test_recipe_is_the_papers(path):
    cfg = Config.fromfile(path)
    shots = int(re.search(r'_(\d+)shot', path.stem)[1])
    epochs = {1: 50, 2: 100, 4: 100, 8: 200, 16: 200}[shots]
    if path.stem.endswith(('imagenet', 'emoji')):
        epochs = 50
    assert cfg.train_cfg.max_epochs == epochs
    assert cfg.optim_wrapper.optimizer == dict(
        type='SGD', lr=0.002, momentum=0.9, weight_decay=5e-4
    )
    constant, cosine = cfg.param_scheduler
    assert constant == dict(
        type='ConstantLR', factor=0.005, begin=0, end=2, by_epoch=True
    )
    assert cosine == dict(
        type='CosineAnnealingLR',
        T_max=epochs,
        begin=1,
        end=epochs,
        by_epoch=True,
    )
    assert cfg.train_dataloader.batch_size == 32
    assert cfg.val_dataloader.batch_size == 100
    learner = cfg.model.head.prompt_learner
    in_name = re.search(r'_m(\d+)', path.stem)
    assert learner.num_context == int(in_name[1] if in_name else 16)


@pytest.mark.parametrize('path', PLAIN, ids=names(PLAIN))
def test_images_are_prepared_as_clips_are(path):
    cfg = Config.fromfile(path)
    size = 64 if 'tinyclip' in path.stem else 224
    steps = cfg.test_dataloader.dataset.pipeline
    by_type = {step['type']: step for step in steps}
    resize = by_type['ResizeEdge']
    assert (resize.scale, resize.edge) == (size, 'short')
    assert by_type['CenterCrop'].crop_size == size
    scaled = [resize]
    if cfg.get('train_dataloader') is not None:
        steps = cfg.train_dataloader.dataset.dataset.pipeline
        by_type = {step['type']: step for step in steps}
        crop = by_type['RandomResizedCrop']
        assert crop.scale == size
        assert tuple(crop.crop_ratio_range) == (0.08, 1.0)
        assert by_type['RandomFlip'].prob == 0.5
        scaled.append(crop)
    for step in scaled:
        assert (step.backend, step.interpolation) == ('pillow', 'bicubic')
    preprocessor = cfg.model.data_preprocessor
    assert preprocessor.to_rgb
    assert [value / 255 for value in preprocessor.mean] == pytest.approx(
        [0.48145466, 0.4578275, 0.40821073], abs=1e-6
    )
    assert [value / 255 for value in preprocessor.std] == pytest.approx(
        [0.26862954, 0.26130258, 0.27577711], abs=1e-6
    )


@pytest.mark.parametrize('path', PLAIN, ids=names(PLAIN))
def test_command_in_the_head_names_the_config(path):
    head = path.read_text().split('"""')[1]
    name = f'configs/{path.relative_to(CONFIGS)}'
    assert f'.py {name}\n' in head or f'CONFIG={name}\n' in head


@pytest.mark.parametrize('name', COOP_DATASETS)
def test_hand_written_prompt_is_the_data_sets(name):
    (path,) = CONFIGS.glob(f'zero_shot/rn50_{name}.py')
    head = Config.fromfile(path).model.head
    assert head.template == COOP_DATASETS[name].template


def test_facts_of_the_variants():
    assert {facts.template for facts in IMAGENET_VARIANTS.values()} == {
        'a photo of a {}.'
    }
