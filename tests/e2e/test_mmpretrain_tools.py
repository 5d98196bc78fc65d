"""mmpretrain's tools, unchanged, as docs/guides/mmpretrain_tools.md runs them.

Each test runs the commands under the heading that it is named after. They
run on a checkpoint of a short epoch, and on fewer test images.
"""

import json
import pickle
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest
import torch
from code_blocks import (
    NUM_TEST,
    ROOT,
    layout_of_repository,
    name_last_epoch,
    open_shell,
    read_blocks,
    shorten,
)
from packaging.version import Version
from PIL import Image

GUIDE = read_blocks(ROOT / 'docs/guides/mmpretrain_tools.md')
WORK_DIR = 'work_dirs/tinyclip_16shot_emoji'


def blocks_under(heading: str) -> list:
    return [block for block in GUIDE if block.heading == heading]


@pytest.fixture(scope='module')
def shell(tmp_path_factory):
    folder = layout_of_repository(tmp_path_factory.mktemp('tools'))
    with open_shell(folder, shorten) as shell:
        yield shell


@pytest.fixture(scope='module')
def run(shell):
    """Run what is under a heading, and give what it prints."""
    (names,) = blocks_under("mmpretrain's own tools")

    def run_heading(heading: str, may_fail: bool = False) -> str:
        output = ''
        blocks = blocks_under(heading)
        assert blocks
        for block in blocks:
            if block.language == 'bash':
                done = shell.run(names.text + block.text)
            else:
                done = shell.run_block(block)
            output += done.stdout
            assert may_fail or done.returncode == 0, output[-3000:]
        return output

    return run_heading


@pytest.fixture(scope='module')
def trained(run, shell) -> Path:
    """Where mmpretrain's train.py and test.py have run."""
    name_last_epoch(shell.folder / WORK_DIR)
    output = run('`train.py` and `test.py`')
    assert 'Results has been saved to predictions.pkl' in output
    return shell.folder


def load(path: Path):
    return pickle.loads(path.read_bytes())


def load_image(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert('RGB'), float)


def test_every_heading_has_a_test():
    tested = {
        name.removeprefix('test_')
        for name in globals()
        if name.startswith('test_')
    }
    for heading in {block.heading for block in GUIDE}:
        slug = heading.lower().replace('`', '').replace('.py', '')
        slug = slug.replace(' ', '_').replace('-', '_')
        assert slug in {*tested, "mmpretrain's_own_tools"}


def test_train_and_test(trained):
    predictions = load(trained / 'predictions.pkl')
    assert len(predictions) == NUM_TEST
    for prediction in predictions:
        scores = prediction['pred_score']
        assert scores.shape == (40,)
        assert scores.argmax() == prediction['pred_label']
    assert len({str(p['pred_score']) for p in predictions}) == NUM_TEST
    state = torch.load(trained / WORK_DIR / 'epoch_1.pth', weights_only=False)[
        'state_dict'
    ]
    assert list(state) == ['head.prompt_learner.ctx']


def test_test_time_augmentation(trained, run):
    run('Test-time augmentation')
    plain = load(trained / 'predictions.pkl')
    averaged = load(trained / 'averaged.pkl')
    mirrored = [
        2 * both['pred_score'] - one['pred_score']
        for both, one in zip(averaged, plain, strict=True)
    ]
    # The other half of each mean is a distribution as well, and another one.
    for scores, one in zip(mirrored, plain, strict=True):
        assert scores.min() > -1e-6
        assert not torch.allclose(scores, one['pred_score'])


def test_confusion_matrix(trained, run):
    run('`confusion_matrix.py`')
    matrix = load(trained / 'confusion.pkl')
    predictions = load(trained / 'predictions.pkl')
    expected = torch.zeros(40, 40, dtype=torch.int64)
    for item in predictions:
        expected[item['gt_label'], item['pred_label']] += 1
    assert torch.equal(matrix, expected)
    assert load_image(trained / 'confusion.png').std() > 10


def test_analyze_results(trained, run):
    run('`analyze_results.py`')
    wrong = [
        item
        for item in load(trained / 'predictions.pkl')
        if item['gt_label'] != item['pred_label']
    ]
    drawn = sorted((trained / 'results/fail').glob('*.png'))
    assert len(drawn) == min(5, len(wrong)) > 0
    for outcome in ('fail', 'success'):
        listed = trained / 'results' / outcome / f'{outcome}.json'
        for item in json.loads(listed.read_text()):
            right = item['gt_label'] == item['pred_label']
            assert right == (outcome == 'success')


