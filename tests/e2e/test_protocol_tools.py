"""The tools of the paper's other experiments, on very little."""

import json
from pathlib import Path

import pytest
from tool_process import run_tool

ROOT = Path(__file__).parents[2]
CONFIG = """
_base_ = [{base!r}]
train_cfg = dict(max_epochs=1)
train_dataloader = dict(num_workers=0, persistent_workers=False)
val_dataloader = None
val_evaluator = None
val_cfg = None
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(indices=list(range(0, 1507, 20))),
)
"""


def run(tmp_path, tool, *args):
    done = run_tool(tool, *args, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'tiny_emoji.py'
    base = ROOT / 'configs' / 'coop' / 'tinyclip_1shot_emoji.py'
    path.write_text(CONFIG.format(base=str(base)))
    return path


@pytest.mark.slow
def test_base_to_new(config, tmp_path):
    out = tmp_path / 'found.json'
    text = run(tmp_path, 'base_to_new.py', config, '--out', out)
    found = json.loads(out.read_text())
    base, new = found['base'], found['new']
    assert found['harmonic_mean'] == pytest.approx(
        2 * base * new / (base + new)
    )
    assert f'| {base:.2f} | {new:.2f} |' in text
    work_dir = tmp_path / 'work_dirs' / 'tiny_emoji-base_to_new'
    checkpoint = work_dir / 'training' / 'epoch_1.pth'
    assert checkpoint.is_file()

    # The context of the base classes is one for any classes.
    text = run(tmp_path, 'domain_generalisation.py', config, checkpoint)
    for name in ('own test data', 'fxemoji', 'high_contrast', 'streamline'):
        assert f'| {name} | ' in text


@pytest.mark.slow
def test_linear_probe(tmp_path):
    config = ROOT / 'configs' / 'linear_probe' / 'tinyclip_16shot_emoji.py'
    pytest.importorskip('sklearn')
    text = run(
        tmp_path,
        'linear_probe.py',
        config,
        *('--shots', 1, '--seeds', 1, '--out', tmp_path / 'found.json'),
    )
    (accuracy,) = json.loads((tmp_path / 'found.json').read_text())[
        '1'
    ].values()
    assert f'1 shots: {accuracy:.2f} ± 0.00 % (seeds 1: ' in text
    assert accuracy > 100 / 40
