"""tools/export.py as a user runs it, on the embedded model and data."""

import json
import os
import pickle
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import mmpretrain
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.runner.checkpoint import get_state_dict
from mmpretrain import ImageClassificationInferencer
from mmpretrain.registry import MODELS
from PIL import Image

import mmcoop
from mmcoop.datasets import Emoji

ROOT = Path(__file__).resolve().parents[2]
NAMES = ['cat or big cat', 'flower', 'heart', 'moon']


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    """Every thirtieth image of the test split."""
    folder = tmp_path_factory.mktemp('data') / 'emoji'
    return Emoji(str(folder), split='test', indices=list(range(0, 1507, 30)))


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory, dataset):
    """A checkpoint as training writes it, of a context that is random."""
    cfg = Config.fromfile(ROOT / 'configs/coop/tinyclip_16shot_emoji.py')
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader.dataset.update(
        data_root=dataset.data_root, indices=list(range(0, 1507, 30))
    )
    torch.manual_seed(0)
    model = MODELS.build(dict(cfg.model, _scope_='mmpretrain'))
    meta = dict(cfg=cfg.pretty_text, dataset_meta=Emoji.METAINFO)
    path = tmp_path_factory.mktemp('a run') / 'epoch_1.pth'
    torch.save(dict(meta=meta, state_dict=get_state_dict(model)), path)
    return path


@pytest.fixture
def export(monkeypatch, capsys, checkpoint):
    """Run the tool; give what it prints, or raise what it ends with."""

    def run(*args, source=checkpoint):
        command = ['export.py', source, *args]
        monkeypatch.setattr(sys, 'argv', [str(part) for part in command])
        runpy.run_path(str(ROOT / 'tools/export.py'), run_name='__main__')
        return capsys.readouterr().out

    return run


def run_test(cfg, checkpoint, work_dir):
    """Evaluate as tools/test.py does."""
    cfg.load_from = str(checkpoint)
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = work_dir.name
    return Runner.from_cfg(cfg).test()


def test_linear(export, checkpoint, dataset, tmp_path):
    out = tmp_path / 'emoji.pth'
    text = export('--to', 'linear', '--out', out)
    assert f'{out.with_suffix(".py")}: ' in text
    assert '40 classes' in text
    assert 'It runs with mmpretrain alone.' in text
    # Image tower and text features
    assert 10e6 < out.stat().st_size < 12e6

    classifier = mmcoop.load(checkpoint)
    cfg = Config.fromfile(out.with_suffix('.py'))
    found = run_test(cfg, out, tmp_path / 'exported')
    original = run_test(classifier.cfg, checkpoint, tmp_path / 'original')
    assert found == original
    assert found['accuracy/top1'] > 0

    paths = [dataset[index]['img_path'] for index in range(8)]
    infer = ImageClassificationInferencer(
        str(out.with_suffix('.py')), pretrained=str(out), device='cpu'
    )
    for result, expected in zip(
        infer(paths), classifier.predict(paths), strict=True
    ):
        assert result['pred_class'] == expected.name
        assert result['pred_score'] == pytest.approx(expected.score, abs=1e-4)


def test_linear_without_mmcoop(export, checkpoint, dataset, tmp_path):
    """mmpretrain's own tool, unchanged, where importing mmcoop fails."""
    out = tmp_path / 'four.pth'
    export('--to', 'linear', '--classes', *NAMES, '--out', out)
    paths = []
    for name in NAMES:
        label = dataset.metainfo['classes'].index(name)
        folder = next(Path(dataset.data_root, 'test').glob(f'{label:02d}_*'))
        (tmp_path / 'data' / name).mkdir(parents=True)
        for path in sorted(folder.iterdir())[:3]:
            paths.append(shutil.copy(path, tmp_path / 'data' / name))
    blocked = tmp_path / 'blocked'
    blocked.mkdir()
    (blocked / 'mmcoop.py').write_text('raise SystemExit("imports mmcoop")')
    test = Path(mmpretrain.__file__).parent / '.mim' / 'tools' / 'test.py'
    done = subprocess.run(
        [
            sys.executable, test, out.with_suffix('.py'), out,
            '--out', 'found.pkl', '--cfg-options',
            'test_dataloader.dataset.data_root=data',
            'test_dataloader.num_workers=0',
        ],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(blocked)},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = pickle.loads((tmp_path / 'found.pkl').read_bytes())
    classifier = mmcoop.load(checkpoint).with_classes(NAMES)
    expected = classifier.scores(classifier.image_features(sorted(paths)))
    found = torch.stack([sample['pred_score'] for sample in found])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert len(found) == 12
    assert found.std(dim=0).min() > 0.01


def test_onnx(export, checkpoint, dataset, tmp_path):
    onnxruntime = pytest.importorskip('onnxruntime')
    out = tmp_path / 'emoji.onnx'
    assert 'the same labels' in export('--to', 'onnx', '--out', out)

    session = onnxruntime.InferenceSession(out)
    metadata = session.get_modelmeta().custom_metadata_map
    names, mean, std = (
        json.loads(metadata[key]) for key in ('class_names', 'mean', 'std')
    )
    paths = [dataset[index]['img_path'] for index in range(len(dataset))]
    pixels = [np.asarray(Image.open(path).convert('RGB')) for path in paths]
    images = (np.stack(pixels) - np.array(mean)) / np.array(std)
    images = images.transpose(0, 3, 1, 2).astype(np.float32)
    _, scores = session.run(None, {'images': images})
    for row, expected in zip(
        scores, mmcoop.load(checkpoint).predict(paths), strict=True
    ):
        assert names[row.argmax()] == expected.name
        assert row.max() == pytest.approx(expected.score, abs=1e-4)


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['--to', 'onnx', '--out', '.'], r'--out \. is a folder'),
        (['--to', 'onnx', '--out', 'a.pt2'], r'give --out a\.onnx'),
        (['--to', 'linear', '--out', 'there.pth'], r'there\.pth exists'),
        (
            ['--to', 'pt2', '--out', 'a.pt2', '--classes', 'cat', 'cat'],
            'same name for several labels',
        ),
        (
            ['--to', 'pt2', '--out', 'there.pth/a.pt2'],
            r'there\.pth cannot be written',
        ),
    ],
)
def test_errors(export, tmp_path, monkeypatch, args, message):
    monkeypatch.chdir(tmp_path)
    Path('there.pth').touch()
    with pytest.raises(SystemExit, match=rf'^export\.py: error: .*{message}'):
        export(*args)
    assert [path.name for path in tmp_path.iterdir()] == ['there.pth']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'does not exist'),
        (b'no checkpoint', r'damaged|no checkpoint|cannot'),
        (dict(state_dict={}), 'brings no config'),
    ],
)
def test_checkpoints_that_are_none(export, tmp_path, content, message):
    source = tmp_path / 'given.pth'
    if isinstance(content, bytes):
        source.write_bytes(content)
    elif content is not None:
        torch.save(content, source)
    with pytest.raises(SystemExit, match=message):
        export('--to', 'linear', '--out', tmp_path / 'a.pth', source=source)
    assert not list(tmp_path.glob('a.*'))