def test_eval_metric(trained, run):
    output = run('`eval_metric.py`')
    predictions = load(trained / 'predictions.pkl')
    right = [
        int(item['gt_label']) in item['pred_score'].topk(5).indices.tolist()
        for item in predictions
    ]
    assert f"'accuracy/top5': {100 * np.mean(right):.2f}"[:24] in output
    assert 'single-label/f1-score' in output


def test_analyze_logs(trained, run):
    output = run('`analyze_logs.py`')
    assert 'average iter time' in output
    assert load_image(trained / 'loss.png').std() > 5


def test_get_flops(run):
    output = run('`get_flops.py`')
    assert 'Params: 2.048K' in output  # the context: 16 x 128
    assert 'Flops: 0.176G' in output
    assert 'backbone.visual.transf' in output


def test_vis_tsne(trained, run):
    # mmpretrain 1.2.0 passes `n_iter`, which scikit-learn 1.7 removed.
    broken = Version(version('scikit-learn')) >= Version('1.7')
    output = run('`vis_tsne.py`', may_fail=broken)
    (folder,) = (trained / 'tsne').iterdir()
    features = np.load(folder / 'feat_0.npy')
    predictions = load(trained / 'predictions.pkl')
    shown = sum(int(item['gt_label']) < 10 for item in predictions)
    assert features.shape == (shown, 128)
    assert len(np.unique(features, axis=0)) == shown > 10
    if broken:
        assert "unexpected keyword argument 'n_iter'" in output
    else:
        assert (folder / 'feat_0.png').stat().st_size > 10_000


def test_vis_cam(trained, run):
    try:
        found = Version(version('grad-cam'))
    except PackageNotFoundError:
        pytest.skip('grad-cam is not installed')
    if found >= Version('1.5'):
        pytest.skip('mmpretrain 1.2.0 passes use_cuda, gone in grad-cam 1.5')
    if Version(version('setuptools')) >= Version('82'):
        pytest.skip('mmpretrain 1.2.0 imports pkg_resources of setuptools')
    output = run('`vis_cam.py`')
    assert 'backbone.visual.transformer.resblocks.5.ln_1' in output
    drawn = load_image(trained / 'cam.png')
    assert drawn.shape == (64, 64, 3)
    # A map without gradients is one colour over the image.
    red_minus_blue = drawn[..., 0] - drawn[..., 2]
    assert np.ptp(red_minus_blue) > 100


def test_browse_dataset(trained, run):
    run('`browse_dataset.py`')
    names = {path.name for path in (trained / 'browse').iterdir()}
    shots = {path.name for path in (trained / 'data/emoji/train').rglob('*')}
    assert len(names) == 6
    assert names <= shots


def test_verify_dataset(trained, run):
    heading = '`verify_dataset.py`'
    assert 'There is no broken file found' in run(heading)
    path = next((trained / 'data/emoji/train').rglob('*.png'))
    sound = path.read_bytes()
    path.write_bytes(sound[:100] + bytes(len(sound) - 100))
    try:
        assert '1 broken files found' in run(heading)
    finally:
        path.write_bytes(sound)
    assert (trained / 'broken.txt').read_text().strip().endswith(path.name)


def test_publish_model(trained, run, shell):
    run('`publish_model.py`')
    (published,) = trained.glob('published_*-*.pth')
    checkpoint = torch.load(published, weights_only=True)
    assert set(checkpoint) == {'meta', 'state_dict'}
    (names,) = blocks_under("mmpretrain's own tools")
    done = shell.run(
        f'{names.text}\npython $TOOLS/test.py $CONFIG {published.name} '
        '--out published.pkl'
    )
    assert done.returncode == 0, done.stdout[-3000:]
    for before, after in zip(
        load(trained / 'predictions.pkl'),
        load(trained / 'published.pkl'),
        strict=True,
    ):
        assert torch.equal(before['pred_score'], after['pred_score'])


def test_imageclassificationinferencer(trained, run):
    output = run('`ImageClassificationInferencer`')
    name, score = output.strip().splitlines()[-1].rsplit(' ', 1)
    classes = ROOT / 'mmcoop/assets/class_names/emoji.txt'
    assert name.endswith(tuple(classes.read_text().splitlines()))
    assert 0 < float(score) <= 1
    assert (trained / 'shown/twemoji_1f369.png').exists()


def test_featureextractor(trained, run):
    output = run('`FeatureExtractor`')
    assert 'torch.Size([128]) tensor(1.' in output


def test_imageretrievalinferencer(trained, run):
    lines = run('`ImageRetrievalInferencer`').strip().splitlines()[-3:]
    assert lines[0].startswith(
        'data/emoji/test/13_dessert_or_candy/twemoji_1f369.png tensor(1.'
    )
    assert len(set(lines)) == 3
