"""CoOp for mmpretrain: learn the prompt of a frozen CLIP.

Importing this package registers everything that a config can name, so that
``custom_imports = dict(imports=['mmcoop'])`` is all a config needs.
"""

from .version import __version__
from .versions import check_versions

# Before the imports below, which would fail on a wrong version with an error
# that does not say so.
check_versions()

from . import datasets, engine, models, report  # noqa: E402
from .apis import Classifier, Prediction, load  # noqa: E402

__all__ = [
    'Classifier',
    'Prediction',
    '__version__',
    'datasets',
    'engine',
    'load',
    'models',
    'report',
]
