"""What a config needs beside a model, to be used by mmpretrain's tools."""

import copy
from typing import Any

from mmengine.registry import Registry

from mmcoop.apis import Classifier, ConfigTextError
from mmcoop.apis.checkpoint_config import check_types, dicts_within
from mmcoop.apis.inference_config import test_pipeline
from mmcoop.registry import DATASETS, METRICS

OURS = 'mmcoop.LoadImageFromFile'


def evaluation_config(classifier: Classifier, test_data: bool) -> dict:
    """Take over the test data of the training, or leave a place for some.

    Args:
        classifier (Classifier): What is exported.
        test_data (bool): Whether the test data of its config are of its
            classes.

    Returns:
        dict: Fields of a config, from plain values.
    """
    cfg = _plain(classifier.cfg)
    loader = cfg.get('test_dataloader') or cfg['val_dataloader']
    evaluator = cfg.get('test_evaluator') or dict(type='Accuracy')
    dataset = loader['dataset']
    while dataset.get('type') == 'mmcoop.CachedFeatures':
        dataset = dataset['dataset']
    if not test_data or not _is_known(dataset, evaluator):
        evaluator = dict(type='Accuracy')
        # A folder per class, of the class's name
        dataset = dict(
            type='CustomDataset',
            data_root='data/test',
            classes=list(classifier.class_names),
            pipeline=test_pipeline(classifier.cfg),
        )
    return dict(
        test_dataloader=dict(
            batch_size=loader.get('batch_size', 32),
            num_workers=loader.get('num_workers', 1),
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=_without_ours(dataset),
        ),
        test_evaluator=evaluator,
        test_cfg=dict(),
        # `--show-dir` of the tools turns it on
        default_hooks=dict(
            visualization=dict(type='VisualizationHook', enable=False)
        ),
        visualizer=dict(
            type='UniversalVisualizer',
            vis_backends=[dict(type='LocalVisBackend')],
        ),
    )


def names_mmcoop(config: Any) -> bool:
    """Whether a config names a component of mmcoop."""
    return any(
        str(node.get('type')).startswith('mmcoop.')
        for node in dicts_within(config)
    )


def _is_known(dataset: dict, evaluator: dict | list) -> bool:
    """Whether nothing but registered components is named.

    The names may come from a checkpoint, and mmengine imports and calls
    whatever a ``type`` names once it does not find it registered.
    """
    dataset = copy.deepcopy(dataset)
    try:
        for node in list(dicts_within(dataset)):
            check_types(node.pop('pipeline', []))
    except ConfigTextError:
        return False
    return all(
        '_scope_' not in node
        and ('type' not in node or _is_registered(node['type'], registry))
        for registry, config in ((DATASETS, dataset), (METRICS, evaluator))
        for node in dicts_within(config)
    )


def _is_registered(name: Any, registry: Registry | None) -> bool:
    scope, _, bare = str(name).rpartition('.')
    while registry is not None:
        if scope in ('', registry.scope) and bare in registry.module_dict:
            return True
        registry = registry.parent
    return False


def _without_ours(config: Any) -> Any:
    """Read images with mmpretrain's own step, which gives the same pixels."""
    if isinstance(config, list | tuple):
        return [_without_ours(item) for item in config]
    if not isinstance(config, dict):
        return config
    config = {key: _without_ours(value) for key, value in config.items()}
    if config.get('type') == OURS:
        config['type'] = 'LoadImageFromFile'
        config.setdefault('imdecode_backend', 'pillow')
    return config


def _plain(config: Any) -> Any:
    """Turn mmengine's dicts into plain ones, all the way down."""
    if isinstance(config, dict):
        return {key: _plain(config[key]) for key in config}
    if isinstance(config, list | tuple):
        return type(config)(_plain(item) for item in config)
    return config
