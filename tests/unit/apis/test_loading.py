"""A checkpoint becomes a classifier, or an error says why it cannot."""

import copy
import os
import pickle
import shutil
import sys

import pytest
import torch
from mmengine.config import Config
from PIL import Image
from tiny_run import write_clip

import mmcoop
from mmcoop.apis.checkpoint_config import parse_config

CTX = 'head.prompt_learner.ctx'


@pytest.fixture
def changed(checkpoint, tmp_path):
    """Save the checkpoint after a change to it."""

    def save(change):
        content = copy.deepcopy(checkpoint)
        change(content)
        torch.save(content, tmp_path / 'a.pth')
        return tmp_path / 'a.pth'

    return save


def with_config(old, new):
    """Change the text of the stored config."""

    def change(content):
        assert old in content['meta']['cfg']
        text = content['meta']['cfg'].replace(old, new)
        content['meta']['cfg'] = text

    return change


def test_config_and_names_are_the_checkpoints(classifier, checkpoint):
    assert classifier.cfg.to_dict() == parse_config(checkpoint['meta']['cfg'])
    assert (
        classifier.class_names == checkpoint['meta']['dataset_meta']['classes']
    )
    ctx = classifier.model.head.prompt_learner.ctx
    assert torch.equal(ctx, checkpoint['state_dict'][CTX])
    assert not classifier.model.training
    assert classifier.device == torch.device('cpu')
    assert classifier.rejection is None


def test_learned_names_count_more_than_those_of_the_config(changed):
    """As the file of names may be gone, or belong to other classes."""
    path = changed(
        with_config(
            "class_names=[\n            'dog',\n            'hot dog',\n"
            "            'tench',\n            'ox',\n        ]",
            "class_names='names_of_somebody_elses_machine.txt'",
        )
    )
    assert mmcoop.load(path).class_names == ('dog', 'hot dog', 'tench', 'ox')


def test_works_from_any_folder(make_checkpoint, tmp_path, monkeypatch):
    """A relative path in the config counts from where training started."""
    start = tmp_path / 'start'
    write_clip(start / 'models/clip')
    (start / 'work_dirs/x').mkdir(parents=True)
    clip = dict(name='local-dir:models/clip')
    monkeypatch.chdir(start)
    content = make_checkpoint(dict(clip=clip), **{'model.backbone.clip': clip})
    torch.save(content, 'work_dirs/x/a.pth')
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    classifier = mmcoop.load('../start/work_dirs/x/a.pth')
    assert torch.equal(
        classifier.model.head.prompt_learner.ctx, content['state_dict'][CTX]
    )
    shutil.move(start / 'work_dirs/x/a.pth', 'a.pth')
    with pytest.raises(FileNotFoundError, match='no folder .*models/clip'):
        mmcoop.load('a.pth')


def test_a_context_of_kept_features_names_images(
    make_checkpoint, tmp_path, classifier, images
):
    tower = dict(
        data_preprocessor=classifier.cfg.model.data_preprocessor,
        backbone=classifier.cfg.model.backbone,
    )
    dataset = dict(
        type='mmcoop.CachedFeatures',
        path='data/features',
        dataset=classifier.cfg.test_dataloader.dataset,
        image_model=tower,
    )
    content = make_checkpoint(
        **{
            'model.data_preprocessor': None,
            'model.backbone': dict(_delete_=True, type='mmcoop.GivenFeatures'),
            'test_dataloader.dataset': dict(_delete_=True, **dataset),
        }
    )
    assert 'GivenFeatures' in content['meta']['cfg']
    torch.save(content, tmp_path / 'a.pth')
    kept = mmcoop.load(tmp_path / 'a.pth')
    assert kept.predict(images) == classifier.predict(images)


def test_images_in_memory_pass_by_other_ways_of_reading(
    changed, classifier, images
):
    path = changed(with_config('mmcoop.LoadImage', 'LoadImage'))
    file = images / 'a.png'
    named = mmcoop.load(path).predict([file, Image.open(file)])
    expected = classifier.predict(file)[0].scores
    for item in named:
        assert item.scores == pytest.approx(expected, rel=1e-5)


