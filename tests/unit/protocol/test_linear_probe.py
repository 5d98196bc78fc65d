from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from mmcoop.protocol import linear_probe

CONFIGS = Path(__file__).parents[3] / 'configs'
sklearn = pytest.importorskip('sklearn.linear_model')


def blobs(seed, count=12):
    """Points of three classes around centres of their own."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    centres = np.array([[3.0, 0.0], [0.0, 3.0], [-3.0, -3.0]])
    points = centres[labels] + rng.standard_normal((count, 2))
    return points.astype(np.float32), labels


def test_tells_classes_apart():
    classify = linear_probe.search(blobs(1), blobs(2))
    points, labels = blobs(3, 300)
    assert (classify(points) == labels).mean() > 0.9


def test_search_is_that_of_the_paper(monkeypatch):
    """Follow a made-up accuracy, best at log C = -1.25."""
    asked = []

    class Fake:
        def __init__(self, C, max_iter):
            assert max_iter == 1000
            self.log_strength = float(np.log10(C))

        def fit(self, features, labels):
            asked.append(self.log_strength)
            return self

        def score(self, features, labels):
            return -abs(self.log_strength + 1.25)

        def predict(self, features):
            return self.log_strength

    monkeypatch.setattr(sklearn, 'LogisticRegression', Fake)
    final = linear_probe.search((None, None), (None, None))(None)
    assert asked[:7] == pytest.approx([6, 4, 2, 0, -2, -4, -6])
    # Around the best of them, -2: first its neighbours a decade away, then
    # half of the range on the better side.
    assert asked[7:11] == pytest.approx([-3, -1, -1.5, -1.25], abs=0.26)
    assert final == pytest.approx(-1.25, abs=2 / 2**8)
    assert len(asked) <= 7 + 2 + 8


def test_ties_keep_the_weaker_regularisation_of_seven(monkeypatch):
    class Fake:
        def __init__(self, C, max_iter):
            self.C = C

        def fit(self, *_):
            return self

        def score(self, *_):
            return 1.0

        def predict(self, _):
            return self.C

    monkeypatch.setattr(sklearn, 'LogisticRegression', Fake)
    final = linear_probe.search((None, None), (None, None))(None)
    # The first of equals is 1e6; equal ends keep the lower one.
    assert final == pytest.approx(1e5)


@pytest.fixture
def cfg(tmp_path):
    cfg = Config.fromfile(CONFIGS / 'linear_probe/tinyclip_16shot_emoji.py')
    data_root = str(tmp_path / 'emoji')
    cfg.train_dataloader.dataset.dataset.data_root = data_root
    cfg.test_dataloader.dataset.data_root = data_root
    cfg.train_dataloader.dataset.num_shots = 1
    cfg.test_dataloader.num_workers = 0
    cfg.test_dataloader.dataset.indices = list(range(0, 158, 4))
    return cfg


def test_probes_the_embedded_data(cfg):
    tests = {
        'test': {},
        'other': {'test_dataloader.dataset.split': 'test_fxemoji'},
    }
    accuracies = linear_probe.probe(cfg, tests)
    assert accuracies.keys() == tests.keys()
    assert all(0 <= value <= 100 for value in accuracies.values())
    assert max(accuracies.values()) > 100 / 40


def test_nothing_left_to_choose_on_is_refused(cfg):
    cfg.train_dataloader.dataset.num_shots = -1
    cfg.train_dataloader.dataset.dataset.indices = 8
    with pytest.raises(ValueError, match='all 8 training images are drawn'):
        linear_probe.probe(cfg)
