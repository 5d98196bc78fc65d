"""The hook, in runs."""

import re
from pathlib import Path

import pytest
import tiny_run
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmcoop.engine import ForwardOnly
from mmcoop.report import contents, run_report

EVIL = '<script>alert(1)</script>'
TRAINED = 'head.prompt_learner.ctx'
SECTIONS = [
    'summary',
    'curves',
    'classes',
    'pairs',
    'wrong',
    'context',
    'facts',
]


@pytest.fixture(scope='module')
def config(tmp_path_factory) -> Path:
    return tiny_run.write_config(tmp_path_factory.mktemp('report'))


@pytest.fixture
def train(config, tmp_path):
    """Train 2 epochs of 4 iterations, evaluating 17 images after each."""

    def train(name='run', **options) -> Runner:
        cfg = Config.fromfile(config)
        cfg.work_dir = str(tmp_path / name)
        cfg.experiment_name = f'{tmp_path}{name}{len(options)}'
        cfg.default_hooks.report = dict(type='mmcoop.RunReportHook')
        cfg.merge_from_dict(options)
        runner = Runner.from_cfg(cfg)
        runner.train()
        return runner

    return train


def without_evaluation(**options) -> dict:
    keys = 'val_dataloader', 'val_evaluator', 'val_cfg'
    return dict(dict.fromkeys(keys), **options)


def page(runner) -> str:
    return Path(runner.work_dir, 'report.html').read_text(encoding='utf-8')


def percentages(text: str) -> list[float]:
    """The numbers at the top: of the learned and the hand-written prompt."""
    return [float(n) for n in re.findall(r'<dd class=".*?">([\d.]+)\s%', text)]


def hand_written_accuracy(config) -> float:
    """As tools/test.py measures it, by another head."""
    cfg = Config.fromfile(config)
    head = dict(cfg.model.head, type='mmcoop.ZeroShotHead')
    del head['prompt_learner']
    head = MODELS.build(head).eval()
    data = tiny_run.RandomFeatures(num_images=17, seed=1)
    right = head((data.features,)).argmax(dim=-1) == data.labels
    return 100 * right.float().mean().item()


def test_a_run_ends_with_its_report(train, config):
    runner = train()
    text = page(runner)
    metric = runner.message_hub.get_scalar('val/accuracy/top1').current()
    learned, written = percentages(text)
    assert learned == pytest.approx(metric, abs=0.05)
    assert written == pytest.approx(hand_written_accuracy(config), abs=0.05)
    for section in SECTIONS:
        assert f'<section id="{section}"' in text
    assert 'no picture' in text, 'its images are nowhere'
    assert 'Not all of this page' not in text
    assert not list(Path(runner.work_dir).glob('report.html?*'))
    # Once the page is written, nothing of it is left in the model.
    assert not runner.model.head._forward_pre_hooks


def test_training_is_the_same_without_it(train):
    with_report = train('with')
    without = train('without', **{'default_hooks.report.enable': False})
    assert not Path(without.work_dir, 'report.html').exists()
    contexts = [
        runner.model.state_dict()[TRAINED] for runner in (with_report, without)
    ]
    assert torch.equal(*contexts)


def test_a_resumed_run_goes_on_with_its_curves(train):
    train(**{'train_cfg.max_epochs': 1})
    runner = train(resume=True, **{'train_cfg.max_epochs': 3})
    kept = MessageHub.get_current_instance().get_info('run_report')
    assert kept['steps'] == [0, 4, 8, 12]
    assert kept['norms'].shape == (4, 4)
    assert [step for step, _ in kept['evaluations']] == [4, 8, 12]
    losses = r'aria-label="Loss: .*?points="(.*?)"'
    lines = re.findall(losses, page(runner), re.DOTALL)
    assert len(lines[0].split()) == 12


def test_a_finished_run_that_is_resumed_keeps_its_page(train):
    before = page(train())
    assert page(train(resume=True)) == before


def test_a_run_without_evaluation(train):
    runner = train(**without_evaluation())
    text = page(runner)
    assert 'No evaluation ran during this training' in text
    assert percentages(text) == []
    assert 'id="wrong"' not in text
    assert 'id="context"' in text


def test_class_names_and_paths_are_text(train, monkeypatch):
    names = [EVIL, *tiny_run.NAMES[1:]]

    def with_evil_path(self, index):
        item = get(self, index)
        item['data_samples'].set_metainfo(dict(img_path=EVIL))
        return item

    get = tiny_run.RandomFeatures.__getitem__
    monkeypatch.setattr(tiny_run.RandomFeatures, '__getitem__', with_evil_path)
    text = page(train(**{'model.head.class_names': names}))
    assert EVIL not in text
    assert text.count('&lt;script&gt;alert(1)') > 20


def test_class_specific_context(train):
    options = {'model.head.prompt_learner.class_specific': True}
    text = page(train(**options))
    assert text.count('Nearest words of') == contents.NUM_CLASSES_WITH_WORDS


def test_a_page_that_cannot_be_written(train, tmp_path):
    (tmp_path / 'run/report.html').mkdir(parents=True)
    runner = train()
    assert runner.epoch == 2
    assert Path(runner.work_dir, 'epoch_2.pth').exists()
    found = [path.name for path in Path(runner.work_dir).glob('report.html*')]
    assert found == ['report.html']
    log = next(Path(runner.work_dir).glob('*/*.log')).read_text()
    assert 'The run report will lack something' in log
    assert re.search(r'after_train: \w+Error: .*report\.html', log)


def test_a_part_that_fails_is_named(train, monkeypatch):
    def broken(*args):
        raise ValueError('too <long>')

    monkeypatch.setattr(run_report, 'HandWritten', broken)
    text = page(train())
    assert 'ValueError: too &lt;long&gt;' in text
    assert len(percentages(text)) == 1, 'the learned prompt alone'


def test_a_run_that_counts_iterations(train):
    cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=3)
    options = without_evaluation(train_cfg=cfg)
    options['default_hooks.checkpoint'] = dict(by_epoch=False)
    options['param_scheduler'] = None
    text = page(train(**options))
    assert '>iteration</text>' in text
    assert MessageHub.get_current_instance().get_info('run_report')[
        'steps'
    ] == [0, 3]


def test_many_images_and_classes_make_a_small_page(train, monkeypatch):
    many = contents.MAX_ROWS + 200
    monkeypatch.setattr(tiny_run, 'NAMES', [f'n{n}' for n in range(many)])
    options = {
        'model.head.class_names': tiny_run.NAMES,
        'train_dataloader.dataset.num_images': 12,
        'val_dataloader.dataset.num_images': 4 * many,
        'val_dataloader.batch_size': 500,
        'train_cfg.max_epochs': 1,
    }
    text = page(train(**options))
    assert 'further classes are left out' in text
    assert len(text) < 1_500_000


def test_a_wrapped_model():
    class Model(BaseModel):
        head = torch.nn.Linear(1, 1)

        def forward(self):
            pass

    class Run:
        model = ForwardOnly(module=Model())

    assert run_report._head(Run) is Model.head