def test_a_config_of_ones_own_counts_more(changed, classifier, tmp_path):
    path = changed(lambda content: content['meta'].pop('cfg'))
    cfg = copy.deepcopy(classifier.cfg)
    cfg.model.head.class_names = ['zebra', 'okapi']
    assert mmcoop.load(path, cfg).class_names == ('zebra', 'okapi')
    cfg.model.head.class_names = None
    (tmp_path / 'config.py').write_text(cfg.pretty_text)
    loaded = mmcoop.load(path, tmp_path / 'config.py')
    assert loaded.class_names == classifier.class_names
    assert loaded.cfg.filename == str(tmp_path / 'config.py')


def test_what_was_measured_is_for_its_names_alone(changed, classifier):
    measured = dict(score='mcm', temperature=1.0, threshold=0.5)
    path = changed(lambda c: c['meta'].update(rejection=measured))
    assert mmcoop.load(path).rejection == measured
    cfg = copy.deepcopy(classifier.cfg)
    assert mmcoop.load(path, cfg).rejection == measured
    cfg.model.head.class_names = ['zebra', 'okapi']
    assert mmcoop.load(path, cfg).rejection is None


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c.pop('meta'), 'brings no config.*config=FILE'),
        (lambda c: c['meta'].pop('cfg'), 'brings no config.*config=FILE'),
        (lambda c: c['meta'].update(cfg='a = open'), 'line 1 .*config='),
        (lambda c: c['meta'].update(cfg='a = 1'), 'no head|no model with'),
        (lambda c: c['meta'].update(cfg="text = 'b'"), 'reserved'),
        (lambda c: c.pop('state_dict'), 'no checkpoint of a training'),
        (lambda c: c.update(meta=[1]), 'no checkpoint of a training'),
        (lambda c: c['state_dict'].clear(), f'holds nothing.*learns {CTX}'),
        (lambda c: c['state_dict'].update(a=1), f'a, but .*learns {CTX}'),
        (
            lambda c: c.update(state_dict={'ctx': torch.zeros(4, 8)}),
            'convert_checkpoint.py',
        ),
        (lambda c: c['state_dict'][CTX].fill_(float('nan')), 'not .*finite'),
        (
            lambda c: c['state_dict'].update({CTX: torch.zeros(16, 9)}),
            'D = 9.* D = 128',
        ),
        (
            lambda c: setattr(
                c['state_dict'], '_metadata', dict(head=dict(class_names=[1]))
            ),
            'must be a string',
        ),
        (
            lambda c: setattr(c['state_dict'], '_metadata', [1]),
            'describes no model',
        ),
        (
            lambda c: c['meta'].update(rejection=dict(score='x')),
            'temperature',
        ),
        (
            lambda c: c['meta'].update(calibration=dict(temperature=-1)),
            'tools/calibrate.py',
        ),
        (
            lambda c: c['meta'].update(
                rejection=dict(
                    score='mcm', temperature=1.0, threshold=float('nan')
                )
            ),
            'tools/calibrate.py',
        ),
        (with_config('num_context=16', 'num_contxt=16'), 'num_contxt'),
        (with_config('num_context=16', 'num_context=4'), 'M = 4'),
        (with_config("'mmcoop.CoOpHead'", "'LinearClsHead'"), 'LinearClsHead'),
        (with_config("type='CenterCrop'", "type='os.mkdir'"), r'os\.mkdir'),
        (with_config("type='CenterCrop'", "_scope_='os'"), '_scope_'),
        (with_config("type='ImageClassifier'", 'pretrained="a"'), 'type'),
        (with_config('embedded:tiny_clip', 'no-such-clip'), 'no model'),
    ],
)
def test_what_is_wrong_with_a_checkpoint_is_said(changed, change, message):
    path = changed(change)
    with pytest.raises(ValueError, match=f'(?s){message}') as caught:
        mmcoop.load(path)
    text = str(caught.value)
    assert text.count('\n') == 0
    assert str(path) in text


