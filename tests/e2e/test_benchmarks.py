"""The benchmarks of training steps run, and say what they measured."""

import json

import pytest
from tool_process import run_tool


def run(tool, *args, cwd):
    return run_tool(f'benchmarks/{tool}', *args, cwd=cwd)


@pytest.mark.slow
def test_a_step_against_the_plain_form(tmp_path):
    done = run(
        'step_time.py',
        *('--trial', '--device', 'cpu', '--json', 'result.json'),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout
    result = json.loads((tmp_path / 'result.json').read_text())
    plain, ours = result['rows']
    assert [plain['form'], ours['form']] == ['plain', 'ours']
    # Five names, all 77 tokens; or the shared 17, the names and [EOS]
    assert plain['tokens'] == 5 * 77
    assert 17 + 5 * 3 <= ours['tokens'] < 50
    assert plain['gflop'] > 10 * ours['gflop'] > 0
    assert min(plain['ms'], ours['ms']) > 0
    assert result['gradient_error'] < 1e-4
    assert result['compiled'] is False
    assert result['settings']['classes'] == 5
    ratio = f'{plain["ms"] / ours["ms"]:.1f}'
    (line,) = (line for line in done.stdout.splitlines() if 'ours' in line)
    assert ratio in line
    assert f'torch {result["environment"]["torch"]}' in done.stdout


@pytest.mark.slow
def test_more_classes_in_chunks(tmp_path):
    done = run(
        'class_scaling.py',
        *('--trial', '--device', 'cpu', '--json', 'result.json'),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout
    result = json.loads((tmp_path / 'result.json').read_text())
    assert [row['classes'] for row in result['rows']] == [20, 60]
    for row in result['rows']:
        assert row['ms'] > 0
        assert f'{row["tokens"]:,}' in done.stdout
    assert result['gradient_error'] < 1e-5
    assert result['settings']['model'] == '2 layers of width 16'


@pytest.mark.parametrize(
    ('tool', 'args', 'message'),
    [
        ('step_time.py', ['--classes', '1001'], 'class_scaling.py goes'),
        ('step_time.py', ['--repeat', '0'], '--repeat 0: give at least 1'),
        ('class_scaling.py', ['--width', '12'], 'a multiple of 8'),
    ],
)
def test_bad_options(tmp_path, tool, args, message):
    done = run(tool, *args, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stdout
