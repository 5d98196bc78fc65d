"""The linear probe, by the paper's protocol.

Logistic regression on features of the image tower, as Radford et al. chose
its regularisation: the best of seven strengths on validation images, then a
binary search around it. Features are not normalised; images are not
augmented. Departs from the original's script in which images are drawn: the
same as for CoOp, so that the two are compared on the same shots.
"""

import copy
import json
import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from torch.utils.data import Dataset, Subset

from mmcoop.datasets import few_shot_indices
from mmcoop.registry import DATASETS

# C of scikit-learn: the larger, the weaker the regularisation
STRENGTHS = (1e6, 1e4, 1e2, 1.0, 1e-2, 1e-4, 1e-6)
NUM_STEPS = 8
MAX_VALIDATION_SHOTS = 4

# (N, E) float32 features, (N,) int64 labels
Features = tuple[np.ndarray, np.ndarray]

# Test features by their config; a few data sets of one tower.
MAX_KEPT = 8
_kept: dict[str, Features] = {}


def probe(
    cfg: Config, tests: Mapping[str, Mapping] | None = None
) -> dict[str, float]:
    """Fit on the config's few shots, and evaluate.

    Args:
        cfg (Config): With ``model.backbone`` and ``data_preprocessor``; a
            ``FewShot`` as training data; and ``probe_validation``, the
            config of a data set for choosing the strength, or None for the
            training images that are not drawn.
        tests (Mapping[str, Mapping], optional): By name, dotted keys that
            change the test data. None: the config's alone, ``'test'``.

    Returns:
        dict[str, float]: Accuracy in percent by test.
    """
    shots = cfg.train_dataloader.dataset
    pipeline = cfg.test_dataloader.dataset.pipeline
    rng = random.Random(shots.seed)
    pool = _build(dict(shots.dataset, pipeline=pipeline))
    labels = _labels(pool)
    drawn = few_shot_indices(labels, shots.num_shots, rng)
    train = encode(cfg, Subset(pool, drawn))
    rest = sorted(set(range(len(pool))) - set(drawn))
    if cfg.get('probe_validation') is not None:
        pool = _build(dict(cfg.probe_validation, pipeline=pipeline))
        labels = _labels(pool)
        rest = range(len(pool))
    if not rest:
        raise ValueError(
            f'all {len(drawn)} training images are drawn, and none is left '
            'to choose the regularisation on: set probe_validation to the '
            'config of a data set of validation images.'
        )
    few = min(shots.num_shots, MAX_VALIDATION_SHOTS)
    few = MAX_VALIDATION_SHOTS if few == -1 else few
    chosen = few_shot_indices([labels[index] for index in rest], few, rng)
    chosen = [rest[index] for index in chosen]
    classifier = search(train, encode(cfg, Subset(pool, chosen)))
    accuracies = {}
    for name, settings in (tests or {'test': {}}).items():
        changed = copy.deepcopy(cfg)
        changed.merge_from_dict(dict(settings))
        features, labels = _test_features(changed)
        accuracies[name] = 100 * float((classifier(features) == labels).mean())
    return accuracies


@contextmanager
def few_images_are_meant() -> Iterator[None]:
    """Let scikit-learn not warn of about as many classes as images."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'The number of unique classes')
        yield


def search(
    train: Features, validation: Features
) -> Callable[[np.ndarray], np.ndarray]:
    """Choose the strength, and fit with it.

    Args:
        train (Features): To fit on.
        validation (Features): To choose on.

    Returns:
        Callable: From features (N, E) to labels (N,).
    """
    # Optional, and slow to import
    from sklearn.linear_model import LogisticRegression

    @lru_cache
    def fit(log_strength: float) -> LogisticRegression:
        # Its defaults are L2 and lbfgs
        model = LogisticRegression(C=10**log_strength, max_iter=1000)
        with few_images_are_meant():
            return model.fit(*train)

    def accuracy(log_strength: float) -> float:
        with few_images_are_meant():
            return float(fit(log_strength).score(*validation))

    best = max((float(np.log10(c)) for c in STRENGTHS), key=accuracy)
    low, high = best - 1, best + 1
    for _ in range(NUM_STEPS):
        middle = (low + high) / 2
        if accuracy(low) < accuracy(high):
            best, low = high, middle
        else:
            best, high = low, middle
    return fit(best).predict


def encode(cfg: Config, dataset: Dataset) -> Features:
    """Encode images with the config's tower.

    Args:
        cfg (Config): With ``model``; ``test_dataloader`` says how images are
            read.
        dataset (Dataset): The images.

    Returns:
        Features: Before normalisation, and labels.
    """
    model = _tower(cfg)
    loader = Runner.build_dataloader(
        dict(
            dataset=dataset,
            batch_size=cfg.test_dataloader.batch_size,
            num_workers=cfg.test_dataloader.num_workers,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        )
    )
    features, labels = [], []
    with torch.inference_mode():
        for batch in loader:
            batch = model.data_preprocessor(batch)
            encoded = model.backbone(batch['inputs'])[-1]
            features.append(encoded.float().cpu().numpy())
            labels += [int(s.gt_label) for s in batch['data_samples']]
    return np.concatenate(features), np.array(labels)


def _test_features(cfg: Config) -> Features:
    """Encode test images, once for the runs that share them."""
    key = json.dumps([cfg.test_dataloader.dataset, cfg.model.backbone])
    if key not in _kept:
        if len(_kept) == MAX_KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = encode(cfg, _build(cfg.test_dataloader.dataset))
    return _kept[key]


def _tower(cfg: Config) -> torch.nn.Module:
    """Build the model without its head, which is not needed."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build({**cfg.model, 'head': None})
    return model.to(get_device()).eval()


def _build(dataset: Mapping) -> Dataset:
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return DATASETS.build(dataset)


def _labels(dataset: Dataset) -> list[int]:
    return [dataset.get_cat_ids(index)[0] for index in range(len(dataset))]
