"""A sweep of small runs: begun, killed, gone on with, reported."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from tool_process import run_tool, start_tool

pytest.importorskip('submitit')

ROOT = Path(__file__).parents[2]
# Runs without mmpretrain's models would not be sweeps of it: this one trains
# the embedded CLIP for two epochs of two iterations.
SWEEP = """
grids = [dict(
    labels={{'method': 'CoOp', 'dataset': 'Emoji'}},
    common={{
        '_base_.config': {config!r},
        'train_cfg.max_epochs': 2,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'test_dataloader.num_workers': 0,
        'test_dataloader.persistent_workers': False,
        'test_dataloader.dataset.indices': 50,
    }},
    axes={{
        'shots': {{1: {{}}}},
        'seed': {axis!r},
    }},
)]
"""


@pytest.fixture
def arguments(tmp_path):
    """Give a function that writes a sweep and gives the command for it."""

    def write(axis, *options):
        path = tmp_path / 'sweep.py'
        config = str(ROOT / 'configs' / 'coop' / 'tinyclip_1shot_emoji.py')
        path.write_text(SWEEP.format(config=config, axis=axis))
        return 'sweep.py', path, '--work-dir', 'work', *options

    return write


@pytest.fixture
def command(arguments, tmp_path):
    """Give a function that does a sweep."""

    def run(axis, *options, env=None):
        return run_tool(*arguments(axis, *options), cwd=tmp_path, env=env)

    return run


def seeds(*numbers):
    return {n: {'train_dataloader.dataset.seed': n} for n in numbers}


def run_folder(tmp_path, seed):
    return tmp_path / f'work/method=CoOp/dataset=Emoji/shots=1/seed={seed}'


def wait_for(condition, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'nothing happens'
        time.sleep(0.1)


@pytest.mark.slow
def test_killed_sweep_goes_on_without_repeating(arguments, tmp_path):
    one, two = run_folder(tmp_path, 1), run_folder(tmp_path, 2)
    command = arguments(seeds(1, 2))
    sweep = start_tool(*command, cwd=tmp_path)
    wait_for(lambda: (one / 'result.json').exists())
    wait_for(lambda: (two / 'lock').exists())
    sweep.kill()
    finished_at = (one / 'result.json').stat().st_mtime_ns

    # The run that the sweep had started lives on, or not: end it as well.
    for pid in list(workers_of(tmp_path)):
        os.kill(pid, signal.SIGKILL)
    sweep.join()
    assert not (two / 'result.json').exists()

    sweep = run_tool(*command, cwd=tmp_path)
    assert '1 of 2 runs finished\n' in sweep.stdout
    assert '2 of 2 runs finished\n' in sweep.stdout
    assert (one / 'result.json').stat().st_mtime_ns == finished_at
    result = json.loads((two / 'result.json').read_text())
    assert 0 <= result['metrics']['test']['accuracy/top1'] <= 100

    report = run_tool('report.py', 'work', cwd=tmp_path)
    assert report.returncode == 0, report.stdout
    assert '| Emoji | CoOp |' in report.stdout
    for end in ('csv', 'md', 'tex', 'png', 'svg'):
        assert (tmp_path / 'work' / f'results.{end}').stat().st_size > 0


def workers_of(folder):
    """Find the processes that a sweep in this folder has started."""
    for process in Path('/proc').glob('[0-9]*'):
        try:
            command = (process / 'cmdline').read_bytes()
        except OSError:
            continue  # It has ended meanwhile.
        if str(folder / 'work' / '.jobs').encode() in command:
            yield int(process.name)


@pytest.mark.slow
def test_failed_runs_stop_no_others_and_are_listed(command, tmp_path):
    axis = seeds(1, 2) | {'bad': {'train_dataloader.dataset.num_shots': 0}}
    axis = {'bad': axis.pop('bad'), **axis}
    sweep = command(axis, '--runs-per-job', '3')
    assert sweep.returncode == 1
    assert '2 of 3 runs finished, 1 failed' in sweep.stdout
    failure = sweep.stdout.partition('FAILED ')[2]
    assert 'seed=bad: ValueError: ' in failure
    assert 'num_shots is 0: give the number of images' in failure
    assert (run_folder(tmp_path, 2) / 'result.json').exists()


@pytest.mark.long
def test_run_that_kills_its_process_is_a_failure(command, tmp_path):
    (tmp_path / 'deadly.py').write_text('import os\nos._exit(9)\n')
    deadly = {'custom_imports.imports': ['deadly']}
    sweep = command({0: deadly, **seeds(1)}, '--runs-per-job', '2')
    assert sweep.returncode == 1
    assert '1 of 2 runs finished, 1 failed' in sweep.stdout
    assert 'the process died' in sweep.stdout
    assert (run_folder(tmp_path, 1) / 'result.json').exists()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--only', 'seed=9'], 'sweep.py: error: --only seed=9: no run'),
        (['--dry-run'], 'method=CoOp/dataset=Emoji/shots=1/seed=1'),
    ],
)
def test_command_line(command, options, message):
    assert message in command(seeds(1), *options).stdout


# What Slurm's commands do, as far as a sweep sees it: a job is a process of
# this machine, which writes where srun is told to.
SLURM = dict(
    sbatch="""
        if grep -q -e --partition=closed "$1"; then
            echo 'sbatch: error: invalid partition specified: closed' >&2
            exit 1
        fi
        export SLURM_JOB_ID=7 SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1
        export SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0
        bash "$1" >/dev/null 2>&1 &
        echo 'Submitted batch job 7'
    """,
    srun="""
        while [[ $1 == --* ]]; do
            case $1 in --output) out=$2; shift;; --error) err=$2; shift;; esac
            shift
        done
        name() { sed "s/%j/$SLURM_JOB_ID/; s/%t/0/" <<<"$1"; }
        exec "$@" >"$(name "$out")" 2>"$(name "$err")"
    """,
    sacct="""
        printf 'JobID|State|NodeList\\n7|RUNNING|here\\n'
    """,
)


@pytest.fixture
def slurm(tmp_path):
    """Make stand-ins for Slurm's commands, and the PATH that has them."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    for name, lines in SLURM.items():
        (folder / name).write_text(f'#!/bin/bash\n{lines}')
        (folder / name).chmod(0o755)
    return {'PATH': os.pathsep.join([str(folder), os.environ['PATH']])}


