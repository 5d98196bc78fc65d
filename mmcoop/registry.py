"""The registry nodes that mmcoop adds to, each a child of mmpretrain's.

Write ``type='mmcoop.NAME'`` in a config: the prefix finds the class here,
whatever ``default_scope`` says. Everything that is not here is looked up in
mmpretrain and then in mmengine.
"""

from mmengine.registry import Registry
from mmpretrain.registry import DATA_SAMPLERS as MMPRETRAIN_DATA_SAMPLERS
from mmpretrain.registry import DATASETS as MMPRETRAIN_DATASETS
from mmpretrain.registry import HOOKS as MMPRETRAIN_HOOKS
from mmpretrain.registry import METRICS as MMPRETRAIN_METRICS
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from mmpretrain.registry import TRANSFORMS as MMPRETRAIN_TRANSFORMS

# Towers, prompt learners and heads, like `CLIPVision` and `CoOpHead`
MODELS = Registry(
    'model',
    parent=MMPRETRAIN_MODELS,
    scope='mmcoop',
    locations=['mmcoop.models'],
)
# Data sets and wrappers around any data set, like `FewShot`
DATASETS = Registry(
    'dataset',
    parent=MMPRETRAIN_DATASETS,
    scope='mmcoop',
    locations=['mmcoop.datasets'],
)
# Steps of a data pipeline, like `LoadImageFromFile`
TRANSFORMS = Registry(
    'transform',
    parent=MMPRETRAIN_TRANSFORMS,
    scope='mmcoop',
    locations=['mmcoop.datasets'],
)
# What happens around training
HOOKS = Registry(
    'hook',
    parent=MMPRETRAIN_HOOKS,
    scope='mmcoop',
    locations=['mmcoop.engine'],
)
# Metrics that mmpretrain lacks
METRICS = Registry(
    'metric',
    parent=MMPRETRAIN_METRICS,
    scope='mmcoop',
    locations=['mmcoop.evaluation'],
)
# How a data loader forms batches
DATA_SAMPLERS = Registry(
    'data sampler',
    parent=MMPRETRAIN_DATA_SAMPLERS,
    scope='mmcoop',
    locations=['mmcoop.datasets'],
)
