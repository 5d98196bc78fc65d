"""From a checkpoint to one that answers 'none of these', with the tool."""

import importlib.util
import os
import shutil
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS

import mmcoop
from mmcoop.engine import load_from_local

ROOT = Path(__file__).resolve().parents[2]

spec = importlib.util.spec_from_file_location(
    'calibrate', ROOT / 'tools' / 'calibrate.py'
)
calibrate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(calibrate)

# Starts from words, so that one epoch with one shot is enough, and looks at
# a tenth of the images that the config has.
CONFIG = """
_base_ = '{base}/tinyclip_16shot_emoji_half.py'
model = dict(head=dict(prompt_learner=dict(
    num_context=None, ctx_init='a photo of a')))
train_dataloader = dict(num_workers=0, persistent_workers=False,
    dataset=dict(dataset=dict(
        num_shots=1, dataset=dict(data_root='{root}/emoji'))))
val_dataloader = dict(num_workers=0, persistent_workers=False,
    dataset=dict(dataset=dict(
        num_splits=20, dataset=dict(data_root='{root}/emoji'))))
test_dataloader = dict(num_workers=0, persistent_workers=False,
    dataset=dict(num_splits=20, dataset=dict(data_root='{root}/emoji')))
work_dir = '{root}/work'
train_cfg = dict(max_epochs=1, val_interval=2)
"""


def runner(project, **options):
    cfg = Config.fromfile(project / 'config.py')
    cfg.experiment_name = f'calibrate-{time.time_ns()}'
    cfg.merge_from_dict(options)
    return Runner.from_cfg(cfg)


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    """A folder with a config and a learned checkpoint."""
    root = tmp_path_factory.mktemp('calibrate')
    text = CONFIG.format(base=ROOT / 'configs' / 'ood', root=root)
    (root / 'config.py').write_text(text)
    runner(root).train()
    return root


@pytest.fixture(scope='module')
def learned(project):
    return project / 'work' / 'epoch_1.pth'


@pytest.fixture(scope='module')
def calibrated(project, learned):
    """The checkpoint that the tool writes."""
    before = learned.read_bytes()
    calibrate.main(
        [
            str(learned),
            '--true-accept-rate=0.9',
            '--temperature-scaling',
            f'--diagram={project / "diagram.png"}',
        ]
    )
    assert learned.read_bytes() == before
    return project / 'work' / 'epoch_1_calibrated.pth'


@pytest.fixture(scope='module')
def classifier(calibrated):
    return mmcoop.load(calibrated)


def images(project, name):
    """Paths and labels of a data set of the config."""
    cfg = Config.fromfile(project / 'config.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(cfg[f'{name}_dataloader'].dataset)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return (
        [info['img_path'] for info in infos],
        torch.tensor([info['gt_label'] for info in infos]),
    )


def test_all_else_in_the_checkpoint_is_as_it_was(project, learned, calibrated):
    old, new = map(load_from_local, (str(learned), str(calibrated)))
    assert old.keys() == new.keys()
    added = {'rejection', 'calibration'}
    assert new['meta'].keys() - old['meta'].keys() == added
    assert {k: new['meta'][k] for k in old['meta']} == old['meta']
    name = 'head.prompt_learner.ctx'
    assert torch.equal(old['state_dict'][name], new['state_dict'][name])
    assert old['state_dict']._metadata == new['state_dict']._metadata
    (project / 'diagram.png').stat()
    # What training goes on from is all there, too
    resumed = runner(
        project,
        resume=True,
        load_from=str(calibrated),
        work_dir=str(project / 'resumed'),
        **{'train_cfg.max_epochs': 2, 'train_cfg.val_interval': 3},
    )
    resumed.train()
    assert resumed.epoch == 2


@pytest.fixture(scope='module')
def predictions(project, classifier):
    """What it says about the test images."""
    return classifier.predict(images(project, 'test')[0])


