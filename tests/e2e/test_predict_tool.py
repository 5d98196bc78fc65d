"""Naming images from the command line, as a user would."""

import csv
import os
import pickle
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import get_state_dict
from mmpretrain.registry import MODELS
from PIL import Image
from tool_process import run_tool

import mmcoop

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/coop/tinyclip_16shot_emoji.py'


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """A folder with a checkpoint, its config, and images in folders."""
    folder = tmp_path_factory.mktemp('run')
    rng = np.random.default_rng(0)
    for index in range(30):
        size = rng.integers(40, 200, 2)
        pixels = rng.integers(0, 256, (*size, 3), np.uint8)
        ending = ('png', 'jpg')[index % 2]
        file = folder / f'images/{index % 3}/{index}.{ending}'
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    cfg = Config.fromfile(CONFIG)
    cfg.test_dataloader.dataset = dict(
        type='CustomDataset',
        data_root=str(folder / 'images'),
        pipeline=cfg.test_pipeline,
    )
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.dump(folder / 'config.py')
    torch.manual_seed(0)
    model = MODELS.build(dict(cfg.model, _scope_='mmpretrain'))
    torch.save(
        dict(meta=dict(cfg=cfg.pretty_text), state_dict=get_state_dict(model)),
        folder / 'epoch_50.pth',
    )
    return folder


def predict(run, *args):
    """Run the tool in the folder of the checkpoint."""
    done = run_tool('predict.py', 'epoch_50.pth', *args, cwd=run)
    assert 'Traceback' not in done.stdout
    return done


def read(path):
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def test_scores_are_those_of_the_test(run):
    """To the last bit, in batches of the same size."""
    out = run / 'test.pkl'
    tested = run_tool(
        'test.py', 'config.py', 'epoch_50.pth', '--out', out, cwd=run
    )
    assert tested.returncode == 0, tested.stdout
    with open(out, 'rb') as file:
        expected = {
            item['img_path']: item['pred_score'].sort(descending=True)
            for item in pickle.load(file)
        }

    done = predict(
        run,
        run / 'images',
        '--out',
        'a.csv',
        '--batch-size',
        100,
        '--top-k',
        3,
    )

    assert done.returncode == 0, done.stdout
    rows = read(run / 'a.csv')
    assert [row['path'] for row in rows] == sorted(expected)
    names = mmcoop.load(run / 'epoch_50.pth').class_names
    assert len(rows) == 30
    for row in rows:
        scores, labels = expected[row['path']]
        assert float(row['score']) == float(scores[0])
        assert int(row['label']) == int(labels[0])
        assert row['name'] == names[labels[0]]
        assert row['name_3'] == names[labels[2]]
        assert float(row['score_3']) == float(scores[2])
        assert row['error'] == ''
        shown = f'{row["name"]}  {float(row["score"]):.3f}'
        assert any(
            line.startswith(row['path']) and shown in line
            for line in done.stdout.splitlines()
        )


def test_other_classes_and_broken_images(run):
    (run / 'names.txt').write_text('zebra\nokapi\n')
    (run / 'broken.png').write_text('no image')
    image = run / 'images/0/0.png'
    done = predict(
        run, image, 'broken.png', '--classes', 'names.txt', '--out', 'b.csv'
    )
    assert done.returncode == 1
    assert '1 of 2 images could not be read' in done.stdout
    good, broken = read(run / 'b.csv')
    assert good['name'] in ('zebra', 'okapi')
    assert broken['name'] == broken['score'] == ''
    assert 'no image' in broken['error']
    table = done.stdout.splitlines()
    assert f'{image}  {good["name"]}  {float(good["score"]):.3f}' in table
    assert any('-      error: the file is no image' in row for row in table)


def test_an_output_that_cannot_be_written_is_found_first(run):
    """Before the checkpoint is looked at."""
    done = run_tool(
        'predict.py', 'no.pth', 'a.png', '--out', 'no/a.csv', cwd=run
    )
    assert done.returncode == 1
    assert done.stdout == (
        'predict.py: error: no/a.csv cannot be written: No such file or '
        'directory. Choose a file in a folder that is there and yours to '
        'write to.\n'
    )


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['images', '--classes', 'zebra', 'zebra'], 'same name'),
        (['images', '--classes', 'missing.txt'], 'nor a file'),
        (['images', '--top-k', '0'], 'top_k is 0'),
        (['images', '--device', 'gpu'], "device is 'gpu'"),
        (['images', '--config', 'missing.py'], 'no config'),
        (['empty'], 'holds no images'),
    ],
)
def test_mistakes_are_told_in_a_line(run, args, message, monkeypatch, capsys):
    """In this process, since starting others takes seconds."""
    monkeypatch.chdir(run)
    os.makedirs('empty', exist_ok=True)
    tool = runpy.run_path(str(ROOT / 'tools/predict.py'))
    monkeypatch.setattr(
        'sys.argv', ['predict.py', 'epoch_50.pth', *args, '--out', 'c.csv']
    )
    with pytest.raises(SystemExit) as ended:
        tool['main']()
    text = str(ended.value.code)
    assert text.startswith('predict.py: error: ')
    assert message in text
    assert '\n' not in text
    assert not (run / 'c.csv').exists()
    assert not list(run.glob('.c.csv*'))