@pytest.mark.slow
def test_runs_are_jobs_of_slurm(slurm, command, tmp_path):
    sweep = command(
        seeds(1),
        *('--cluster', 'slurm'),
        *('--slurm', 'partition=gpu', 'mem=8GB'),
        env=slurm,
    )
    assert sweep.returncode == 0, sweep.stdout
    assert '1 of 1 runs finished' in sweep.stdout
    assert (run_folder(tmp_path, 1) / 'result.json').exists()
    job = (tmp_path / 'work/.jobs/7_submission.sh').read_text()
    for option in ('partition=gpu', 'mem=8GB', 'time=600', 'job-name=mmcoop'):
        assert f'#SBATCH --{option}\n' in job


@pytest.mark.parametrize(
    ('parameter', 'message'),
    [
        (
            'partion=gpu',
            'sweep.py: error: --slurm: Unavailable parameter(s): ',
        ),
        ('partition=closed', 'invalid partition specified: closed'),
    ],
)
def test_what_slurm_does_not_take(slurm, command, parameter, message):
    options = ('--cluster', 'slurm', '--slurm', parameter)
    sweep = command(seeds(1), *options, env=slurm)
    assert sweep.returncode == 1
    assert message in sweep.stdout
    assert 'Traceback' not in sweep.stdout


@pytest.mark.skipif(shutil.which('sbatch'), reason='there is a Slurm')
def test_without_slurm(command):
    sweep = command(seeds(1), '--cluster', 'slurm')
    assert 'sweep.py: error: there is no `sbatch` here' in sweep.stdout
