"""A page in the browser: what a learned prompt says about an image.

Needs Gradio, which comes with ``pip install 'mmcoop[app]'``.
"""

from .comparison import Answer, Comparison
from .training_images import Neighbour, TrainingImages

__all__ = ['Answer', 'Comparison', 'Neighbour', 'TrainingImages']
