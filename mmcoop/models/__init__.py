"""CLIP's towers, the prompt learner and the heads.

Letters for shapes, here and everywhere: N images, K classes, M context
vectors, L tokens that a text tower takes, D width of the text tower, E width
of the joint space. P and R are the prefix and suffix rows of packed prompts,
T the longest suffix (see `prompt_layout.py`).
"""

from .clip import CLIPVision
from .clip_head import CLIPHead
from .coop_head import CoOpHead
from .given_features import GivenFeatures
from .prompt_layout import PromptLayout
from .prompt_learner import PromptLearner
from .text_encoder import TextEncoder
from .vision_tower import VisionTower
from .zero_shot_head import ZeroShotHead

__all__ = [
    'CLIPHead',
    'CLIPVision',
    'CoOpHead',
    'GivenFeatures',
    'PromptLayout',
    'PromptLearner',
    'TextEncoder',
    'VisionTower',
    'ZeroShotHead',
]