def test_without_names_nothing_can_be_named(changed, classifier):
    def forget(content):
        content['meta'].pop('dataset_meta')
        content['state_dict']._metadata['head']['class_names'] = []
        content['meta'].pop('cfg')

    cfg = copy.deepcopy(classifier.cfg)
    cfg.model.head.class_names = None
    with pytest.raises(ValueError, match='class names.*config=FILE'):
        mmcoop.load(changed(forget), cfg)


def test_nothing_of_a_checkpoint_runs(changed, tmp_path, monkeypatch):
    """Neither imports, nor bases, nor code, nor classes of elsewhere."""
    (tmp_path / 'planted').mkdir()
    planted = "from pathlib import Path\nPath('ran').touch()\n"
    for name in ('__init__', 'registry'):
        (tmp_path / f'planted/{name}.py').write_text(planted)
    (tmp_path / 'base.py').write_text(planted)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    harmless = with_config(
        "imports=[\n        'mmcoop',\n    ]", "imports=['planted']"
    )
    for change in (
        harmless,
        with_config("log_level = 'INFO'", "_base_ = ['base.py']"),
        with_config("'mmpretrain'", "'planted'"),
    ):
        mmcoop.load(changed(change))
    for old, new in (
        ("'mmcoop.PromptLearner'", "'planted.Anything'"),
        ("type='CenterCrop'", "type='planted.Anything'"),
        ("type='CenterCrop'", "_scope_='planted', type='CenterCrop'"),
        ("log_level = 'INFO'", 'import planted'),
        ("log_level = 'INFO'", 'log_level = __import__("planted")'),
    ):
        with pytest.raises(ValueError, match='config='):
            mmcoop.load(changed(with_config(old, new)))
    assert 'planted' not in sys.modules
    assert not (tmp_path / 'ran').exists()


class Payload:
    def __reduce__(self):
        return os.mkdir, ('ran',)


def test_a_file_that_could_run_code_is_refused(changed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = changed(lambda content: content.update(optimizer=Payload()))
    with pytest.raises(pickle.UnpicklingError, match='convert_checkpoint.py'):
        mmcoop.load(path)
    assert not (tmp_path / 'ran').exists()


def test_files_that_are_no_checkpoints(tmp_path, checkpoint_file):
    with pytest.raises(FileNotFoundError, match='does not exist'):
        mmcoop.load(tmp_path / 'a.pth')
    with pytest.raises(FileNotFoundError, match='is a folder.*epoch_50.pth'):
        mmcoop.load(tmp_path)
    content = checkpoint_file.read_bytes()
    for broken in (b'', b'hello', content[:2000], content[:-2000]):
        (tmp_path / 'a.pth').write_bytes(broken)
        with pytest.raises(RuntimeError, match='damaged'):
            mmcoop.load(tmp_path / 'a.pth')
    torch.save([1, 2], tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='no checkpoint of a training'):
        mmcoop.load(tmp_path / 'a.pth')
    with pytest.raises(FileNotFoundError, match='no config .*nowhere.py'):
        mmcoop.load(checkpoint_file, config='nowhere.py')


def test_devices_that_are_not_there_are_refused(checkpoint_file):
    with pytest.raises(ValueError, match="'gpu'.*like 'cpu'"):
        mmcoop.load(checkpoint_file, device='gpu')
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match='finds no GPU'):
            mmcoop.load(checkpoint_file, device='cuda')


def test_a_checkpoint_of_another_program(changed):
    other = Config(dict(model=dict(type='ResNet', head=dict(type='Head'))))
    path = changed(lambda c: c['meta'].update(cfg=other.pretty_text))
    with pytest.raises(ValueError, match='no model with a head of mmcoop'):
        mmcoop.load(path)
