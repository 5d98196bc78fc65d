"""The version of mmcoop, and the versions of others that it works with.

`setup.py` reads this file without importing the package: keep it free of
imports.
"""

__version__ = '0.1.0'

# Import names, since the maintained forks differ only in what pip calls
# them. torch 2.6 is the first that by default refuses to run code from a
# checkpoint; mmpretrain comes last, as its import checks the ones above.
REQUIRED_VERSIONS = {
    'torch': '>=2.6',
    'torchvision': '>=0.21',
    'mmengine': '>=0.10.7,<1.0',
    'mmcv': '>=2.0.0,<2.4',
    'open_clip': '>=3.0',
    'mmpretrain': '>=1.2.0,<2.0',
}

# What pip calls the distributions that provide a module, where that is not
# the module's own name. The first one is taken when none is installed.
DISTRIBUTIONS = {
    'mmengine': ['mmengine', 'onedl-mmengine'],
    # mmcv has compiled operators and no wheels for current torch; mmcoop
    # needs none of them, so the lite one will do. Both fill the same folder.
    'mmcv': ['mmcv-lite', 'mmcv', 'onedl-mmcv'],
    'open_clip': ['open_clip_torch'],
    'mmpretrain': ['mmpretrain', 'onedl-mmpretrain'],
}