def test_the_wanted_share_of_held_out_images_is_accepted(project, classifier):
    paths, _ = images(project, 'val')
    found = classifier.predict(paths)
    assert classifier.rejection['num_images'] == len(paths)
    assert sum(item.rejected for item in found) == len(paths) // 10 > 0
    for item in found:
        assert (item.name == 'none of these') == item.rejected


def test_metrics_judge_as_predict_does(
    project, calibrated, classifier, predictions
):
    rejection = classifier.rejection
    metrics = runner(
        project,
        load_from=str(calibrated),
        **{
            'test_evaluator.0.threshold': rejection['threshold'],
            'test_evaluator.2.temperature': classifier.temperature,
        },
    ).test()
    _, labels = images(project, 'test')
    rejected = torch.tensor([found.rejected for found in predictions])
    known = labels < 20
    assert known.any()
    assert not known.all()
    assert metrics['mcm/accepted'] == pytest.approx(
        100 * float((~rejected[known]).float().mean())
    )
    assert metrics['mcm/rejected'] == pytest.approx(
        100 * float(rejected[~known].float().mean())
    )
    scores = torch.tensor([found.score for found in predictions])
    assert metrics['calibration/confidence'] == pytest.approx(
        100 * float(scores[known].mean()), rel=1e-4
    )
    # The images were labelled before: unknown ones among them
    assert 0 < metrics['energy/auroc'] < 100


def test_calibration_changes_how_sure_but_not_what(
    project, learned, classifier, predictions
):
    before = mmcoop.load(learned).predict(images(project, 'test')[0])
    after = predictions
    assert [b.names for b in before] == [a.names for a in after]
    sure = [
        torch.tensor([p.score for p in found]) for found in (before, after)
    ]
    # The embedded CLIP is too sure of itself.
    assert classifier.temperature > 1
    assert (sure[0] > sure[1]).all()


def test_in_place_with_another_score(learned, tmp_path, capsys):
    copied = shutil.copy(learned, tmp_path)
    calibrate.main([copied, '--score=energy', f'--out={copied}'])
    rejection = mmcoop.load(copied).rejection
    assert rejection['score'] == 'energy'
    assert rejection['temperature'] == pytest.approx(1 / 24.14, rel=1e-3)
    assert rejection['true_accept_rate'] == 0.95
    assert f'written: {copied}' in capsys.readouterr().out
    assert os.listdir(tmp_path) == ['epoch_1.pth']


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ('--true-accept-rate=0', 'the true-accept rate is 0.0: give the'),
        ('--true-accept-rate=1.5', 'the true-accept rate is 1.5'),
        ('--score-temperature=-1', 'the temperature is -1.0'),
        ('--images={root}/gone', 'there is no folder'),
        ('--images={root}/empty', 'holds no images'),
        ('--images={root}/emoji/train', 'images were learned from'),
        (
            '--images={root}/unsorted --temperature-scaling',
            '1 of 1 held-out images have no label',
        ),
        ('--images={root}/broken', 'broken.png'),
        ('--out={root}/gone/epoch.pth', 'there is no folder'),
    ],
)
def test_what_cannot_be_is_one_message(
    project, learned, tmp_path, options, message
):
    for name in ('empty', 'unsorted', 'broken'):
        (project / name).mkdir(exist_ok=True)
    shutil.copy(images(project, 'val')[0][0], project / 'unsorted')
    (project / 'broken' / 'broken.png').write_bytes(b'no image')
    copied = shutil.copy(learned, tmp_path)
    arguments = options.format(root=project).split()
    with pytest.raises(SystemExit, match='calibrate.py: error: ') as error:
        calibrate.main([copied, *arguments])
    assert message in str(error.value)
    assert os.listdir(tmp_path) == ['epoch_1.pth']


def test_a_diagram_is_of_temperature_scaling(learned, capsys):
    with pytest.raises(SystemExit):
        calibrate.main([str(learned), '--diagram=d.png'])
    assert 'needs --temperature-scaling' in capsys.readouterr().err
