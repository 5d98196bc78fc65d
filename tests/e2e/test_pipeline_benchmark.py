"""The benchmark of the image pipeline runs, and adds up."""

import json
from pathlib import Path

import pytest
from tool_process import run_tool

ROOT = Path(__file__).resolve().parents[2]


def test_measures_each_step_without_the_data(tmp_path):
    run = run_tool(
        'benchmarks/pipeline.py',
        ROOT / 'configs' / 'coop' / 'vitb16_16shot_imagenet.py',
        *('--generate', '60', '40', '--images', '64'),
        *('--step-ms', '8', '--json', 'result.json'),
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stdout
    result = json.loads((tmp_path / 'result.json').read_text())
    assert list(result['seconds']) == [
        'data set',
        'LoadImageFromFile',
        'RandomResizedCrop',
        'RandomFlip',
        'PackInputs',
        'collate',
    ]
    rate = result['images_per_second']
    assert 1 / rate == pytest.approx(sum(result['seconds'].values()))
    (row,) = result['keep_up']
    assert row['images_per_second'] == 32 / 0.008
    assert row['cores'] - 1 < 4000 / rate <= row['cores']
    assert f'{rate:.0f} images/s per core' in run.stdout
