"""Use what was learned: from a checkpoint to names and scores."""

from .checkpoint_config import ConfigTextError, parse_config
from .classifier import Classifier
from .loading import load
from .prediction import NONE_OF_THESE, Prediction

__all__ = [
    'NONE_OF_THESE',
    'Classifier',
    'ConfigTextError',
    'Prediction',
    'load',
    'parse_config',
]
